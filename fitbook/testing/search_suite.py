"""What every store's searches must do, as tests: subclass `SearchSuite` and give it a fixture ``store``."""

from __future__ import annotations

import math
import re
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitbook.entities import Metric, PagedList, Run, RunDraft
from fitbook.errors import InvalidFilter, InvalidValue
from fitbook.store import Store

START = 1_700_000_000_000
VALUES = (0.0, -0.0, 1.0, 1.5, -1e300, 1.7976931348623157e308, math.inf, -math.inf, math.nan)
TEXTS = ("", "a", "b", "1", "1.0", "10", "-2", "ä", "x" * 251, "x" * 250 + "y")
ORDERS = (
    "metrics.m",
    "metrics.n",
    "metrics.m.min",
    "metrics.m.best",
    "params.p",
    "tags.t",
    "end_time",
    "status",
    "run_name",
)
FILTERS = ("", "metrics.m > 0", "metrics.m >= 0 AND params.p != 'a'", "params.p = 1 OR tags.t = 'a'", "parent IS NULL")


def _some(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), max_size=2)


CONTENTS = st.fixed_dictionaries(
    {
        "second": st.integers(0, 3),
        "end_time": st.none() | st.integers(START, START + 2),
        "m": _some(VALUES),
        "n": _some(VALUES),
        "p": _some(TEXTS),
        "t": _some(TEXTS),
    }
)
EMPTY: dict[str, Any] = {"second": 0, "end_time": None, "m": [], "n": [], "p": [], "t": []}
CLAUSES = st.lists(st.tuples(st.sampled_from(ORDERS), st.sampled_from((" ASC", " DESC"))).map("".join), max_size=3)


def _draft(experiment_id: str, content: dict[str, Any], name: str, seconds: int = 0) -> RunDraft:
    metrics = [Metric(key, value, START, step) for key in "mn" for step, value in enumerate(content[key])]
    return RunDraft(
        experiment_id=experiment_id,
        run_id=uuid.uuid4().hex,
        run_name=name,
        user_id="ada",
        start_time=START + 1000 * (seconds + content["second"]),
        end_time=content["end_time"],
        metrics=metrics,
        params=dict(zip("p", content["p"], strict=False)),
        tags=dict(zip("t", content["t"], strict=False)),
    )


def _ids(runs: list[Run]) -> list[str]:
    return [run.info.run_id for run in runs]


