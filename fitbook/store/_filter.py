"""The filter language: text becomes a small frozen tree, checked against what the searched entity has.

All of MLflow's filters, and ``OR``, ``NOT``, parentheses, ``BETWEEN``, ``IS NULL``, ``RLIKE``, and numbers on params.
The tree holds no NOT: it is pushed down to the conditions, each of which is then either true or false of every
run, so that ``NOT x`` is the exact complement of ``x``. Nothing here knows SQL.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fitbook.errors import InvalidFilter, InvalidValue
from fitbook.store._filter_syntax import MAX_LEVELS, closest, number_value, syntax_tree, text_value, unquote

# SQLite refuses expressions of more than 1,000 nodes in a row, and statements with more than 32,766 values.
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
# SQLite 3.40 crashes when a statement orders by more than 63 terms; a metric needs three of them.
MAX_ORDERS = 16

Kind = Literal["metric", "param", "tag", "attribute", "dataset"]
ValueType = Literal["number", "text", "id"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a condition or an ordering is about: ``key`` of a metric, param or tag, or the name of an attribute."""

    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition.

    ``op`` is ``=``, ``!=``, ``>``, ``>=``, ``<``, ``<=``, ``LIKE``, ``ILIKE``, ``RLIKE``, ``IN``, ``BETWEEN``, one of
    the last five with ``NOT`` before it, or ``IS NOT NULL``. ``!=`` and the operators with ``NOT`` hold only where the
    key is there. ``values`` are the operands. With ``complement`` the condition holds where it would not without.
    ``position`` is where it stands in the text, counted from 0.
    """

    field: Field
    op: str
    values: tuple[str | float, ...] = ()
    complement: bool = False
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Holds where all parts hold; no part is an `And`."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Holds where a part holds; no part is an `Or`."""

    parts: tuple[Node, ...]


