"""Filters and orderings run on every database, against the same questions asked in plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from fitbook.store import _tables as t
from fitbook.store._engines import make_engine
from fitbook.store._filter import (
    EXPERIMENTS,
    MAX_ORDERS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Entity,
    parse,
    parse_order,
)
from fitbook.store._filter_dialects import register_functions
from fitbook.store._filter_order import Ordering
from fitbook.store._filter_sql import where
from fitbook.testing.questions import ORDERINGS, QUESTIONS, RECORDS, Clause, Question, Record, fill, sort


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    sa.event.listen(engine, "connect", lambda connection, _: register_functions(connection))
    t.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    with request.getfixturevalue(f"{request.param}_server").database() as url:
        engine = make_engine(sa.make_url(url))
        t.metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An empty database of each kind; nothing that a test writes is committed."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    engine = make_engine(sa.make_url(request.getfixturevalue(request.param)))
    t.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _found(connection: sa.Connection, text: str) -> set[str]:
    node = parse(text, RUNS)
    assert node is not None
    return set(connection.scalars(sa.select(t.runs.c.run_id).where(where(node, RUNS))))


@settings(max_examples=300, deadline=None)
@given(records=RECORDS, questions=QUESTIONS)
def test_filters_find_what_python_finds(sqlite: sa.Engine, records: list[Record], questions: list[Question]) -> None:
    _compare(sqlite, records, questions)


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, questions=QUESTIONS)
def test_filters_find_it_on_servers_too(server: sa.Engine, records: list[Record], questions: list[Question]) -> None:
    _compare(server, records, questions)


def _compare(engine: sa.Engine, records: list[Record], questions: list[Question]) -> None:
    with engine.connect() as connection:
        fill(connection, records)
        for question in questions:
            expected = {record.run_id for record in records if question.admits(record)}
            assert _found(connection, question.text) == expected, question.text
            rest = {record.run_id for record in records} - expected
            assert _found(connection, f"NOT ({question.text})") == rest, question.text


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, clauses=ORDERINGS)
def test_orderings_are_those_of_python(sqlite: sa.Engine, records: list[Record], clauses: list[Clause]) -> None:
    _compare_order(sqlite, records, clauses)


@settings(max_examples=40, deadline=None)
@given(records=RECORDS, clauses=ORDERINGS)
def test_orderings_are_those_of_python_on_servers_too(
    server: sa.Engine, records: list[Record], clauses: list[Clause]
) -> None:
    _compare_order(server, records, clauses)


def _compare_order(engine: sa.Engine, records: list[Record], clauses: list[Clause]) -> None:
    orders = parse_order([str(clause) for clause in clauses], RUNS)
    # A field that comes twice counts where it comes first.
    with engine.connect() as connection:
        fill(connection, records)
        found = list(connection.scalars(Ordering(orders, RUNS).apply(sa.select(t.runs.c.run_id))))
    assert found == [record.run_id for record in sort(records, clauses)]


def test_a_selection_that_joins_can_be_filtered_and_ordered(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        fill(connection, [Record("a", "x", 1, None, tags={"a": "1"}), Record("b", "x", 2, None)])
        node = parse("artifact_uri LIKE 's3://%' OR tags.a = '1' OR status = 'x'", RUNS)
        assert node is not None
        joined = sa.select(t.runs.c.run_id, t.experiments.c.name).join(
            t.experiments, t.experiments.c.id == t.runs.c.experiment
        )
        orders = parse_order(["tags.a", "artifact_uri"], RUNS)
        rows = connection.execute(Ordering(orders, RUNS).apply(joined.where(where(node, RUNS)))).all()
    assert rows == [("a", "two"), ("b", "one")]


# -- what the runs above don't show ----------------------------------------------------------------------------------


def test_artifact_uris(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        fill(connection, [Record("r1", "x", 1, None), Record("r2", "x", 2, None)])
        for text, expected in (("s3://b/r1/artifacts", "r1"), ("/root/1/r2/artifacts", "r2")):
            node = parse(f"artifact_uri = '{text}'", RUNS)
            assert node is not None
            condition = where(node, RUNS, artifact_root="/root")
            assert list(connection.scalars(sa.select(t.runs.c.run_id).where(condition))) == [expected]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 10**30, 1.5, 1e308])
def test_numbers_of_any_size(engine: sa.Engine, number: float) -> None:
    with engine.connect() as connection:
        fill(connection, [Record("a", "x", 5, None, {"a": (5.0,)}, {"a": "5"})])
        for name in ("start_time", "metrics.a", "params.a", "experiment_id"):
            assert _found(connection, f"{name} < {number}") == ({"a"} if number > 5 else set())


def test_whole_numbers_of_64_bits_are_exact(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        fill(connection, [Record("a", "x", 2**62 + 1, None)])
        assert _found(connection, f"start_time = {2**62 + 1}") == {"a"}
        assert _found(connection, f"start_time = {2**62}") == set()


def _rows(connection: sa.Connection, entity: Entity, text: str, orders: Sequence[str] = ()) -> list[Any]:
    label = {
        "experiment": t.experiments.c.name,
        "registered model": t.registered_models.c.name,
        "model version": t.model_versions.c.version,
    }[entity.name]
    node = parse(text, entity)
    selection = sa.select(label) if node is None else sa.select(label).where(where(node, entity))
    return list(connection.scalars(Ordering(parse_order(orders, entity), entity).apply(selection)))


def test_experiments(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        fill(connection, [])
        connection.execute(t.experiment_tags.insert(), [{"experiment": 2, "key": "k", "value": "v"}])
        for text, expected in (
            ("name LIKE 't%'", ["two"]),
            ("tags.k = 'v'", ["two"]),
            ("NOT tags.k = 'v'", ["one"]),
            ("experiment_id IN ('1', '5')", ["one"]),
            ("creation_time < 1", ["one", "two"]),
        ):
            assert sorted(_rows(connection, EXPERIMENTS, text)) == expected
        assert _rows(connection, EXPERIMENTS, "", ["creation_time"]) == ["two", "one"]
        assert _rows(connection, EXPERIMENTS, "", ["tags.k DESC"]) == ["two", "one"]
        assert _rows(connection, EXPERIMENTS, "", ["experiment_id"]) == ["one", "two"]


def test_models_and_versions(engine: sa.Engine) -> None:
    times = {"creation_timestamp": 1, "last_updated_timestamp": 2}
    common = {"stage": "None", "description": "", "source": "runs:/x", "run_id": "", "status": "READY", **times}
    with engine.connect() as connection:
        connection.execute(
            t.registered_models.insert(),
            [{"id": i, "name": n, "description": "", **times} for i, n in ((1, "b"), (2, "a"))],
        )
        connection.execute(t.registered_model_tags.insert(), [{"model": 1, "key": "k", "value": "v"}])
        rows = [{"id": i, "model": m, "version": v, **common} for i, m, v in ((1, 1, 1), (2, 1, 2), (3, 2, 3))]
        connection.execute(t.model_versions.insert(), rows)
        connection.execute(t.model_version_tags.insert(), [{"version": 2, "key": "k", "value": "v"}])
        assert _rows(connection, REGISTERED_MODELS, "tags.k = 'v' AND last_updated_timestamp = 2") == ["b"]
        assert _rows(connection, REGISTERED_MODELS, "", ["timestamp DESC"]) == ["a", "b"]
        assert _rows(connection, MODEL_VERSIONS, "name = 'b' AND version_number > 1 AND tags.k = 'v'") == [2]
        assert _rows(connection, MODEL_VERSIONS, "source_path LIKE 'runs:%' AND stage = 'None'", ["name"]) == [3, 2, 1]
        assert _rows(connection, MODEL_VERSIONS, "NOT tags.k = 'v'", ["version DESC"]) == [3, 1]


# -- limits and plans ------------------------------------------------------------------------------------------------


def _chain(levels: int, inner: str) -> str:
    text = inner
    for i in range(levels // 2):
        text = f"metrics.m{i} > 1 OR NOT params.p{i} = '5' AND ({text})"
    return text


DEEP = _chain(94, "status = 'x'")
LEFT, RIGHT = "tags.a LIKE 'x' OR datasets.name = 'y'", "end_time > 0 AND tags.b RLIKE 'z'"
FORKED = f"({_chain(60, LEFT)}) AND ({_chain(60, RIGHT)})"


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        f"NOT ({DEEP})",
        FORKED,
        " OR ".join(f"metrics.m{i} IN (inf, -inf, {i})" for i in range(500)),
        " AND ".join(f"datasets.name != 'x{i}'" for i in range(500)),
        f"params.a IN ({','.join(map(str, range(10_000)))})",
        f"status LIKE '{'ä*' * 5_000}'",
    ],
    ids=["deep", "not deep", "forked", "wide", "wide datasets", "many values", "long pattern"],
)
def test_whatever_is_read_can_be_run(sqlite: sa.Engine, text: str) -> None:
    with sqlite.connect() as connection:
        fill(connection, [Record("a", "x", 1, None)])
        _found(connection, text)
        clauses = [f"metrics.m{i}" for i in range(MAX_ORDERS)]
        list(connection.scalars(Ordering(parse_order(clauses, RUNS), RUNS).apply(sa.select(t.runs.c.run_id))))


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a > 0.5",
        "metrics.a = 0.5",
        "NOT metrics.a IN (1, inf)",
        "params.a = '5'",
        "params.a = 5 OR params.b LIKE 'x%'",
        "params.a = 'x' AND tags.b != 'y'",
        "tags.a IS NULL",
        "datasets.name = 'iris'",
        "run_id = 'x'",
    ],
)
def test_no_table_is_read_from_end_to_end(sqlite: sa.Engine, text: str) -> None:
    node = parse(text, RUNS)
    assert node is not None
    newest = sa.select(t.runs.c.id).where(
        t.runs.c.experiment == 1, t.runs.c.lifecycle_stage == "active", where(node, RUNS)
    )
    selection = Ordering(parse_order(["metrics.a DESC"], RUNS), RUNS).apply(newest).limit(100)
    sql = selection.compile(sqlite, compile_kwargs={"literal_binds": True})
    with sqlite.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert not [step for step in steps if step.startswith("SCAN")], steps
