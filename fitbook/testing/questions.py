"""Random runs, filters and orderings, and what the filters and orderings mean in plain Python.

For tests that compare a database's answers with Python's: `fill` writes records into the tables, `QUESTIONS` are filters
with the Python function that answers them, and `sort` orders records as an ordering does.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st

from fitbook.store import _tables as t

LARGEST = sys.float_info.max
METRICS = (0.0, -0.0, 1.0, 1.5, -2.0, 1e300, LARGEST, -LARGEST, math.inf, -math.inf, math.nan)
TEXTS: tuple[str, ...] = (
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
KEYS = ("a", "b", "a b", "x.y/z-1", "a loss")
TIMES = (1, 2, 3, 2**40)
STATUSES = ("RUNNING", "FINISHED", "FAILED")
DATASETS = ("iris", "Iris", "wine")
CONTEXTS: tuple[str | None, ...] = ("train", "eval", None)
PARENTS = ("p1", "p2", "P1")
PARTS = ("", ".latest", ".min", ".max", ".best")


@dataclass
class Record:
    """A run as a test knows it; a metric is the history of its values."""

    run_id: str
    status: str
    start_time: int
    end_time: int | None
    metrics: dict[str, tuple[float, ...]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str | None]] = field(default_factory=list)
    parent_run_id: str | None = None


@dataclass(frozen=True)
class Question:
    """A filter, and what it asks in Python."""

    text: str
    admits: Callable[[Record], bool]


@dataclass(frozen=True)
class Clause:
    """A term of an ordering: prefix, key and part of a metric; and the direction."""

    field: tuple[str, str, str]
    direction: str

    def __str__(self) -> str:
        kind, key, part = self.field
        return f"{kind}.`{key}`{part} {self.direction}"


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


def _bounds(values: Sequence[float]) -> list[float]:
    # An infinity counts as the largest float.
    return [max(-LARGEST, min(value, LARGEST)) for value in values if not math.isnan(value)]


def _metric_row(values: Sequence[float]) -> dict[str, Any]:
    value, special = _kept(values[-1])
    bounds = _bounds(values)
    lowest, highest = min(bounds, default=None), max(bounds, default=None)
    return {"value": value, "special": special, "step": 0, "timestamp": 0, "lowest": lowest, "highest": highest}


def fill(connection: sa.Connection, records: Sequence[Record]) -> None:
    """Write runs, numbered from 1, in two experiments of which the second keeps its files in ``s3://b``."""

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
        own = ("run_id", "status", "start_time", "end_time", "parent_run_id")
        row = {key: getattr(record, key) for key in own}
        insert(t.runs, [{"id": i, "experiment": 1 + i % 2, "name": f"run {i}", "user_id": "", **stage, **row}])
        insert(t.metrics, [{"run": i, "key": key, **_metric_row(values)} for key, values in record.metrics.items()])
        insert(t.params, [{"run": i, "key": k, "value": v, "number": _number(v)} for k, v in record.params.items()])
        insert(t.tags, [{"run": i, "key": k, "value": v} for k, v in record.tags.items()])
        insert(
            t.run_datasets,
            [
                {"run": i, "dataset": names.index(name), "tags": json.dumps({"mlflow.data.context": c} if c else {})}
                for name, c in record.datasets
            ],
        )


def _keyed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=3)


