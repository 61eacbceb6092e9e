"""Finding the runs of one page, by the shortest of three ways.

If indices lead to few runs that can satisfy the filter, only these are looked at. Otherwise, if the first ordering is a
metric, the runs are walked in the order of the metric's index: most filters admit enough of the first ones. Else all
runs of the experiments are looked at. Every way gives the same runs in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.ext.compiler import compiles

from fitbook.store import _tables as t
from fitbook.store._filter import RUNS, And, Compare, Node, Order
from fitbook.store._filter_order import Ordering, Place
from fitbook.store._filter_sql import NAN, by_index, metric, where

# How many runs are few; and how many conditions are asked that, for each costs a query.
_FEW = 1000
_ASKED = 8
# How many runs are walked through for each result before all are looked at.
_WALKED = 40


@dataclass(frozen=True)
class RunSearch:
    """A search for runs, read and checked.

    ``seen`` changes a query on runs, so that it sees them as their reader is to see them.
    """

    experiments: Sequence[int]
    stages: Sequence[str]
    filter: Node | None
    orders: Sequence[Order]
    artifact_root: str
    seen: Callable[[sa.Select[Any]], sa.Select[Any]] | None = None

    def page(self, connection: Connection, after: Place | None, count: int) -> Sequence[Row[Any]]:
        """Find at most ``count`` runs that come after a place: the numbers of the runs, and their places."""
        few = Candidates(connection, self.experiments).of(self.filter) if self.filter is not None else None
        if few is not None:
            return self._among(connection, few, after, count)
        walked = self._walk(connection, after, count)
        if len(walked) == count:
            return walked
        return self._all(connection, after, count)

    def _all(self, connection: Connection, after: Place | None, count: int, *scope: Any) -> Sequence[Row[Any]]:
        ordering = Ordering(self.orders, RUNS, artifact_root=self.artifact_root)
        query = sa.select(t.runs.c.id, *ordering.columns()).where(*(scope or self._scope()), *self._conditions())
        if after is not None:
            query = query.where(ordering.after(after))
        return self._run(connection, ordering.apply(query), count)

    def _among(self, connection: Connection, few: set[int], after: Place | None, count: int) -> Sequence[Row[Any]]:
        if not few:
            return []
        c = t.runs.c
        # SQLite knows no statistics and prefers the index on experiments, unless it can't be used.
        scope = ((c.experiment + 0).in_(self.experiments), c.lifecycle_stage.in_(self.stages))
        return self._all(connection, after, count, c.id.in_(few), *scope)

    def _walk(self, connection: Connection, after: Place | None, count: int) -> Sequence[Row[Any]]:
        first = self.orders[0] if self.orders else None
        if first is None or first.field.kind != "metric" or first.field.part != "latest" or (after and after[0] != 0):
            return []
        ordering = Ordering(self.orders, RUNS, artifact_root=self.artifact_root)
        lead, its_run = ordering.joins[0]
        value = lead.c.value
        parts = self.filter.parts if isinstance(self.filter, And) else (self.filter,)
        same = [
            part for part in parts if isinstance(part, Compare) and part.field == first.field and not part.complement
        ]
        place = [lead.c.key == first.field.key, lead.c.special != NAN, *(metric(part, lead) for part in same)]
        if after is not None:
            place.append(value >= after[1] if first.ascending else value <= after[1])
        # Equal values are walked through all or not at all, for what else orders them is not in the index.
        end = sa.select(value).where(*place).order_by(value if first.ascending else value.desc())
        last = connection.scalar(end.offset(_WALKED * count).limit(1))
        if last is not None:
            place.append(value < last if first.ascending else value > last)
        query = sa.select(t.runs.c.id, *ordering.columns()).select_from(_Led(lead, t.runs, its_run))
        query = query.where(*place, *self._scope(), *self._conditions())
        if after is not None:
            query = query.where(ordering.after(after, skip=1))
        return self._run(connection, ordering.apply(query, skip=1), count)

    def _run(self, connection: Connection, query: sa.Select[Any], count: int) -> Sequence[Row[Any]]:
        return connection.execute((self.seen(query) if self.seen else query).limit(count)).all()

    def _scope(self) -> list[Any]:
        return [t.runs.c.experiment.in_(self.experiments), t.runs.c.lifecycle_stage.in_(self.stages)]

    def _conditions(self) -> list[Any]:
        return [] if self.filter is None else [where(self.filter, RUNS, artifact_root=self.artifact_root)]


class _Led(sa.Join):
    """A join in which SQLite goes through the left side, and looks each row up in the right one."""

    inherit_cache = True


@compiles(_Led)
def _compile_led(element: Any, compiler: Any, **kwargs: Any) -> str:
    text: str = compiler.visit_join(element, **kwargs)
    return text.replace(" JOIN ", " CROSS JOIN ", 1) if compiler.dialect.name == "sqlite" else text


class Candidates:
    """Asks indices which runs of some experiments can satisfy a filter; other runs may be among them."""

    def __init__(self, connection: Connection, experiments: Sequence[int]) -> None:
        self._connection, self._experiments = connection, experiments
        self._left = _ASKED

    def of(self, node: Node) -> set[int] | None:
        """Return the numbers of runs outside of which none satisfies the filter; None if they are many, or unknown."""
        if isinstance(node, Compare):
            return self._of_one(node)
        found: list[set[int]] = []
        for part in node.parts:
            some = self.of(part)
            if some is not None:
                found.append(some)
            elif not isinstance(node, And):
                return None
        if isinstance(node, And):
            return set.intersection(*found) if found else None
        return set().union(*found)

    def _of_one(self, node: Compare) -> set[int] | None:
        query = by_index(node, self._experiments)
        if query is None or self._left == 0:
            return None
        self._left -= 1
        found = self._connection.scalars(query.limit(_FEW + 1)).all()
        return set(found) if len(found) <= _FEW else None
