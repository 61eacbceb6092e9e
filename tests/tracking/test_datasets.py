"""Data sets in a run's record, from whatever describes one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import fitbook
from fitbook.entities import Dataset, DatasetInput, InputTag
from fitbook.errors import InvalidValue

ENTITY = Dataset("n", "d", "local", '{"uri": "x"}', '{"s": 1}', '{"p": 2}')
FIELDS = {name: getattr(ENTITY, name) for name in ENTITY.__slots__}


class Theirs:
    """As MLflow's data sets are: they say what they are by ``to_dict()``."""

    def to_dict(self) -> dict[str, Any]:
        return FIELDS


@pytest.mark.parametrize("dataset", [ENTITY, Theirs(), SimpleNamespace(**FIELDS)])
def test_what_describes_a_data_set_is_taken(dataset: Any) -> None:
    with fitbook.start_run() as run:
        fitbook.log_input(dataset, "train")
    assert run.inputs.dataset_inputs == (DatasetInput(ENTITY, {"mlflow.data.context": "train"}),)


def test_what_a_metric_was_measured_on_is_an_input() -> None:
    client = fitbook.Client()
    with fitbook.start_run() as run:
        fitbook.log_metric("m", 1, dataset=ENTITY)
        fitbook.log_metrics({"n": 1}, dataset=Theirs(), model_id="m-1")
        client.log_metric(run.run_id, "o", 1, dataset_name="named", dataset_digest="e")
    assert {used.dataset.name for used in run.inputs.dataset_inputs} == {"n", "named"}
    assert set(run.data.metrics) == {"m", "n", "o"}
    with pytest.raises(InvalidValue, match="dataset_name and dataset_digest together"):
        client.log_metric(run.run_id, "p", 1, dataset_name="named")


def test_inputs_of_the_client_may_be_mlflows() -> None:
    client = fitbook.Client()
    run_id = client.create_run("0").info.run_id
    used = SimpleNamespace(dataset=SimpleNamespace(**FIELDS), tags=[InputTag("k", "v")])
    client.log_inputs(run_id, [used])  # type: ignore[list-item]
    assert client.get_run(run_id).inputs.dataset_inputs == (DatasetInput(ENTITY, [InputTag("k", "v")]),)
    wrong: Any = [ENTITY]
    with pytest.raises(InvalidValue, match="got a Dataset; give DatasetInput"):
        client.log_inputs(run_id, wrong)


@pytest.mark.parametrize("wrong", [pd.DataFrame({"name": ["a"], "digest": ["b"]}), 3, {"name": "a"}, Theirs])
def test_what_is_none_is_refused(wrong: Any) -> None:
    with fitbook.start_run() as run, pytest.raises(InvalidValue, match="is no data set; make one"):
        fitbook.log_input(wrong)
    assert run.inputs.dataset_inputs == ()


def test_lists_of_inputs_have_one_length() -> None:
    with fitbook.start_run() as run:
        fitbook.log_inputs([ENTITY, Theirs()], ["a", None], [None, {"k": "v"}])
        with pytest.raises(InvalidValue, match="different lengths"):
            fitbook.log_inputs([ENTITY], ["a", "b"])
        for nothing in ([], [None]):
            with pytest.raises(InvalidValue, match="No data set was given"):
                fitbook.log_inputs(nothing)
        with pytest.warns(fitbook.FitbookWarning, match="Models that a run used"):
            fitbook.log_input(model=object())
        with pytest.warns(fitbook.FitbookWarning, match="Models that a run used"):
            fitbook.Client().log_inputs(run.run_id, [], [object()])
    assert len(run.inputs.dataset_inputs) >= 1
