"""What MLflow's users do with entities: make them, turn them into dictionaries, ask the words for their names."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    FileInfo,
    InputTag,
    InputTags,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
    SourceType,
    ViewType,
)
from fitbook.errors import InvalidValue

USED = DatasetInput(Dataset("n", "d"), {"k": "v", "a": "b"})
RUN = Run(
    RunInfo("r", "0", "name", "user", "RUNNING", 1, None, "active", "file:///x"),
    RunData({"m": 1.0}, {"p": "1"}, {"t": "v"}),
    RunInputs((USED,)),
)


def test_a_run_as_plain_dictionaries() -> None:
    plain = RUN.to_dictionary()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["info"]["run_id"] == "r"
    assert (
        plain["data"] == RUN.data.to_dictionary() == {"metrics": {"m": 1.0}, "params": {"p": "1"}, "tags": {"t": "v"}}
    )
    dataset = {"name": "n", "digest": "d", "source_type": "code", "source": "{}", "schema": None, "profile": None}
    assert plain["inputs"] == {
        "dataset_inputs": [{"dataset": dataset, "tags": {"a": "b", "k": "v"}}],
        "model_inputs": [],
    }
    assert dict(RUN.info)["run_name"] == "name"
    assert dict(RUN)["data"] is RUN.data


@pytest.mark.parametrize(
    "entity",
    [Metric("k", 1.0, 2, 3), Param("k", "v"), RunTag("k", "v"), ExperimentTag("k", "v"), InputTag("k", "v"), USED, RUN]
    + [FileInfo("p", False, 3), Experiment("1", "n", "file:///x")],
)
def test_entities_are_values(entity: Any) -> None:
    for other in (copy.copy(entity), copy.deepcopy(entity), pickle.loads(pickle.dumps(entity))):
        assert (other, repr(other), type(other)) == (entity, repr(entity), type(entity))
    assert set(entity.to_dictionary()) == {name for name, _ in entity}


@given(st.dictionaries(st.text(), st.text()))
def test_tags_of_inputs_are_a_mapping_and_a_sequence(tags: dict[str, str]) -> None:
    made = InputTags(tags)
    assert dict(made) == {tag.key: tag.value for tag in made} == {key: made[key] for key in list(made.keys())} == tags
    assert InputTags(reversed(made)) == made == InputTags(list(made))
    assert (made.get("none\0"), made.get("none\0", "x")) == (None, "x")
    with pytest.raises(KeyError):
        made["none\0"]


def test_tags_of_inputs_by_place() -> None:
    assert (USED.tags[0], USED.tags[1:]) == (InputTag("a", "b"), (InputTag("k", "v"),))
    assert DatasetInput(Dataset("n", "d")).tags == ()


def test_statuses() -> None:
    assert [RunStatus.to_string(number) for number in range(1, 6)] == list(RunStatus.ALL) == RunStatus.all_status()
    assert RunStatus.to_string(RunStatus.FINISHED) == RunStatus.from_string("FINISHED") == "FINISHED"
    assert [status for status in RunStatus.ALL if not RunStatus.is_terminated(status)] == ["RUNNING", "SCHEDULED"]
    assert SourceType.to_string(4) == SourceType.LOCAL == "LOCAL"
    for wrong in (0, 6, "DONE"):
        with pytest.raises(InvalidValue, match="is none of RUNNING"):
            RunStatus.to_string(wrong)


def test_views_and_stages() -> None:
    for number, name in ((ViewType.ACTIVE_ONLY, "active_only"), (ViewType.DELETED_ONLY, "deleted_only"), (3, "all")):
        assert (ViewType.to_string(number), ViewType.from_string(name)) == (name, number)
    for call in (lambda: ViewType.to_string(0), lambda: ViewType.from_string("x")):
        with pytest.raises(InvalidValue, match="The view type"):
            call()
    assert LifecycleStage.view_type_to_stages() == ["active", "deleted"]
    assert LifecycleStage.view_type_to_stages(ViewType.DELETED_ONLY) == ["deleted"]
    assert LifecycleStage.is_valid("active")
    assert not LifecycleStage.is_valid("gone")
    assert not LifecycleStage.matches_view_type(ViewType.ACTIVE_ONLY, "deleted")