Node = Compare | And | Or


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an ordering."""

    field: Field
    ascending: bool = True


@dataclass(frozen=True)
class Entity:
    """What can be asked of the things that a search is for.

    Parameters
    ----------
    name : str
        What one of them is called, for messages.
    kinds : tuple of str
        The kinds of fields that they have.
    attributes : mapping of str to str
        Names of the attributes, and whether each is a ``"number"``, a ``"text"`` or an ``"id"`` (a whole number that
        users see as text).
    aliases : mapping of str to str
        Other names of attributes. Case does not matter, nor does a space instead of ``_``.
    """

    name: str
    kinds: tuple[Kind, ...]
    attributes: Mapping[str, ValueType]
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _attributes(texts: str, *, numbers: str, ids: str = "") -> dict[str, ValueType]:
    typed: dict[str, ValueType] = dict.fromkeys(texts.split(), "text")
    typed |= dict.fromkeys(numbers.split(), "number")
    typed |= dict.fromkeys(ids.split(), "id")
    return typed


RUNS = Entity(
    "run",
    ("metric", "param", "tag", "attribute", "dataset"),
    _attributes(
        "run_id run_name status user_id artifact_uri lifecycle_stage",
        numbers="start_time end_time",
        ids="experiment_id",
    ),
    {"created": "start_time", "run_uuid": "run_id"},
)
EXPERIMENTS = Entity(
    "experiment",
    ("tag", "attribute"),
    _attributes("name lifecycle_stage", numbers="creation_time last_update_time", ids="experiment_id"),
)
REGISTERED_MODELS = Entity(
    "registered model",
    ("tag", "attribute"),
    _attributes("name", numbers="creation_timestamp last_updated_timestamp"),
    {"timestamp": "last_updated_timestamp"},
)
MODEL_VERSIONS = Entity(
    "model version",
    ("tag", "attribute"),
    _attributes(
        "name run_id source_path current_stage status",
        numbers="version_number creation_timestamp last_updated_timestamp",
    ),
    {"version": "version_number", "source": "source_path", "stage": "current_stage"},
)

_USUAL_PREFIX: Mapping[Kind, str] = {
    "metric": "metrics",
    "param": "params",
    "tag": "tags",
    "attribute": "attributes",
    "dataset": "datasets",
}
_PREFIXES: Mapping[str, Kind] = (
    {usual: kind for kind, usual in _USUAL_PREFIX.items()}
    | {kind: kind for kind in _USUAL_PREFIX}
    | {"parameter": "param", "parameters": "param", "attr": "attribute", "run": "attribute"}
)
_DATASET_KEYS = ("name", "digest", "context")
_OPERANDS = ("NUMBER", "SPECIAL", "TEXT", "QUOTED")


def parse(text: str | None, entity: Entity) -> Node | None:
    """Read a filter.

    Parameters
    ----------
    text : str or None
        The filter; None and blank text admit everything.
    entity : Entity
        What is searched: `RUNS`, `EXPERIMENTS`, `REGISTERED_MODELS` or `MODEL_VERSIONS`.

    Returns
    -------
    Node or None
        The tree, None if everything is admitted.

    Raises
    ------
    InvalidFilter
        The text can't be read, names what the entity does not have, or is too long or nested too deeply.
    """
    if text is None:
        return None
    if isinstance(text, str) and not text.strip():
        return None
    return _Reader(text, entity).node(syntax_tree(text, "filter").children[0], complement=False)


def parse_order(clauses: Sequence[str] | None, entity: Entity) -> list[Order]:
    """Read orderings such as ``"metrics.acc DESC"``; a field that was named before is left out.

    Raises
    ------
    InvalidFilter
        A clause can't be read, or names what the entity does not have or can't be ordered by.
    InvalidValue
        ``clauses`` is not a list of strings, or too long.
    """
    if isinstance(clauses, str) or not isinstance(clauses, Sequence | None):
        raise InvalidValue(f"order_by is {clauses!r}; give a list of strings, such as ['metrics.acc DESC'].")
    orders: dict[Field, Order] = {}
    for clause in clauses or ():
        found, *direction = syntax_tree(clause, "order").children
        place, position = _Reader(clause, entity).field(found)
        if place.kind == "dataset":
            raise InvalidFilter(clause, position, "a run may have several datasets; order by something else.")
        descending = bool(direction) and direction[0].children[0].type == "DESC"
        orders.setdefault(place, Order(place, not descending))
    if len(orders) > MAX_ORDERS:
        raise InvalidValue(f"order_by has {len(orders)} items; at most {MAX_ORDERS} are allowed.")
    return list(orders.values())


class _Reader:
    """Turns lark's tree of one text into nodes."""

    def __init__(self, text: str, entity: Entity) -> None:
        self._text, self._entity = text, entity
        self._conditions = self._values = 0

    def node(self, tree: Any, *, complement: bool, level: int = 1) -> Node:
        """Read a tree, or its exact complement."""
        while tree.data == "complement":
            # The children are one or more NOTs and what they stand before.
            complement ^= len(tree.children) % 2 == 0
            tree = tree.children[-1]
        if tree.data not in ("conjunction", "disjunction"):
            return self._condition(tree, complement)
        if level > MAX_LEVELS:
            raise self._error(_start(tree), f"more than {MAX_LEVELS} levels of AND and OR.")
        kind = Or if (tree.data == "disjunction") != complement else And
        parts: list[Node] = []
        for child in tree.children:
            part = self.node(child, complement=complement, level=level + 1)
            parts.extend(part.parts if isinstance(part, kind) else [part])
        return kind(tuple(parts))

    def field(self, tree: Any) -> tuple[Field, int]:
        """Read a field; return it, and where it stands."""
        token = tree.children[0]
        start: int = token.start_pos
        prefix, dot, key = str(token).partition(".") if token.type == "FIELD" else ("attribute", "", str(token))
        place = start + len(prefix + dot) if dot else start
        prefix, key = unquote(prefix), unquote(key)
        kind = _PREFIXES.get(prefix)
        if kind is None or kind not in self._entity.kinds:
            known = [_USUAL_PREFIX[each] for each in self._entity.kinds]
            raise self._error(start, closest(f"{self._entity.name} field", prefix, known))
        if kind == "dataset" and key not in _DATASET_KEYS:
            raise self._error(place, closest("dataset field", key, _DATASET_KEYS))
        if kind == "attribute":
            name = key.lower().replace(" ", "_")
            name = self._entity.aliases.get(name, name)
            if name not in self._entity.attributes:
                raise self._error(place, self._unknown_attribute(key, bare=not dot))
            key = name
        return Field(kind, key), start

    def _condition(self, tree: Any, complement: bool) -> Compare:
        place, start = self.field(tree.children[0])
        # What is left are operators, and the operands, each in a rule of its own.
        words = [getattr(child, "children", [child])[0] for child in tree.children[1:]]
        op = " ".join(word.upper() for word in words if word.type not in _OPERANDS)
        if tree.data == "presence":
            op, complement = "IS NOT NULL", complement != (op == "NULL")
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise self._error(start, f"more than {MAX_CONDITIONS} conditions; IN (…) takes many values of one field.")
        operands = [self._operand(place, op, word) for word in words if word.type in _OPERANDS]
        if len({isinstance(operand, str) for operand in operands}) > 1:
            raise self._error(start, "it mixes texts and numbers; compare with the one or the other.")
        if tree.data == "member":
            operands = list(dict.fromkeys(operands))
        self._values += len(operands)
        if self._values > MAX_VALUES:
            raise self._error(start, f"more than {MAX_VALUES:,} values; search in several steps.")
        return Compare(place, op, tuple(operands), complement, start)

    def _operand(self, place: Field, op: str, token: Any) -> str | float:
        accepts = self._entity.attributes[place.key] if place.kind == "attribute" else place.kind
        is_text = token.type in ("TEXT", "QUOTED")
        if is_text and accepts == "id" and "LIKE" not in op and unquote(token).isdecimal() and len(token) < 20:
            return int(unquote(token))
        if is_text and accepts in ("number", "metric", "id"):
            advice = f"{op} is for texts." if "LIKE" in op else "write one, without quotes."
            raise self._error(token.start_pos, f"{place.key} is a number; {advice}")
        if is_text:
            return text_value(self._text, token, op)
        if accepts not in ("number", "metric", "id", "param"):
            raise self._error(token.start_pos, f"{place.key} is text; write the value in quotes: '{token}'.")
        value = number_value(self._text, token)
        if not math.isfinite(value) and accepts != "metric":
            raise self._error(token.start_pos, f"only metrics can be {token}.")
        if math.isnan(value) and op not in ("=", "!="):
            raise self._error(token.start_pos, "nan has no order; ask for = nan or != nan.")
        return value

    def _unknown_attribute(self, name: str, *, bare: bool) -> str:
        reason = closest(f"{self._entity.name} attribute", name, self._entity.attributes)
        if bare:
            keyed = [_USUAL_PREFIX[kind] for kind in ("metric", "param", "tag") if kind in self._entity.kinds]
            reason += f" Keys stand after a prefix: {', '.join(f'{prefix}.{name}' for prefix in keyed)}."
        return reason

    def _error(self, position: int, reason: str) -> InvalidFilter:
        return InvalidFilter(self._text, position, reason)


def _start(tree: Any) -> int:
    while hasattr(tree, "children"):
        tree = tree.children[0]
    return int(tree.start_pos)