RECORDS = st.lists(
    st.builds(
        Record,
        run_id=st.uuids().map(lambda u: u.hex),
        status=st.sampled_from(STATUSES),
        start_time=st.sampled_from(TIMES),
        end_time=st.none() | st.sampled_from(TIMES),
        metrics=_keyed(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3).map(tuple)),
        params=_keyed(st.sampled_from(TEXTS)),
        tags=_keyed(st.sampled_from(TEXTS)),
        parent_run_id=st.none() | st.sampled_from(PARENTS),
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
    first: Any = operands[0] if operands else None
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


def _bound(key: str, part: str) -> Any:
    return min if part == ".min" or (part == ".best" and "loss" in key) else max


def _bound_asked(bound: Any, op: str, operands: list[Any], values: Sequence[float]) -> bool:
    return _asked(op, _bounds(operands), [bound(known)] if (known := _bounds(values)) else [])


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
BOUND_NUMBERS = _operators([value for value in METRICS if not math.isnan(value)])
WORDS = st.one_of(
    _operators(TEXTS),
    st.tuples(st.sampled_from(MATCHES), st.sampled_from(PATTERNS).map(lambda p: [p])),
    st.tuples(st.sampled_from(("RLIKE", "NOT RLIKE")), st.sampled_from(REGEXES).map(lambda p: [p])),
)


KINDS = (
    "metrics",
    "metrics",
    "params",
    "params",
    "tags",
    "status",
    "start_time",
    "end_time",
    "parent_run_id",
    "datasets",
)


@st.composite
def _metric_conditions(draw: st.DrawFn) -> Question:
    key, part = draw(st.sampled_from(KEYS)), draw(st.sampled_from(PARTS))
    name = f'metrics."{key}"{part}'
    if part in ("", ".latest"):
        op, operands = draw(METRIC_NUMBERS)
        return Question(
            _written(name, op, operands), lambda r: _metric_asked(op, operands, r.metrics.get(key, ())[-1:])
        )
    op, operands = draw(BOUND_NUMBERS)
    return Question(
        _written(name, op, operands), lambda r: _bound_asked(_bound(key, part), op, operands, r.metrics.get(key, ()))
    )


@st.composite
def _conditions(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from(KINDS))
    if kind == "metrics":
        return draw(_metric_conditions())
    if kind in ("params", "tags"):
        key = draw(st.sampled_from(KEYS))
        op, operands = draw({"params": NUMBERS | WORDS, "tags": WORDS}[kind])
        asked = {"params": _param_asked, "tags": _asked}[kind]
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
    op, operands = draw(_operators({"status": STATUSES, "parent_run_id": PARENTS}.get(kind, [*TIMES, 1.5])))
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


QUESTIONS = st.lists(st.recursive(_conditions(), _joined, max_leaves=8), min_size=1, max_size=5)


# -- orderings ------------------------------------------------------------------------------------------------------


def _sort_key(clause: tuple[str, str, str]) -> tuple[Callable[[Record], int], Callable[[Record], Any]]:
    """The class that a run is in, and what it is ordered by within."""
    kind, key, part = clause
    if kind == "attributes":
        return lambda r: getattr(r, key) is None, lambda r: getattr(r, key) or ("" if key == "parent_run_id" else 0)
    if kind == "metrics" and part in ("", ".latest"):
        return (
            lambda r: 2 if key not in r.metrics else math.isnan(r.metrics[key][-1]),
            lambda r: 0.0 if math.isnan(value := r.metrics.get(key, (math.nan,))[-1]) else value,
        )
    if kind == "metrics":
        bound = _bound(key, part)
        return (
            lambda r: not _bounds(r.metrics.get(key, ())),
            lambda r: bound(_bounds(r.metrics.get(key, ())), default=0.0),
        )
    if kind == "params":
        return (
            lambda r: 2 if key not in r.params else _number(r.params[key]) is None,
            lambda r: (_number(r.params.get(key, "")) or 0.0, r.params.get(key, "")),
        )
    return lambda r: key not in r.tags, lambda r: r.tags.get(key, "")


ORDERINGS = st.lists(
    st.tuples(
        st.tuples(st.just("metrics"), st.sampled_from(KEYS), st.sampled_from(PARTS))
        | st.tuples(st.sampled_from(("params", "tags")), st.sampled_from(KEYS), st.just(""))
        | st.tuples(
            st.just("attributes"),
            st.sampled_from(("start_time", "end_time", "status", "run_id", "parent_run_id")),
            st.just(""),
        ),
        st.sampled_from(("ASC", "desc", "")),
    ).map(lambda clause: Clause(*clause)),
    min_size=1,
    max_size=4,
)


def sort(records: Sequence[Record], clauses: Sequence[Clause]) -> list[Record]:
    """Order records as a search does that is ordered by these clauses."""
    ordered = sorted(records, key=lambda r: (-r.start_time, r.run_id))
    for clause in reversed(clauses):
        kind, value = _sort_key(clause.field)
        ordered.sort(key=value, reverse=clause.direction == "desc")
        ordered.sort(key=kind)
    return ordered
