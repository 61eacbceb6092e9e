"""Deleting for good what was deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook.entities import LifecycleStage
from fitbook.store import _tables as t
from fitbook.store._base import DEFAULT_EXPERIMENT_ID
from fitbook.store._sql._part import SqlPart, chunks, now_ms, number_of, run_numbers, update

_r, _e, _d = t.runs.c, t.experiments.c, t.datasets.c
_used = t.run_datasets.c
_OF_RUNS = [table for table in t.metadata.sorted_tables if any(key.column is _r.id for key in table.foreign_keys)]


class SqlCollecting(SqlPart):
    """The part of the contract that cleans up."""

    def deleted_runs(self, before: int | None = None) -> list[str]:
        query = sa.select(_r.run_id).where(_r.lifecycle_stage == LifecycleStage.DELETED).order_by(_r.id)
        with self.database.read() as connection:
            return list(connection.scalars(query if before is None else query.where(_r.deleted_time < before)))

    def deleted_experiments(self, before: int | None = None) -> list[str]:
        query = sa.select(_e.id, _e.name).where(_e.lifecycle_stage == LifecycleStage.DELETED).order_by(_e.id)
        if before is not None:
            query = query.where(_e.last_update_time < before)
        with self.database.read() as connection:
            rows = connection.execute(query.where(_e.id != int(DEFAULT_EXPERIMENT_ID))).all()
        return [str(row.id) for row in rows if row.name != _emptied(row.id)]

    def unknown_runs(self, run_ids: Sequence[str]) -> list[str]:
        with self.database.read() as connection:
            known = run_numbers(connection, run_ids)
        return [run_id for run_id in run_ids if run_id not in known]

    def runs_of_models(self, run_ids: Sequence[str]) -> dict[str, str]:
        with self.database.read() as connection:
            return _runs_of_models(connection, run_ids)

    def count_rows(self, run_ids: Sequence[str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        links: Counter[int] = Counter()
        with self.database.read() as connection:
            for chunk in chunks(list(run_numbers(connection, run_ids).values())):
                found["runs"] += len(chunk)
                for table in _OF_RUNS:
                    query = sa.select(sa.func.count()).select_from(table).where(table.c.run.in_(chunk))
                    found[table.name] += connection.scalar(query) or 0
                links.update(connection.scalars(sa.select(_used.dataset).where(_used.run.in_(chunk))))
            for numbers in chunks(list(links)):
                total = sa.select(_used.dataset, sa.func.count()).where(_used.dataset.in_(numbers))
                rows: Any = connection.execute(total.group_by(_used.dataset))
                found["datasets"] += sum(links[dataset] == count for dataset, count in rows)
        return {name: count for name, count in found.items() if count}

    def purge_runs(self, run_ids: Sequence[str]) -> list[str]:
        purged: list[str] = []
        with self.database.write() as connection:
            for chunk in chunks(run_ids):
                purged += _purge_runs(connection, chunk)
        return purged

    def purge_experiments(self, experiment_ids: Sequence[str]) -> list[str]:
        purged: list[str] = []
        wanted = set(experiment_ids).intersection(self.deleted_experiments())
        with self.database.write() as connection:
            for number in sorted(number_of("experiment", e) for e in wanted):
                if _purge_experiment(connection, number):
                    purged.append(str(number))
            _remove_emptied(connection)
        return purged


def _emptied(number: int) -> str:
    """The name of an experiment of which only the number is left."""
    return f"(purged experiment {number})"


def _runs_of_models(connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
    v, m = t.model_versions.c, t.logged_models.c
    logged = sa.select(m.model_id, _r.run_id).join_from(t.logged_models, t.runs, m.run == _r.id)
    run_of = {
        row.model_id: row.run_id for row in connection.execute(logged.where(m.model_id.in_(sa.select(v.model_id))))
    }
    versions = sa.select(v.run_id, v.source, v.model_id, v.version, t.registered_models.c.name)
    found: dict[str, str] = {}
    wanted = set(run_ids)
    for row in connection.execute(versions.join_from(t.model_versions, t.registered_models).where(v.source != "")):
        # Wherever a source is, in an artifact location or a runs:/ URI, the run's id is one of its parts.
        places = {row.run_id, run_of.get(row.model_id, ""), *row.source.split("/")}
        found.update(dict.fromkeys(wanted & places, f"{row.name}/{row.version}"))
    return found


def _purge_runs(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    deleted = sa.and_(_r.run_id.in_(run_ids), _r.lifecycle_stage == LifecycleStage.DELETED)
    rows = connection.execute(sa.select(_r.id, _r.run_id).where(deleted).with_for_update()).all()
    kept = _runs_of_models(connection, [row.run_id for row in rows])
    gone = {row.id: row.run_id for row in rows if row.run_id not in kept}
    if gone:
        datasets = connection.scalars(sa.select(_used.dataset).where(_used.run.in_(gone)).distinct()).all()
        connection.execute(t.runs.delete().where(_r.id.in_(gone)))
        for chunk in chunks(datasets):
            unused = ~sa.exists().where(_used.dataset == _d.id)
            connection.execute(t.datasets.delete().where(_d.id.in_(chunk), unused))
    return list(gone.values())


def _purge_experiment(connection: Connection, number: int) -> bool:
    row = connection.execute(sa.select(t.experiments).where(_e.id == number).with_for_update()).first()
    has_runs = connection.scalar(sa.select(sa.exists().where(_r.experiment == number)))
    if row is None or row.lifecycle_stage != LifecycleStage.DELETED or has_runs:
        return False
    connection.execute(t.datasets.delete().where(_d.experiment == number))
    if number < (connection.scalar(sa.select(sa.func.max(_e.id))) or 0):
        connection.execute(t.experiments.delete().where(_e.id == number))
    else:
        # SQLite would give the number to the next experiment, and somebody may still know it as this one.
        connection.execute(t.experiment_tags.delete().where(t.experiment_tags.c.experiment == number))
        emptied = {"name": _emptied(number), "artifact_location": "", "last_update_time": now_ms()}
        update(connection, t.experiments, number, **emptied)
    return True


def _remove_emptied(connection: Connection) -> None:
    deleted = _e.lifecycle_stage == LifecycleStage.DELETED
    query = sa.select(_e.id, _e.name).where(deleted, _e.id < sa.select(sa.func.max(_e.id)).scalar_subquery())
    numbers = [row.id for row in connection.execute(query) if row.name == _emptied(row.id)]
    for chunk in chunks(numbers):
        connection.execute(t.experiments.delete().where(_e.id.in_(chunk), deleted))
