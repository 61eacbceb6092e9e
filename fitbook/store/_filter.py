"""The filter language: text becomes a small frozen tree, checked against what the searched entity has.

All of MLflow's filters, and ``OR``, ``NOT``, parentheses, ``BETWEEN``, ``IS NULL``, ``RLIKE``, numbers on params, and
the bounds of metrics: ``metrics.loss.min`` is the least value that ``loss`` ever had, ``.max`` the greatest, ``.best``
the one of them that its name asks for, ``.latest`` the last one, which is also meant without any of these. A key that
itself ends so is written in quotes: ``metrics."loss.min"``. Before a bound, too, a key may be quoted.

The tree holds no NOT: it is pushed down to the conditions, each of which is then either true or false of every
run, so that ``NOT x`` is the exact complement of ``x``. Nothing here knows SQL.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fitbook._best import smaller_is_better
from fitbook.errors import InvalidFilter, InvalidValue
from fitbook.store._filter_entities import (
    EXPERIMENTS,
    MODEL_VERSIONS,
    PREFIXES,
    REGISTERED_MODELS,
    RUNS,
    USUAL_PREFIX,
    Entity,
    Kind,
)
from fitbook.store._filter_syntax import MAX_LEVELS, closest, number_value, syntax_tree, text_value, unquote

__all__ = [
    "EXPERIMENTS",
    "MODEL_VERSIONS",
    "REGISTERED_MODELS",
    "RUNS",
    "And",
    "Compare",
    "Entity",
    "Field",
    "Node",
    "Or",
]
__all__ += ["Order", "Part", "parse", "parse_order"]

# SQLite refuses expressions of more than 1,000 nodes in a row, and statements with more than 32,766 values.
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
# SQLite 3.40 crashes when a statement orders by more than 63 terms; a metric needs three of them.
MAX_ORDERS = 16

Part = Literal["latest", "min", "max"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a condition or an ordering is about: ``key`` of a metric, param or tag, or the name of an attribute.

    ``part`` says which value of a metric is meant.
    """

    kind: Kind
    key: str
    part: Part = "latest"


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


_DATASET_KEYS = ("name", "digest", "context")
_QUOTED_KEY = re.compile(r"""(?P<key>`(?:[^`]|``)+`|"(?:[^"]|"")+")(?:\.(?P<part>\w+))?$""", re.DOTALL)
_PARTS: Mapping[str, Callable[[str], Part]] = {
    "latest": lambda _: "latest",
    "min": lambda _: "min",
    "max": lambda _: "max",
    "best": lambda key: "min" if smaller_is_better(key) else "max",
}
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
        prefix = unquote(prefix)
        kind = PREFIXES.get(prefix)
        if kind is None or kind not in self._entity.kinds:
            known = [USUAL_PREFIX[each] for each in self._entity.kinds]
            raise self._error(start, closest(f"{self._entity.name} field", prefix, known))
        if kind == "metric":
            return _metric(key), start
        key = self._key(kind, key, place)
        if kind == "dataset" and key not in _DATASET_KEYS:
            raise self._error(place, closest("dataset field", key, _DATASET_KEYS))
        if kind == "attribute":
            name = key.lower().replace(" ", "_")
            name = self._entity.aliases.get(name, name)
            if name not in self._entity.attributes:
                raise self._error(place, self._unknown_attribute(key, bare=not dot))
            key = name
        return Field(kind, key), start

    def _key(self, kind: Kind, text: str, place: int) -> str:
        quoted = _QUOTED_KEY.match(text)
        if quoted and quoted["part"]:
            end = place + quoted.end("key")
            raise self._error(end, f"only metrics have a {quoted['part']}, {USUAL_PREFIX[kind]} have one value.")
        return unquote(text)

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
        if math.isnan(value) and place.part != "latest":
            raise self._error(token.start_pos, f"the {place.part} of a metric is never nan.")
        if math.isnan(value) and op not in ("=", "!="):
            raise self._error(token.start_pos, "nan has no order; ask for = nan or != nan.")
        return value

    def _unknown_attribute(self, name: str, *, bare: bool) -> str:
        reason = closest(f"{self._entity.name} attribute", name, self._entity.attributes)
        if bare:
            keyed = [USUAL_PREFIX[kind] for kind in ("metric", "param", "tag") if kind in self._entity.kinds]
            reason += f" Keys stand after a prefix: {', '.join(f'{prefix}.{name}' for prefix in keyed)}."
        return reason

    def _error(self, position: int, reason: str) -> InvalidFilter:
        return InvalidFilter(self._text, position, reason)


def _metric(text: str) -> Field:
    """Read the key of a metric, and which of its values is meant."""
    quoted = _QUOTED_KEY.match(text)
    if quoted:
        key, part = unquote(quoted["key"]), quoted["part"] or "latest"
    else:
        key, _, part = text.rpartition(".")
        if not key or part not in _PARTS:
            key, part = text, "latest"
    return Field("metric", key, _PARTS[part](key))


def _start(tree: Any) -> int:
    while hasattr(tree, "children"):
        tree = tree.children[0]
    return int(tree.start_pos)
