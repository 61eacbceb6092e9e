"""The ways to find a page: they agree, and none reads a table from end to end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from fitbook.entities import Dataset, DatasetInput, Metric
from fitbook.store import SqlStore, open_store
from fitbook.store import _tables as t
from fitbook.store._filter import RUNS, parse, parse_order
from fitbook.store._filter_dialects import register_functions
from fitbook.store._pages import cut_page, read_token
from fitbook.store._sql import _finding
from fitbook.store._sql._finding import Candidates, RunSearch
from fitbook.testing.questions import ORDERINGS, QUESTIONS, RECORDS, Clause, Question, Record, fill, sort
from fitbook.testing.store_suite import START, draft


@pytest.fixture(scope="module")
def engine() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    sa.event.listen(engine, "connect", lambda connection, _: register_functions(connection))
    t.metadata.create_all(engine)
    yield engine
    engine.dispose()


@settings(max_examples=200, deadline=None)
@given(
    records=RECORDS,
    question=st.none() | QUESTIONS.map(lambda some: some[0]),
    clauses=ORDERINGS,
    few=st.sampled_from((-1, 0, 2, 1000)),
    walked=st.sampled_from((0, 1, 3, 40)),
    size=st.integers(1, 4),
)
def test_every_way_finds_the_same(
    engine: sa.Engine,
    records: list[Record],
    question: Question | None,
    clauses: list[Clause],
    few: int,
    walked: int,
    size: int,
) -> None:
    orders = parse_order([str(clause) for clause in clauses], RUNS)
    node = parse(question.text, RUNS) if question else None
    expected = [record.run_id for record in sort(records, clauses) if question is None or question.admits(record)]
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch, engine.connect() as connection:
        patch.setattr(_finding, "_FEW", few)
        patch.setattr(_finding, "_WALKED", walked)
        fill(connection, records)
        ids = {row.id: row.run_id for row in connection.execute(sa.select(t.runs))}
        search, place = RunSearch((1, 2), ("active",), node, orders, ""), None
        while True:
            rows, token = cut_page(search.page(connection, place, size + 1), [], size)
            found += [ids[row.id] for row in rows]
            if token is None:
                break
            place = read_token([], token)
    assert found == expected


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    store = open_store(tmp_path_factory.mktemp("plans") / "tracking")
    assert isinstance(store, SqlStore)
    store.create_experiment("other")
    for experiment in ("0", "1"):
        drafts = [
            draft(
                n,
                experiment_id=experiment,
                params={"p": str(n % 10), "q": "x"},
                metrics=[Metric("m", n / 200, START), Metric("n", n % 3, START)],
                tags={"t": "abc"[n % 3]} | ({"mlflow.parentRunId": f"{7:032x}"} if n % 5 == 0 else {}),
                datasets=[
                    DatasetInput(Dataset(f"data {n % 40}", "d", "local", "here"), {"mlflow.data.context": "train"})
                ],
            )
            for n in range(200)
        ]
        store.create_runs(drafts)
    yield store
    store.close()


@pytest.fixture(params=["without statistics", "with statistics"])
def plans(store: SqlStore, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tell the steps of all plans of a search, and how many of its queries there were."""
    monkeypatch.setattr(_finding, "_FEW", 30)
    with store.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
        if request.param == "without statistics":
            connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    store.close()  # what is known of statistics is known to connections

    def of(text: str, order_by: Sequence[str] | None, token: str | None = None) -> list[str]:
        statements: list[str] = []
        with store.database.read() as connection:
            driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        store.search_runs(["0"], text, max_results=20, order_by=order_by, page_token=token)
        driver.set_trace_callback(None)
        assert len([text for text in statements if text.startswith("SELECT")]) >= 2
        return [
            row[3]
            for statement in statements
            if statement.startswith("SELECT")
            for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    return of


@pytest.mark.parametrize(
    "order_by", [None, ["metrics.m DESC"], ["metrics.n.max"], ["params.p", "tags.t"], ["end_time"]]
)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "metrics.m > 0.5",
        "metrics.m = 0.5",
        "NOT metrics.m IN (1, inf)",
        "metrics.m.min < 0.1 AND metrics.n.best > 1",
        "params.p = '5' AND metrics.m > 0.5",
        "params.p IN ('5', '6') OR metrics.m > 0.9",
        "params.p = 5 OR params.q LIKE 'x%'",
        "params.q = 'x' AND tags.t != 'y'",
        "tags.t IS NULL",
        "datasets.name = 'data 3'",
        "datasets.context = 'train'",
        f"parent_run_id = '{7:032x}' OR run_id = 'x'",
        "run_name = 'run-3' AND status != 'FAILED'",
    ],
)
def test_no_table_is_read_from_end_to_end(store: SqlStore, plans: Any, text: str, order_by: list[str] | None) -> None:
    token = store.search_runs(["0"], text, max_results=20, order_by=order_by).token
    for begin in {None, token}:
        assert not [step for step in plans(text, order_by, begin) if step.startswith("SCAN")]