class SearchSuite:
    """Pages, bounds of metrics, and parents; ``store`` is new at the start of each test."""

    max_examples = 60

    def test_pages_are_the_whole_search_whatever_is_written_meanwhile(self, store: Store) -> None:
        @settings(
            max_examples=self.max_examples,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
        )
        @given(
            old=st.lists(CONTENTS, min_size=1, max_size=12),
            new=st.lists(CONTENTS, max_size=4),
            order_by=CLAUSES,
            text=st.sampled_from(FILTERS),
            sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
        )
        def check(old: Any, new: Any, order_by: list[str], text: str, sizes: list[int]) -> None:
            experiment = store.create_experiment(uuid.uuid4().hex)
            store.create_runs([_draft(experiment, content, f"run {n % 3}") for n, content in enumerate(old)])
            whole = _ids(store.search_runs([experiment], text, order_by=order_by))
            fresh: set[str] = set()
            found: list[str] = []
            token: str | None = None
            for number in range(len(old) + len(new) + 1):
                page = store.search_runs([experiment], text, 1, sizes[number % len(sizes)], order_by, token)
                found += _ids(page)
                token = page.token
                if token is None:
                    break
                assert len(page) == sizes[number % len(sizes)]
                if new:
                    draft = _draft(experiment, new.pop(), "new", seconds=100)
                    store.create_runs([draft])
                    fresh.add(draft.run_id)
            assert token is None
            assert [run for run in found if run not in fresh] == whole
            assert len(found) == len(set(found))

        check()

    def test_without_an_order_runs_that_are_begun_meanwhile_are_not_seen(self, store: Store) -> None:
        store.create_runs([_draft("0", EMPTY, str(number), number) for number in range(6)])
        names: list[str] = []
        page = store.search_runs(["0"], max_results=2)
        while True:
            names += [run.info.run_name for run in page]
            if page.token is None:
                break
            store.create_runs([_draft("0", EMPTY, "new", 100)])
            page = store.search_runs(["0"], max_results=2, page_token=page.token)
        assert names == ["5", "4", "3", "2", "1", "0"]

    def test_a_token_is_for_its_own_search(self, store: Store) -> None:
        experiment = store.create_experiment("other")
        content = EMPTY | {"m": [1.0], "p": ["ü" * 1000]}
        store.create_runs([_draft("0", content, str(number)) for number in range(3)])
        same: dict[str, Any] = {"experiment_ids": ["0"], "filter_string": "metrics.m > 0", "order_by": ["params.p"]}
        token = store.search_runs(**same, max_results=1).token
        assert token is not None
        assert re.fullmatch(r"[\w-]{1,4000}", token, re.ASCII)
        # The size of the pages may change.
        assert len(store.search_runs(**same, max_results=2, page_token=token)) == 2
        changed: dict[str, Any] = {
            "experiment_ids": [experiment],
            "filter_string": "metrics.m > -1",
            "order_by": ["params.p DESC"],
            "run_view_type": 3,
        }
        for key, value in changed.items():
            with pytest.raises(InvalidValue, match="token"):
                store.search_runs(**same | {key: value}, page_token=token)
        with pytest.raises(InvalidValue, match="token"):
            store.search_experiments(page_token=token)
        for wrong in (token[:-2], token + "x", "1000", "e30", "W10", "WzFd", "bnVsbA", "é"):
            with pytest.raises(InvalidValue, match="token"):
                store.search_runs(**same, page_token=wrong)

    def test_pages_of_experiments_begin_after_a_place(self, store: Store) -> None:
        for number in range(7):
            store.create_experiment(f"e{number}", tags={"t": "same"} if number % 2 else None)
        for order_by in (None, ["tags.t DESC"], ["name ASC"]):
            whole = [e.name for e in store.search_experiments(order_by=order_by, filter_string="name != 'late'")]
            pages: list[PagedList[Any]] = [store.search_experiments(1, 3, "name != 'late'", order_by)]
            while (token := pages[-1].token) is not None:
                pages.append(store.search_experiments(1, 2, "name != 'late'", order_by, token))
            assert [e.name for page in pages for e in page] == whole

    def test_bounds_of_metrics(self, store: Store) -> None:
        for name, values in (("a", [3.0, 1.0, 2.0]), ("b", [5.0, math.nan]), ("c", [math.nan]), ("d", [])):
            content = EMPTY | {"second": ord(name)}
            draft = _draft("0", content, name)
            points = [Metric("loss", value, START, step) for step, value in enumerate(values)]
            store.create_runs([draft])
            store.log_batch(draft.run_id, [*points, Metric("loss.min", 9.0, START)])

        def names(text: str, *order_by: str) -> str:
            return "".join(run.info.run_name for run in store.search_runs(["0"], text, order_by=order_by))

        assert names("metrics.loss.min < 2") == "a"
        assert names("metrics.loss.best = 1") == "a"
        assert names("metrics.loss.max >= 3") == "ba"
        assert names("metrics.loss.latest = 2") == names("metrics.loss = 2") == "a"
        assert names("metrics.loss.max IS NULL") == "dc"
        assert names("NOT metrics.loss.max != 5") == "dcb"
        assert names("metrics.`loss.min` = 9") == names('metrics."loss.min".max = 9') == "dcba"
        assert names("", "metrics.loss.max DESC") == names("", "metrics.loss.best DESC") == "badc"
        with pytest.raises(InvalidFilter, match="never nan"):
            names("metrics.loss.min = nan")

    def test_children_and_roots(self, store: Store) -> None:
        parent, child = _draft("0", EMPTY, "parent"), _draft("0", EMPTY, "child")
        tags = {"mlflow.parentRunId": parent.run_id}
        store.create_runs([parent])
        store.create_runs([child])
        assert len(store.search_runs(["0"], "parent IS NULL")) == 2
        store.log_batch(child.run_id, tags=tags)
        for text in (
            f"attributes.parent_run_id = '{parent.run_id}'",
            "parent_run_id IS NOT NULL",
            "NOT run.parent IS NULL",
        ):
            assert _ids(store.search_runs(["0"], text)) == [child.run_id]
        assert _ids(store.search_runs(["0"], "parent_run_id IS NULL")) == [parent.run_id]
        assert store.search_runs(["0"], f"parent != '{parent.run_id}'") == []
