"""Orderings to SQLAlchemy, and the places that pages begin after.

What lacks the key comes last, and NaN after the numbers, whichever the direction; numbers among the values of a param
come before the texts. Texts of any length are ordered by their first `PREFIX` characters. Ties are broken until no two
are left, so that the values by which one result was ordered are its place among all: a page begins after such a place,
whatever was written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from fitbook.store._filter import Entity, Field, Order
from fitbook.store._filter_sql import BOUNDS, NAN, beyond
from fitbook.store._filter_targets import Target, Term, target_of

# MySQL sorts by the first 1,024 bytes, of which a character may need four; and a place has to fit into an address.
PREFIX = 250
# The columns of a row's place are called so, with their number.
PLACE = "place_"

Place = Sequence[int | float | str | None]


class Ordering:
    """How a search is ordered, down to the last tie.

    Parameters
    ----------
    orders : sequence of Order
        What `fitbook.store._filter.parse_order` returned. If it is empty, the entity's usual order is meant.
    entity : Entity
        What is searched.
    artifact_root : str
        As for `fitbook.store._filter_sql.where`.

    Attributes
    ----------
    terms : list of Term
        From the most important to the last tie.
    joins : list of tuple
        Tables (aliases), and the conditions for their rows.
    """

    def __init__(self, orders: Sequence[Order], entity: Entity, *, artifact_root: str = "") -> None:
        target = target_of(entity, artifact_root)
        self.terms: list[Term] = []
        self.joins: list[tuple[Any, sa.ColumnElement[bool]]] = []
        for each in orders:
            self._add(each, target)
        named = {each.field.key for each in orders if each.field.kind == "attribute"}
        ties = [term for name, term in target.ties if name not in named]
        self.terms += ties if orders else target.usual

    def apply(self, select: sa.Select[Any], *, skip: int = 0) -> sa.Select[Any]:
        """Order a selection from the entity's table.

        Without the first ``skip`` joins, each with the one term before those that turn: they are in the selection, and
        have the same value everywhere.
        """
        for table, condition in self.joins[skip:]:
            select = select.outerjoin(table, condition)
        return select.order_by(*map(_clause, self.terms[skip:]))

    def columns(self) -> list[Any]:
        """What a selection has to contain for the places of its rows."""
        return [term.value.label(f"{PLACE}{number}") for number, term in enumerate(self.terms)]

    def after(self, place: Place, *, skip: int = 0) -> sa.ColumnElement[bool]:
        """Make the condition for what comes after a place; the first ``skip`` terms are known to be equal."""
        # Where the place has NULL, so has everything that is equal until then.
        known = [pair for pair in zip(self.terms, place, strict=True) if pair[1] is not None][skip:]
        first, start = known[0]
        # Said apart, for indices.
        reached = first.value <= start if first.descending else first.value >= start
        return sa.and_(reached, sa.or_(*_alternatives(known)))

    def _add(self, order: Order, target: Target) -> None:
        fixed, values = _expressions(order.field, target, self.joins)
        self.terms += [*map(Term, fixed), *(Term(value, not order.ascending) for value in values)]


def _expressions(field: Field, target: Target, joins: list[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    """Join what an ordering needs; return terms that are the same for both directions, and those that turn."""
    if field.kind == "attribute":
        column = target.attributes[field.key]
        nullable = isinstance(column, sa.Column) and column.nullable
        return [sa.case((column.is_(None), 1), else_=0)] if nullable else [], [column]
    table = target.table(field.kind).alias()
    joins.append((table, target.row(table, field.key)))
    missing, c = (next(iter(table.primary_key)).is_(None), 2), table.c
    if field.kind == "metric" and field.part == "latest":
        return [sa.case(missing, (c.special == NAN, 1), else_=0)], [c.value, beyond(c)]
    if field.kind == "metric":
        bound = c[BOUNDS[field.part]]
        return [sa.case((bound.is_(None), 2), else_=0)], [bound]
    text = sa.func.substr(c.value, 1, PREFIX, type_=sa.Text())
    if field.kind == "param":
        return [sa.case(missing, (c.number.is_(None), 1), else_=0)], [c.number, text]
    return [sa.case(missing, else_=0)], [text]


def _alternatives(known: Sequence[tuple[Term, Any]]) -> Iterator[sa.ColumnElement[bool]]:
    equal: list[sa.ColumnElement[bool]] = []
    for term, value in known:
        yield sa.and_(*equal, term.value < value if term.descending else term.value > value)
        equal.append(term.value == value)


def _clause(term: Term) -> Any:
    return term.value.desc() if term.descending else term.value
