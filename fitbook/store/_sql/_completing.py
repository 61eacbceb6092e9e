"""Runs that are written bit by bit, many at once: the candidates of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook.entities import LifecycleStage, RunDraft
from fitbook.errors import InvalidValue
from fitbook.store import _tables as t
from fitbook.store._clock import clock_ms
from fitbook.store._database import Database
from fitbook.store._sql._contents import PARENT_RUN_ID_TAG, RUN_NAME_TAG
from fitbook.store._sql._part import chunks, may_be_id, update
from fitbook.store._sql._runs import SqlRuns, run_row
from fitbook.store._sql._values import param_rows, point_row, summaries, tag_rows

_STATE = ("name", "status", "end_time", "lifecycle_stage", "deleted_time")


class SqlCompleting(SqlRuns):
    """The part of the contract that writes to many runs at once."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        mine = t.runs.c.id == sa.bindparam("of_run")
        lease = clock_ms() + sa.bindparam("lease_ms", type_=sa.BigInteger)
        state = {name: sa.bindparam(name, type_=t.runs.c[name].type) for name in _STATE}
        self._set_state = database.prepare(t.runs.update().where(mine).values(**state, lease_until=lease))
        of_key = sa.and_(t.tags.c.run == sa.bindparam("of_run"), t.tags.c.key == sa.bindparam("of_key"))
        self._delete_tag = database.prepare(t.tags.delete().where(of_key))

    def write_runs(self, drafts: Sequence[RunDraft]) -> None:
        run_ids = [draft.run_id for draft in drafts]
        if len(set(run_ids)) < len(run_ids):
            raise InvalidValue("One of the runs is there twice; write each of them once in a call.")
        with self.database.write() as connection:
            for experiment_id in {draft.experiment_id for draft in drafts}:
                self._join(connection, experiment_id)
            known = _states(connection, run_ids)
            self._create(connection, [draft for draft in drafts if draft.run_id not in known])
            there = [draft for draft in drafts if known.get(draft.run_id, (0, ""))[1] == LifecycleStage.ACTIVE]
            self._complete(connection, there, {draft.run_id: known[draft.run_id][0] for draft in there})

    def delete_tags(self, run_id: str, keys: Sequence[str]) -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            self._delete_tag.run(connection, [{"of_run": run, "of_key": key} for key in keys])
            if PARENT_RUN_ID_TAG in keys:
                update(connection, t.runs, run, parent_run_id=None)

    def _complete(self, connection: Connection, drafts: Sequence[RunDraft], numbers: Mapping[str, int]) -> None:
        """Add to runs that are there what drafts of them hold."""
        params, tags, points, states = [], [], [], []
        for draft in drafts:
            run = numbers[draft.run_id]
            params += param_rows(run, draft.params)
            tags += tag_rows(run, {**draft.tags, RUN_NAME_TAG: draft.run_name})
            points += [point_row(run, metric) for metric in draft.metrics]
            row = run_row(draft)
            states.append({"of_run": run, **{name: row[name] for name in (*_STATE, "lease_ms")}})
        runs = sorted(numbers.values())
        p, m = t.params.c, t.metrics.c
        named = _found(connection, sa.select(p.run, p.key), runs)
        self._insert_params.run(connection, [row for row in params if (row["run"], row["key"]) not in named])
        valued = _found(connection, sa.select(m.run, m.key, m.value, m.special), runs)
        fresh = [row for row in points if (row["run"], row["key"], row["value"], row["special"]) not in valued]
        self._insert_points.run(connection, fresh)
        self._upsert_metrics.run(connection, summaries(fresh))
        self._upsert_tags.run(connection, tags)
        self._set_state.run(connection, states)


def _states(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Number and stage of those of these runs that are there; nobody else writes to them until the transaction ends."""
    r = t.runs.c
    found: dict[str, tuple[int, str]] = {}
    for chunk in chunks(sorted(filter(may_be_id, run_ids))):
        query = sa.select(r.run_id, r.id, r.lifecycle_stage).where(r.run_id.in_(chunk)).order_by(r.id)
        found.update((row[0], (row[1], row[2])) for row in connection.execute(query.with_for_update()))
    return found


def _found(connection: Connection, query: sa.Select[tuple[int, str]], runs: Sequence[int]) -> set[tuple[object, ...]]:
    owner = query.selected_columns[0]
    return {tuple(row) for chunk in chunks(runs) for row in connection.execute(query.where(owner.in_(chunk))).all()}
