from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitbook.entities import Dataset, DatasetInput, Metric, RunDraft
from fitbook.errors import InvalidValue
from fitbook.store import Store
from fitbook.transfer._cleaning import clean_tags, cleaned
from fitbook.transfer._records import Problem

START = 1_700_000_000_000
_texts = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ["a" * 300, "a*", "a_", "../x", "\ud800", "\x00"]
)


def draft(**more: Any) -> RunDraft:
    return RunDraft(
        **{"experiment_id": "0", "run_id": "a" * 32, "run_name": "n", "user_id": "u", "start_time": START} | more
    )


def test_what_is_right_is_not_changed() -> None:
    problems: list[Problem] = []
    right = draft(params={"a b/c": "ü"}, tags={"k": "v"}, metrics=[Metric("m", 1.0, START)])
    assert cleaned(right, problems) == right
    assert problems == []


@given(
    name=_texts,
    user=_texts,
    params=st.dictionaries(_texts, _texts, max_size=4),
    tags=st.dictionaries(_texts, _texts, max_size=4),
    keys=st.lists(_texts, max_size=4),
    data=_texts,
)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_they_have_kept_can_be_written_and_is_named_if_it_changed(
    store: Store, name: str, user: str, params: dict[str, str], tags: dict[str, str], keys: list[str], data: str
) -> None:
    problems: list[Problem] = []
    theirs = draft(
        run_id=uuid.uuid4().hex,
        run_name=name,
        user_id=user,
        params=params,
        tags=tags,
        metrics=[Metric(key, 1.0, START) for key in keys],
        datasets=[DatasetInput(Dataset(data, "d"))],
    )
    ours = cleaned(theirs, problems)
    store.create_runs([ours])
    run = store.get_run(ours.run_id)
    assert dict(run.data.params) == ours.params
    named = {problem.key.partition("/")[2] for problem in problems}
    for key, value in params.items():
        assert ours.params.get(key) == value or key[:60] in named
    assert cleaned(replace(ours), again := []) == ours
    assert again == []


def test_of_two_keys_that_become_one_the_right_one_stays() -> None:
    problems: list[Problem] = []
    assert clean_tags("x", {"a*b": "1", "a_b": "2"}, problems) == {"a_b": "2"}
    assert [(p.kind, p.key) for p in problems] == [("tag", "x/a*b")]
    assert clean_tags("x", {"a*b": "1", "a?b": "2"}, problems) == {"a_b": "1"}
    assert problems[-1].reason.startswith("not taken")


@pytest.mark.parametrize("run_id", ["", "A" * 32, "a" * 31, "../../" + "a" * 26, "a" * 32 + "\n"])
def test_ids_that_are_none_are_refused(run_id: str) -> None:
    with pytest.raises(InvalidValue, match="32 hexadecimal"):
        cleaned(draft(run_id=run_id), [])
