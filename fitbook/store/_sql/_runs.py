"""Runs: beginning, changing, deleting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from fitbook import _validate
from fitbook.entities import LifecycleStage, RunDraft, RunStatus
from fitbook.errors import AlreadyExists
from fitbook.store import _tables as t
from fitbook.store._clock import clock_ms
from fitbook.store._database import Database
from fitbook.store._sql._contents import RUN_NAME_TAG, SqlContents
from fitbook.store._sql._files import file_rows
from fitbook.store._sql._leases import GIVEN_UP, SqlLeases, forget_reason, lease_ms
from fitbook.store._sql._models import model_row
from fitbook.store._sql._part import chunks, now_ms, number_of, run_numbers, update
from fitbook.store._sql._values import param_rows, parent_of, point_row, summaries, tag_rows

Values = dict[str, Any]

# Without a lease, the sum is NULL.
_INSERT_RUN = t.runs.insert().values(lease_until=clock_ms() + sa.bindparam("lease_ms", type_=sa.BigInteger))


class SqlRuns(SqlContents, SqlLeases):
    """The part of the contract that is about runs as a whole, but for reading."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        mine = t.runs.c.id == sa.bindparam("of_run")
        self._end_run = database.prepare(t.runs.update().where(mine), ["status", "lease_until", "end_time"])

    def create_runs(self, drafts: Sequence[RunDraft]) -> None:
        if not drafts:
            return
        try:
            with self.database.write() as connection:
                with_active = {draft.experiment_id for draft in drafts if draft.deleted_time is None}
                for experiment_id in {draft.experiment_id for draft in drafts}:
                    if experiment_id in with_active:
                        self._join(connection, experiment_id)
                    else:
                        self._experiment(connection, experiment_id, active=False)
                self._create(connection, drafts)
        except IntegrityError:
            with self.database.read() as connection:
                _refuse_taken(connection, drafts)
            raise  # another has written the same data set at the same moment; it is tried again

    def _create(self, connection: Connection, drafts: Sequence[RunDraft]) -> None:
        if drafts:
            numbers = _insert_runs(connection, drafts)
            self._insert_contents(connection, drafts, numbers)
            for draft in drafts:
                for dataset in draft.datasets:
                    self._write_dataset(connection, numbers[draft.run_id], dataset)

    def _insert_contents(self, connection: Connection, drafts: Sequence[RunDraft], numbers: Mapping[str, int]) -> None:
        params, tags, points, files, models = (
            list[Values](),
            list[Values](),
            list[Values](),
            list[Values](),
            list[Values](),
        )
        for draft in drafts:
            run = numbers[draft.run_id]
            params += param_rows(run, draft.params)
            tags += tag_rows(run, {**draft.tags, RUN_NAME_TAG: draft.run_name})
            points += [point_row(run, metric) for metric in draft.metrics]
            files += file_rows(run, draft.files)
            models += [model_row(run, model) for model in draft.models]
        self._insert_params.run(connection, params)
        self._insert_tags.run(connection, tags)
        self._insert_metrics.run(connection, summaries(points))
        self._insert_points.run(connection, points)
        for table, rows in ((t.files, files), (t.logged_models, models)):
            if rows:
                connection.execute(table.insert(), rows)

    def update_run(
        self,
        run_id: str,
        *,
        status: str | None = None,
        end_time: int | None = None,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        lease_seconds: float | None = None,
    ) -> None:
        values: dict[str, Any] = {}
        if status is not None:
            values["status"] = _validate.one_of("run status", status, RunStatus.ALL)
            values["lease_until"] = None
            if status == RunStatus.RUNNING:
                values["end_time"] = None
                values["lease_until"] = None if lease_seconds is None else clock_ms() + lease_ms(lease_seconds)
        if end_time is not None:
            values["end_time"] = _validate.timestamp(end_time)
        noted = dict(tags or {})
        if run_name is not None:
            noted[RUN_NAME_TAG] = run_name
        with self.database.write() as connection:
            run, lease_until = self._run_and_lease(connection, run_id)
            if status is not None and lease_until == GIVEN_UP:
                forget_reason(connection, [run])
            if noted:
                self._write_tags(connection, run, noted, **values)
            elif status is not None and status != RunStatus.RUNNING and end_time is not None:
                self._end_run.run(connection, [{"of_run": run, **values}])
            elif values:
                update(connection, t.runs, run, **values)

    def delete_run(self, run_id: str, *, children: bool = False) -> None:
        self._set_stage(run_id, children, lifecycle_stage=LifecycleStage.DELETED, deleted_time=now_ms())

    def restore_run(self, run_id: str, *, children: bool = False) -> None:
        self._set_stage(run_id, children, lifecycle_stage=LifecycleStage.ACTIVE, deleted_time=None)

    def _set_stage(self, run_id: str, children: bool, **values: Any) -> None:
        with self.database.write() as connection:
            found = {self._run(connection, run_id, active=False)}
            level: list[str] = [run_id] if children else []
            while level:
                below: list[str] = []
                for chunk in chunks(level):
                    query = sa.select(t.runs.c.id, t.runs.c.run_id).where(t.runs.c.parent_run_id.in_(chunk))
                    rows = [row for row in connection.execute(query) if row.id not in found]
                    found.update(row.id for row in rows)
                    below += [row.run_id for row in rows]
                level = below
            # What is deleted already was deleted then, not now.
            others = t.runs.c.lifecycle_stage != values["lifecycle_stage"]
            for some in chunks(sorted(found)):
                connection.execute(t.runs.update().where(t.runs.c.id.in_(some), others).values(**values))