def test_a_metric_is_walked_in_the_order_of_its_index(plans: Any) -> None:
    steps = plans("metrics.n >= 0", ["metrics.m DESC"])
    # The index gives the order of the values, so that only ties are sorted.
    assert any("ix_metrics_value" in step and "COVERING" in step for step in steps)
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_the_newest_runs_come_from_an_index_alone(plans: Any) -> None:
    steps = plans("", None)
    assert any("COVERING INDEX ix_runs_newest" in step for step in steps)
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("metrics.m >= 0.9", 40),
        ("metrics.m >= 0.9 AND params.p = '5'", 4),
        ("metrics.m >= 0.9 AND tags.t = 'a'", 40),
        ("metrics.m >= 0.99 OR params.p = 1e9", 4),
        ("metrics.m >= 0.99 OR tags.t = 'a'", None),
        ("metrics.m >= 0 AND params.q = 'x'", None),
        ("NOT metrics.m >= 0.9", None),
        ("metrics.m.min >= 0.9", None),
        ("params.p = 'x' AND metrics.m >= 0", None),
        ("params.p != '5'", None),
        ("datasets.name = 'data 3'", 5),
    ],
)
def test_candidates(store: SqlStore, text: str, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_finding, "_FEW", 50)
    node = parse(text, RUNS)
    assert node is not None
    with store.database.read() as connection:
        found = Candidates(connection, (0,)).of(node)
    assert (None if found is None else len(found)) == count


def test_not_more_conditions_are_asked_than_pays(store: SqlStore) -> None:
    node = parse(" AND ".join(["metrics.m = 0.5"] * 100), RUNS)
    assert node is not None
    statements: list[str] = []
    with store.database.read() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        driver.set_trace_callback(statements.append)
        assert Candidates(connection, (0,)).of(node) is not None
        driver.set_trace_callback(None)
    assert len(statements) <= 8


def test_pages_end_between_equal_and_special_values(tmp_path: Path) -> None:
    """Infinities, the largest floats, and values that are often the same, over the ends of pages."""
    store = open_store(tmp_path / "tracking")
    values = [
        float("inf"),
        1.7976931348623157e308,
        1.0,
        0.0,
        -0.0,
        -1.7976931348623157e308,
        float("-inf"),
        float("nan"),
    ]
    store.create_runs([draft(n, metrics=[Metric("m", values[n % 8], START)] if n % 9 else []) for n in range(72)])
    for order_by in (["metrics.m DESC"], ["metrics.m ASC"]):
        whole = [run.info.run_id for run in store.search_runs(["0"], order_by=order_by)]
        found: list[str] = []
        token = None
        while len(found) < 72:
            page = store.search_runs(["0"], max_results=5, order_by=order_by, page_token=token)
            found += [run.info.run_id for run in page]
            token = page.token
        assert found == whole
    store.close()
