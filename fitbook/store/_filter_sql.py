"""Filter trees to SQLAlchemy, for SQLite, PostgreSQL and MySQL.

A condition on a key is an EXISTS: looking a key up for each run by the primary key costs SQLite half a microsecond, and
stops when the page is full. Collecting runs from an index first is better only where it leads to few of them, which
`by_index` is for.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from fitbook.store import _tables as t
from fitbook.store._filter import And, Compare, Entity, Node
from fitbook.store._filter_dialects import ilike, json_text, like, matches
from fitbook.store._filter_targets import Target, target_of

Condition = sa.ColumnElement[bool]

_DATASET_CONTEXT = "mlflow.data.context"
# How metrics keep what is no ordinary number: see _tables.
_LARGEST = sys.float_info.max
NAN, _PLUS_INFINITY, _MINUS_INFINITY, _MINUS_ZERO = 1, 2, 3, 4
# The columns with the bounds of a metric.
BOUNDS: Mapping[str, str] = {"min": "lowest", "max": "highest"}
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_PATTERNS: Mapping[str, Callable[[Any, str], Condition]] = {"LIKE": like, "ILIKE": ilike, "RLIKE": matches}


def where(node: Node, entity: Entity, *, artifact_root: str = "") -> Condition:
    """Make the condition that a filter puts on the rows of the entity's table.

    Parameters
    ----------
    node : Node
        What `fitbook.store._filter.parse` returned.
    entity : Entity
        What it was parsed for. The condition is on ``runs``, ``experiments``, ``registered_models`` or
        ``model_versions``, which must be in the FROM clause of the statement that uses it.
    artifact_root : str
        Where the artifacts of experiments without a location of their own are; for ``artifact_uri``.

    Returns
    -------
    sqlalchemy.ColumnElement
        The condition, for `sqlalchemy.Select.where`.
    """
    return _condition(node, target_of(entity, artifact_root))[0]


def by_index(node: Compare, experiments: Sequence[int]) -> sa.Select[Any] | None:
    """Ask for the numbers of the runs that satisfy a condition, where an index may lead to them; None without one.

    There may also be runs of other experiments among them.
    """
    field, op, values = node.field, node.op, node.values
    if node.complement or op == "!=" or op.startswith(("NOT ", "IS ")) or "LIKE" in op:
        return None
    if field.kind == "metric" and field.part == "latest":
        return sa.select(t.metrics.c.run).where(t.metrics.c.key == field.key, metric(node, t.metrics))
    if field.kind == "param" and (not isinstance(values[0], str) or None not in map(_reads_as, map(str, values))):
        return sa.select(t.params.c.run).where(t.params.c.key == field.key, _param(op, values))
    if field.kind == "attribute" and field.key in ("run_id", "parent_run_id"):
        return sa.select(t.runs.c.id).where(_compared(t.runs.c[field.key], op, values))
    if field.kind == "dataset" and field.key != "context":
        used = sa.select(t.run_datasets.c.run).join(t.datasets, t.datasets.c.id == t.run_datasets.c.dataset)
        return used.where(t.datasets.c.experiment.in_(experiments), _compared(t.datasets.c[field.key], op, values))
    return None


def _condition(node: Node, target: Target) -> tuple[Condition, int]:
    """Make the condition of a node; return it and the node's height."""
    if isinstance(node, Compare):
        holds = _leaf(node, target)
        return (sa.not_(holds) if node.complement else holds), 0
    parts = [_condition(part, target) for part in node.parts]
    # SQLite's parser has a small stack: what is nested deepest goes first, where it needs the least of it.
    parts.sort(key=lambda part: -part[1])
    combine = sa.and_ if isinstance(node, And) else sa.or_
    return combine(*(part for part, _ in parts)), parts[0][1] + 1


def _leaf(node: Compare, target: Target) -> Condition:
    field, op, values = node.field, node.op, node.values
    if field.kind == "attribute":
        column = target.attributes[field.key]
        if values and not isinstance(values[0], str):
            # PostgreSQL takes operands as what the column is: fractions and more than 32 bits have to be allowed.
            whole = all(isinstance(value, int) for value in values)
            column = sa.type_coerce(column, sa.BigInteger() if whole else sa.Float(53))
            # One whole number among them would be taken for what all are.
            values = values if whole else tuple(map(float, values))
        holds = _compared(column, op, values)
        return sa.and_(column.is_not(None), holds) if _may_be_null(target.attributes[field.key]) else holds
    if field.kind == "dataset":
        used = sa.exists().where(t.run_datasets.c.run == target.key, t.run_datasets.c.dataset == t.datasets.c.id)
        return used.where(_compared(_dataset_column(field.key), op, values))
    table = target.table(field.kind)
    return sa.exists().where(target.row(table, field.key), _content(node, table))