def run_row(draft: RunDraft) -> dict[str, Any]:
    """Make the row of a run."""
    running = draft.status == RunStatus.RUNNING
    return {
        "run_id": _validate.identifier("run id", draft.run_id),
        "experiment": number_of("experiment", draft.experiment_id),
        "name": _validate.name("run", draft.run_name),
        "user_id": _validate.text("user id", draft.user_id, _validate.MAX_NAME),
        "status": _validate.one_of("run status", draft.status, RunStatus.ALL),
        "lifecycle_stage": LifecycleStage.ACTIVE if draft.deleted_time is None else LifecycleStage.DELETED,
        "deleted_time": None if draft.deleted_time is None else _validate.timestamp(draft.deleted_time),
        "start_time": _validate.timestamp(draft.start_time),
        "end_time": None if draft.end_time is None else _validate.timestamp(draft.end_time),
        "parent_run_id": parent_of(draft.tags),
        "lease_ms": lease_ms(draft.lease_seconds) if running and draft.lease_seconds is not None else None,
    }


def _insert_runs(connection: Connection, drafts: Sequence[RunDraft]) -> dict[str, int]:
    inserted = connection.execute(_INSERT_RUN, [run_row(draft) for draft in drafts])
    if len(drafts) == 1:
        return {drafts[0].run_id: inserted.inserted_primary_key[0]}  # type: ignore[index]
    return run_numbers(connection, [draft.run_id for draft in drafts])


def _refuse_taken(connection: Connection, drafts: Sequence[RunDraft]) -> None:
    """Raise `AlreadyExists` for ids of runs or models that are there, or come twice."""
    runs = [draft.run_id for draft in drafts]
    known = run_numbers(connection, runs)
    if run_id := next((run_id for run_id, times in Counter(runs).items() if times > 1 or run_id in known), None):
        raise AlreadyExists("run", run_id)
    models = [model.model_id for draft in drafts for model in draft.models]
    column = t.logged_models.c.model_id
    there = {
        found for some in chunks(models) for found in connection.scalars(sa.select(column).where(column.in_(some)))
    }
    if model_id := next((model for model, times in Counter(models).items() if times > 1 or model in there), None):
        raise AlreadyExists("model", model_id)
