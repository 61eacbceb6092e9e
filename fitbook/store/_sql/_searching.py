"""Searching runs and experiments: filter, order, page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from fitbook.entities import Experiment, LifecycleStage, PagedList, Run, ViewType
from fitbook.errors import InvalidValue
from fitbook.store import _filter, _filter_sql
from fitbook.store import _tables as t
from fitbook.store._sql._experiments import SqlExperiments
from fitbook.store._sql._leases import as_if_ended
from fitbook.store._sql._part import number_of
from fitbook.store._sql._reading import SqlReading, select_runs

T = TypeVar("T")


class SqlSearching(SqlExperiments, SqlReading):
    """The part of the contract that searches."""

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        query = sa.select(t.experiments).where(
            t.experiments.c.lifecycle_stage.in_(LifecycleStage.of_view(view_type)),
            *_conditions(filter_string, _filter.EXPERIMENTS),
        )
        orders = _filter.parse_order(order_by, _filter.EXPERIMENTS)
        query = _filter_sql.order(query, orders, _filter.EXPERIMENTS)
        if not orders:
            query = query.order_by(t.experiments.c.creation_time.desc(), t.experiments.c.id.desc())
        offset, limit = _page(page_token, max_results)
        with self.database.read() as connection:
            rows = connection.execute(query.offset(offset).limit(limit + 1)).all()
            found = self._experiments(connection, t.experiments.c.id.in_([row.id for row in rows]))
        by_id = {e.experiment_id: e for e in found}
        return _paged([by_id[str(row.id)] for row in rows], offset, limit)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        query = select_runs().where(
            t.runs.c.experiment.in_([number_of("experiment", e) for e in experiment_ids]),
            t.runs.c.lifecycle_stage.in_(LifecycleStage.of_view(run_view_type)),
            *_conditions(filter_string, _filter.RUNS, self._artifact_root),
        )
        orders = _filter.parse_order(order_by, _filter.RUNS)
        query = _filter_sql.order(query, orders, _filter.RUNS, artifact_root=self._artifact_root)
        if not orders:
            query = query.order_by(t.runs.c.start_time.desc(), t.runs.c.id.desc())
        offset, limit = _page(page_token, max_results)
        with self._read_runs() as (connection, dead):
            query = as_if_ended(query) if dead else query
            rows = connection.execute(query.offset(offset).limit(limit + 1)).all()
            more = len(rows) > limit
            found = self._load(connection, rows[:limit], dead)
        return PagedList(found, f"{offset + limit}" if more else None)


def _conditions(filter_string: str | None, entity: Any, artifact_root: str = "") -> list[sa.ColumnElement[bool]]:
    tree = _filter.parse(filter_string, entity)
    return [] if tree is None else [_filter_sql.where(tree, entity, artifact_root=artifact_root)]


def _page(token: str | None, max_results: int) -> tuple[int, int]:
    if not isinstance(max_results, int) or max_results < 1:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number of at least 1.")
    if token is None or token == "":
        return 0, max_results
    if not (token.isascii() and token.isdigit()):
        raise InvalidValue(f"The page token {token!r} is not one that a search returned.")
    return int(token), max_results


def _paged(items: list[T], offset: int, limit: int) -> PagedList[T]:
    return PagedList(items[:limit], f"{offset + limit}" if len(items) > limit else None)