def _may_be_null(column: Any) -> bool:
    return isinstance(column, sa.Column) and bool(column.nullable)


def _dataset_column(key: str) -> Any:
    if key == "context":
        return json_text(t.run_datasets.c.tags, _DATASET_CONTEXT)
    return t.datasets.c[key]


def _compared(column: Any, op: str, values: Sequence[str | float]) -> Condition:
    """Compare a column that is not NULL; the operands have its type."""
    if op == "IS NOT NULL":
        return column.is_not(None)  # type: ignore[no-any-return]
    if op == "!=" or op.startswith("NOT "):
        return sa.not_(_compared(column, "=" if op == "!=" else op[4:], values))
    if op == "IN":
        return column.in_(values)  # type: ignore[no-any-return]
    if op == "BETWEEN":
        return column.between(*values)  # type: ignore[no-any-return]
    if op in _PATTERNS:
        return _PATTERNS[op](column, str(values[0]))
    return _OPERATORS[op](column, values[0])  # type: ignore[no-any-return]


def _content(node: Compare, table: Any) -> Condition:
    """The condition on the row that holds the key."""
    field, op, values = node.field, node.op, node.values
    if field.kind == "metric":
        return metric(node, table)
    return _param(op, values) if field.kind == "param" else _compared(table.c.value, op, values)


def _param(op: str, values: Sequence[Any]) -> Condition:
    """Compare a param with numbers as a number, with text as text."""
    number, text = t.params.c.number, t.params.c.value
    if not values or isinstance(values[0], str):
        holds = _compared(text, op, values)
        numbers = [_reads_as(value) for value in values] if op in ("=", "IN") else [None]
        # The same text is the same number, and numbers have an index.
        return holds if None in numbers else sa.and_(number.in_(numbers), holds)
    holds = _compared(number, op, [float(value) for value in values])
    if op == "!=" or op.startswith("NOT "):
        # A text is not equal to any number.
        holds = sa.or_(number.is_(None), holds)
    return holds


def _reads_as(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def metric(node: Compare, table: Any) -> Condition:
    """Make the condition that a row of the metrics, or of an alias of theirs, satisfies a comparison."""
    c, op, numbers = table.c, node.op, [float(value) for value in node.values]
    if node.field.part != "latest":
        # An infinity is kept as the largest float here.
        bound = BOUNDS[node.field.part]
        return _compared(c[bound], op, [max(-_LARGEST, min(number, _LARGEST)) for number in numbers])
    if op == "IS NOT NULL":
        return sa.true()
    if op in ("=", "IN"):
        return sa.or_(*_equal(c, numbers))
    if op in ("!=", "NOT IN"):
        return sa.not_(sa.or_(*_equal(c, numbers)))
    if op.endswith("BETWEEN"):
        between = sa.and_(_ordered(c, ">=", numbers[0]), _ordered(c, "<=", numbers[1]))
        return sa.and_(c.special != NAN, between if op == "BETWEEN" else sa.not_(between))
    return sa.and_(c.special != NAN, _ordered(c, op, numbers[0]))


def _equal(c: Any, numbers: Sequence[float]) -> list[Condition]:
    value, special = c.value, c.special
    ordinary = [number for number in numbers if math.isfinite(number)]
    found = [sa.and_(value.in_(ordinary), special.in_((0, _MINUS_ZERO)))] if ordinary else []
    for number in numbers:
        if math.isnan(number):
            found.append(sa.and_(value == 0.0, special == NAN))
        elif math.isinf(number):
            sign = _PLUS_INFINITY if number > 0 else _MINUS_INFINITY
            found.append(sa.and_(value == math.copysign(_LARGEST, number), special == sign))
    return found


def _ordered(c: Any, op: str, number: float) -> Condition:
    if abs(number) < _LARGEST:
        return _OPERATORS[op](c.value, number)  # type: ignore[no-any-return]
    # An infinity has the value of the largest float, and stands beyond it.
    bound, further = math.copysign(_LARGEST, number), math.copysign(1, number) if math.isinf(number) else 0
    same = sa.and_(c.value == bound, _OPERATORS[op](beyond(c), further))
    return sa.or_(_OPERATORS[op[0]](c.value, bound), same)


def beyond(c: Any) -> sa.ColumnElement[int]:
    """Tell infinities (1 and -1) from the largest floats (0), whose value they are kept with."""
    return sa.case((c.special == _PLUS_INFINITY, 1), (c.special == _MINUS_INFINITY, -1), else_=0)
