"""Filters and orderings run on every database, against the same questions asked in plain Python."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

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
from fitbook.store._filter_order import order
from fitbook.store._filter_sql import where

LARGEST = sys.float_info.max
METRICS = (0.0, -0.0, 1.0, 1.5, -2.0, 1e300, LARGEST, -LARGEST, math.inf, -math.inf, math.nan)
TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "aB",
    "äß",
    "Äß",
    "1",
    "1.0",
    "1e0",
    " 1",
    "-2",
    "10",
    "nan",
    "inf",
    "a%b",
    "a_b",
    "a*b",
    "[a]",
    "a?",
)
TEXTS += ("it's", 'say "hi"', "a\nb", "\\", "True", "x" * 300)
PATTERNS = ("%", "a%", "%B", "_", "a_", "%ä%", "%*%", "[a]", "a?", "\\", "%'%", "1%", "", "%a%b%")
REGEXES = ("a", "^a", "b$", "^$", "[0-9]+", "(?i)AB", "'", "\\.")
KEYS = ("a", "b", "a b", "x.y/z-1")
TIMES = (1, 2, 3, 2**40)
STATUSES = ("RUNNING", "FINISHED", "FAILED")
DATASETS = ("iris", "Iris", "wine")
CONTEXTS = ("train", "eval", None)


@dataclass
class Record:
    """A run as a test knows it."""

    run_id: str
    status: str
    start_time: int
    end_time: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """A filter, and what it asks in Python."""

    text: str
    admits: Callable[[Record], bool]


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


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _kept(value: float) -> tuple[float, int]:
    if math.isnan(value):
        return 0.0, 1
    if math.isinf(value):
        return math.copysign(LARGEST, value), 2 if value > 0 else 3
    return value, 0


def _fill(connection: sa.Connection, records: Sequence[Record]) -> None:
    def insert(table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(table.insert(), rows)

    times = {"creation_time": 0, "last_update_time": 0}
    stage = {"lifecycle_stage": "active"}
    insert(t.experiments, [{"id": 1, "name": "one", "artifact_location": "", **stage, **times}])
    insert(t.experiments, [{"id": 2, "name": "two", "artifact_location": "s3://b", **stage, **times}])
    names = sorted({name for record in records for name, _ in record.datasets})
    common = {"experiment": 1, "source_type": "", "source": ""}
    insert(t.datasets, [{"id": i, "name": name, "digest": name[:2], **common} for i, name in enumerate(names)])
    for i, record in enumerate(records, 1):
        row = {key: getattr(record, key) for key in ("run_id", "status", "start_time", "end_time")}
        insert(t.runs, [{"id": i, "experiment": 1 + i % 2, "name": f"run {i}", "user_id": "", **stage, **row}])
        points = {key: _kept(value) for key, value in record.metrics.items()}
        insert(
            t.metrics,
            [{"run": i, "key": k, "value": v, "special": s, "step": 0, "timestamp": 0} for k, (v, s) in points.items()],
        )
        insert(t.params, [{"run": i, "key": k, "value": v, "number": _number(v)} for k, v in record.params.items()])
        insert(t.tags, [{"run": i, "key": k, "value": v} for k, v in record.tags.items()])
        insert(
            t.run_datasets,
            [
                {"run": i, "dataset": names.index(name), "tags": json.dumps({"mlflow.data.context": c} if c else {})}
                for name, c in record.datasets
            ],
        )


def _found(connection: sa.Connection, text: str) -> set[str]:
    node = parse(text, RUNS)
    assert node is not None
    return set(connection.scalars(sa.select(t.runs.c.run_id).where(where(node, RUNS))))


def keyed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=3)


RECORDS = st.lists(
    st.builds(
        Record,
        run_id=st.uuids().map(lambda u: u.hex),
        status=st.sampled_from(STATUSES),
        start_time=st.sampled_from(TIMES),
        end_time=st.none() | st.sampled_from(TIMES),
        metrics=keyed(st.sampled_from(METRICS)),
        params=keyed(st.sampled_from(TEXTS)),
        tags=keyed(st.sampled_from(TEXTS)),
        datasets=st.lists(
            st.tuples(st.sampled_from(DATASETS), st.sampled_from(CONTEXTS)), max_size=2, unique_by=lambda used: used[0]
        ),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda record: record.run_id,
)


# -- the plain evaluator ---------------------------------------------------------------------------------------------


def _like(value: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), value, re.DOTALL) is not None


def _holds(op: str, value: Any, operands: list[Any]) -> bool:
    first = operands[0] if operands else None
    plain: dict[str, Callable[[], bool]] = {
        "=": lambda: value == first,
        "<": lambda: value < first,
        "<=": lambda: value <= first,
        ">": lambda: value > first,
        ">=": lambda: value >= first,
        "IN": lambda: value in operands,
        "BETWEEN": lambda: operands[0] <= value <= operands[1],
        "LIKE": lambda: _like(value, first),
        "ILIKE": lambda: _like(value.lower(), first.lower()),
        "RLIKE": lambda: re.search(first, value) is not None,
        "IS NOT NULL": lambda: True,
    }
    if op == "!=":
        return not plain["="]()
    if op.startswith("NOT "):
        return not plain[op[4:]]()
    return plain[op]()


def _asked(op: str, operands: list[Any], values: Sequence[Any]) -> bool:
    """Whether one of the values that a run has there (none: no key) answers the condition."""
    if op == "IS NULL":
        return not values
    return any(_holds(op, value, operands) for value in values)


def _metric_asked(op: str, operands: list[Any], values: Sequence[float]) -> bool:
    if operands and math.isnan(operands[0]):
        return any(math.isnan(value) == (op == "=") for value in values)
    return _asked(
        op, operands, values if "NULL" in op or op in ("!=", "NOT IN") else [v for v in values if not math.isnan(v)]
    )


def _param_asked(op: str, operands: list[Any], values: Sequence[str]) -> bool:
    if not operands or isinstance(operands[0], str):
        return _asked(op, operands, values)
    negative = op == "!=" or op.startswith("NOT ")
    return any(negative if (n := _number(v)) is None else _holds(op, n, operands) for v in values)


# -- questions -------------------------------------------------------------------------------------------------------

ORDERED = ("=", "!=", "<", "<=", ">", ">=")
MATCHES = ("LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE")


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _written(name: str, op: str, operands: list[Any]) -> str:
    literals = [_literal(value) for value in operands]
    if op.endswith("IN"):
        return f"{name} {op} ({', '.join(literals)})"
    return " ".join([name, op, " AND ".join(literals)])


def _operators(values: Sequence[Any]) -> st.SearchStrategy[tuple[str, list[Any]]]:
    value = st.sampled_from(values)
    return st.one_of(
        st.tuples(st.sampled_from(ORDERED), st.lists(value, min_size=1, max_size=1)),
        st.tuples(st.sampled_from(("IN", "NOT IN")), st.lists(value, min_size=1, max_size=4)),
        st.tuples(st.sampled_from(("BETWEEN", "NOT BETWEEN")), st.lists(value, min_size=2, max_size=2)),
        st.tuples(st.sampled_from(("IS NULL", "IS NOT NULL")), st.just([])),
    )


NUMBERS = _operators([value for value in METRICS if math.isfinite(value)] + [2, 10])
METRIC_NUMBERS = _operators([value for value in METRICS if not math.isnan(value)]) | st.tuples(
    st.sampled_from(("=", "!=")), st.just([math.nan])
)
WORDS = st.one_of(
    _operators(TEXTS),
    st.tuples(st.sampled_from(MATCHES), st.sampled_from(PATTERNS).map(lambda p: [p])),
    st.tuples(st.sampled_from(("RLIKE", "NOT RLIKE")), st.sampled_from(REGEXES).map(lambda p: [p])),
)


@st.composite
def conditions(draw: st.DrawFn) -> Question:
    kind = draw(
        st.sampled_from(("metrics", "params", "params", "tags", "status", "start_time", "end_time", "datasets"))
    )
    if kind in ("metrics", "params", "tags"):
        key = draw(st.sampled_from(KEYS))
        op, operands = draw({"metrics": METRIC_NUMBERS, "params": NUMBERS | WORDS, "tags": WORDS}[kind])
        asked = {"metrics": _metric_asked, "params": _param_asked, "tags": _asked}[kind]
        name = f"{kind}.{draw(st.sampled_from(('`', chr(34)))).join(('', key, ''))}"
        return Question(
            _written(name, op, operands),
            lambda r: asked(op, operands, [getattr(r, kind)[key]] if key in getattr(r, kind) else []),
        )
    if kind == "datasets":
        op, operands = draw(_operators([*DATASETS, "train", "eval"]))
        place = draw(st.sampled_from((0, 1)))
        return Question(
            _written(("datasets.name", "dataset.context")[place], op, operands),
            lambda r: _asked(op, operands, [used[place] for used in r.datasets if used[place] is not None]),
        )
    op, operands = draw(_operators(STATUSES) if kind == "status" else _operators([*TIMES, 1.5]))
    return Question(
        _written(kind, op, operands), lambda r: _asked(op, operands, [v] if (v := getattr(r, kind)) is not None else [])
    )


def _joined(children: st.SearchStrategy[Question]) -> st.SearchStrategy[Question]:
    parts = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        parts.map(
            lambda ps: Question("(" + " AND ".join(p.text for p in ps) + ")", lambda r: all(p.admits(r) for p in ps))
        ),
        parts.map(
            lambda ps: Question("(" + " or ".join(p.text for p in ps) + ")", lambda r: any(p.admits(r) for p in ps))
        ),
        children.map(lambda p: Question(f"NOT {p.text}", lambda r: not p.admits(r))),
    )


QUESTIONS = st.lists(st.recursive(conditions(), _joined, max_leaves=8), min_size=1, max_size=5)


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
        _fill(connection, records)
        for question in questions:
            expected = {record.run_id for record in records if question.admits(record)}
            assert _found(connection, question.text) == expected, question.text
            rest = {record.run_id for record in records} - expected
            assert _found(connection, f"NOT ({question.text})") == rest, question.text


# -- orderings -------------------------------------------------------------------------------------------------------


def _sort_key(clause: tuple[str, str]) -> tuple[Callable[[Record], int], Callable[[Record], Any]]:
    """The class that a run is in, and what it is ordered by within."""
    kind, key = clause
    if kind == "attributes":
        return lambda r: getattr(r, key) is None, lambda r: getattr(r, key) or 0
    if kind == "metrics":
        return (
            lambda r: 2 if key not in r.metrics else math.isnan(r.metrics[key]),
            lambda r: 0.0 if math.isnan(value := r.metrics.get(key, math.nan)) else value,
        )
    if kind == "params":
        return (
            lambda r: 2 if key not in r.params else _number(r.params[key]) is None,
            lambda r: (_number(r.params.get(key, "")) or 0.0, r.params.get(key, "")),
        )
    return lambda r: key not in r.tags, lambda r: r.tags.get(key, "")


CLAUSES = st.tuples(
    st.tuples(st.sampled_from(("metrics", "params", "tags")), st.sampled_from(KEYS))
    | st.tuples(st.just("attributes"), st.sampled_from(("start_time", "end_time", "status", "run_id"))),
    st.sampled_from(("ASC", "desc", "")),
)


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, clauses=st.lists(CLAUSES, min_size=1, max_size=4))
def test_orderings_are_those_of_python(
    sqlite: sa.Engine, records: list[Record], clauses: list[tuple[tuple[str, str], str]]
) -> None:
    _compare_order(sqlite, records, clauses)


@settings(max_examples=40, deadline=None)
@given(records=RECORDS, clauses=st.lists(CLAUSES, min_size=1, max_size=4))
def test_orderings_are_those_of_python_on_servers_too(
    server: sa.Engine, records: list[Record], clauses: list[tuple[tuple[str, str], str]]
) -> None:
    _compare_order(server, records, clauses)


def _compare_order(engine: sa.Engine, records: list[Record], clauses: list[tuple[tuple[str, str], str]]) -> None:
    expected = sorted(records, key=lambda r: (-r.start_time, r.run_id))
    for clause, direction in reversed(clauses):
        kind, value = _sort_key(clause)
        expected.sort(key=value, reverse=direction == "desc")
        expected.sort(key=kind)
    orders = parse_order([f"{kind}.`{key}` {direction}" for (kind, key), direction in clauses], RUNS)
    # A field that comes twice counts where it comes first.
    with engine.connect() as connection:
        _fill(connection, records)
        found = list(connection.scalars(order(sa.select(t.runs.c.run_id), orders, RUNS)))
    assert found == [record.run_id for record in expected]


def test_without_orders_a_selection_stays_as_it_is() -> None:
    selection = sa.select(t.runs.c.id)
    assert order(selection, [], RUNS) is selection


def test_a_selection_that_joins_can_be_filtered_and_ordered(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        _fill(connection, [Record("a", "x", 1, None, tags={"a": "1"}), Record("b", "x", 2, None)])
        node = parse("artifact_uri LIKE 's3://%' OR tags.a = '1' OR status = 'x'", RUNS)
        assert node is not None
        joined = sa.select(t.runs.c.run_id, t.experiments.c.name).join(
            t.experiments, t.experiments.c.id == t.runs.c.experiment
        )
        orders = parse_order(["tags.a", "artifact_uri"], RUNS)
        rows = connection.execute(order(joined.where(where(node, RUNS)), orders, RUNS)).all()
    assert rows == [("a", "two"), ("b", "one")]


# -- what the runs above don't show ----------------------------------------------------------------------------------


def test_artifact_uris(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        _fill(connection, [Record("r1", "x", 1, None), Record("r2", "x", 2, None)])
        for text, expected in (("s3://b/r1/artifacts", "r1"), ("/root/1/r2/artifacts", "r2")):
            node = parse(f"artifact_uri = '{text}'", RUNS)
            assert node is not None
            condition = where(node, RUNS, artifact_root="/root")
            assert list(connection.scalars(sa.select(t.runs.c.run_id).where(condition))) == [expected]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 10**30, 1.5, 1e308])
def test_numbers_of_any_size(engine: sa.Engine, number: float) -> None:
    with engine.connect() as connection:
        _fill(connection, [Record("a", "x", 5, None, {"a": 5.0}, {"a": "5"})])
        for name in ("start_time", "metrics.a", "params.a", "experiment_id"):
            assert _found(connection, f"{name} < {number}") == ({"a"} if number > 5 else set())


def test_whole_numbers_of_64_bits_are_exact(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        _fill(connection, [Record("a", "x", 2**62 + 1, None)])
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
    return list(connection.scalars(order(selection, parse_order(orders, entity), entity)))


def test_experiments(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        _fill(connection, [])
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
        _fill(connection, [Record("a", "x", 1, None)])
        _found(connection, text)
        clauses = [f"metrics.m{i}" for i in range(MAX_ORDERS)]
        list(connection.scalars(order(sa.select(t.runs.c.run_id), parse_order(clauses, RUNS), RUNS)))


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
    selection = order(newest, parse_order(["metrics.a DESC"], RUNS), RUNS).limit(100)
    sql = selection.compile(sqlite, compile_kwargs={"literal_binds": True})
    with sqlite.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert not [step for step in steps if step.startswith("SCAN")], steps
