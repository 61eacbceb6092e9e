"""Searching runs and experiments: filter, order, page."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from fitbook.entities import Experiment, LifecycleStage, PagedList, Run, ViewType
from fitbook.store import _filter
from fitbook.store import _tables as t
from fitbook.store._filter_order import Ordering
from fitbook.store._filter_sql import where
from fitbook.store._pages import check_size, cut_page, find_page, read_token
from fitbook.store._sql._experiments import SqlExperiments
from fitbook.store._sql._finding import RunSearch
from fitbook.store._sql._leases import as_if_ended
from fitbook.store._sql._part import number_of
from fitbook.store._sql._reading import SqlReading


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
        stages, size = LifecycleStage.of_view(view_type), check_size(max_results)
        orders = _filter.parse_order(order_by, _filter.EXPERIMENTS)
        query = sa.select(t.experiments.c.id).where(t.experiments.c.lifecycle_stage.in_(stages))
        tree = _filter.parse(filter_string, _filter.EXPERIMENTS)
        if tree is not None:
            query = query.where(where(tree, _filter.EXPERIMENTS))
        search = ["experiments", *stages, filter_string or "", list(order_by or ())]
        with self.database.read() as connection:
            ordering = Ordering(orders, _filter.EXPERIMENTS)
            rows, token = find_page(connection, query, ordering, search, size, page_token)
            found = self._experiments(connection, t.experiments.c.id.in_([row.id for row in rows]))
        by_id = {e.experiment_id: e for e in found}
        return PagedList([by_id[str(row.id)] for row in rows], token)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        stages, size = LifecycleStage.of_view(run_view_type), check_size(max_results)
        experiments = sorted({number_of("experiment", e) for e in experiment_ids})
        orders = _filter.parse_order(order_by, _filter.RUNS)
        tree = _filter.parse(filter_string, _filter.RUNS)
        described = ["runs", experiments, *stages, filter_string or "", list(order_by or ())]
        after = read_token(described, page_token)
        with self._read_runs() as (connection, dead):
            search = RunSearch(experiments, stages, tree, orders, self._artifact_root, as_if_ended if dead else None)
            rows, token = cut_page(search.page(connection, after, size + 1), described, size)
            return PagedList(self._load_numbers(connection, [row.id for row in rows], dead), token)
