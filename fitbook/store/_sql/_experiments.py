"""Experiments: making, reading, renaming, deleting."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from fitbook import _validate
from fitbook.entities import Experiment, LifecycleStage
from fitbook.errors import AlreadyExists, NotFound, WrongState
from fitbook.store import _tables as t
from fitbook.store._base import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME
from fitbook.store._sql._part import SqlPart, grouped, now_ms, update
from fitbook.store._sql._values import tag_rows


class SqlExperiments(SqlPart):
    """The part of the contract that is about experiments, but for searching."""

    def create_experiment(
        self,
        name: str,
        artifact_location: str | None = None,
        tags: Mapping[str, str] | None = None,
        creation_time: int | None = None,
    ) -> str:
        name = _validate.name("experiment", name)
        artifact_location = self._relative(_validate.text("artifact location", artifact_location or ""))
        try:
            with self.database.write() as connection:
                number = _insert_experiment(connection, name, artifact_location, created=creation_time)
                if tags:
                    connection.execute(t.experiment_tags.insert(), tag_rows(number, tags, column="experiment"))
        except IntegrityError:
            stage = self.get_experiment_by_name(name)
            deleted = stage is not None and stage.lifecycle_stage == LifecycleStage.DELETED
            hint = "It is deleted: restore it, or choose another name." if deleted else "Choose another name."
            raise AlreadyExists("experiment", name, hint) from None
        return str(number)

    def get_experiment(self, experiment_id: str) -> Experiment:
        with self.database.read() as connection:
            number = self._experiment(connection, experiment_id, active=False).id
            return self._experiments(connection, t.experiments.c.id == number)[0]

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        name = _validate.asked("experiment name", name)
        with self.database.read() as connection:
            found = self._experiments(connection, t.experiments.c.name == name)
        return found[0] if found else None

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        new_name = _validate.name("experiment", new_name)
        try:
            with self.database.write() as connection:
                row = self._experiment(connection, experiment_id)
                update(connection, t.experiments, row.id, name=new_name, last_update_time=now_ms())
        except IntegrityError:
            raise AlreadyExists("experiment", new_name, "Choose another name.") from None

    def delete_experiment(self, experiment_id: str) -> None:
        self._set_experiment_stage(experiment_id, LifecycleStage.ACTIVE, LifecycleStage.DELETED)

    def restore_experiment(self, experiment_id: str) -> None:
        self._set_experiment_stage(experiment_id, LifecycleStage.DELETED, LifecycleStage.ACTIVE)

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        with self.database.write() as connection:
            row = self._experiment(connection, experiment_id)
            rows = tag_rows(row.id, {key: value}, column="experiment")
            connection.execute(self.database.upsert(t.experiment_tags), rows)
            update(connection, t.experiments, row.id, last_update_time=now_ms())

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        tags, key = t.experiment_tags, _validate.asked("tag key", key)
        with self.database.write() as connection:
            row = self._experiment(connection, experiment_id)
            gone = connection.execute(tags.delete().where(tags.c.experiment == row.id, tags.c.key == key))
            if gone.rowcount == 0:
                known = connection.scalars(sa.select(tags.c.key).where(tags.c.experiment == row.id)).all()
                raise NotFound(f"tag of experiment {experiment_id}", key, known)
            update(connection, t.experiments, row.id, last_update_time=now_ms())

    def _ensure_default_experiment(self) -> None:
        if self.get_experiment_by_name(DEFAULT_EXPERIMENT_NAME) is not None:
            return
        with self.database.read() as connection:
            if connection.scalar(sa.select(sa.func.count()).select_from(t.experiments)):
                return
        # Of processes that find the store empty at once, the first puts it in.
        with contextlib.suppress(IntegrityError), self.database.write() as connection:
            if not connection.scalar(sa.select(sa.func.count()).select_from(t.experiments)):
                _insert_experiment(connection, DEFAULT_EXPERIMENT_NAME, None, number=int(DEFAULT_EXPERIMENT_ID))

    def _experiments(self, connection: Connection, condition: sa.ColumnElement[bool]) -> list[Experiment]:
        rows = connection.execute(sa.select(t.experiments).where(condition)).all()
        tags = grouped(connection, t.experiment_tags, "experiment", [row.id for row in rows])
        return [
            Experiment(
                experiment_id=str(row.id),
                name=row.name,
                artifact_location=self._location(row.id, row.artifact_location),
                lifecycle_stage=row.lifecycle_stage,
                tags=dict(tags[row.id]),
                creation_time=row.creation_time,
                last_update_time=row.last_update_time,
            )
            for row in rows
        ]

    def _set_experiment_stage(self, experiment_id: str, before: str, after: str) -> None:
        with self.database.write() as connection:
            row = self._experiment(connection, experiment_id, active=False)
            if row.lifecycle_stage != before:
                raise WrongState(f"The experiment {row.name!r} (id {row.id}) is {row.lifecycle_stage} already.")
            last = connection.scalar(sa.select(sa.func.max(t.runs.c.deleted_time)).where(t.runs.c.experiment == row.id))
            moment = max(now_ms(), (last or 0) + 1)
            update(connection, t.experiments, row.id, lifecycle_stage=after, last_update_time=moment)
            # Runs that the user had deleted one by one before stay deleted when the experiment comes back.
            gone_with_it = t.runs.c.deleted_time == row.last_update_time
            connection.execute(
                t.runs.update()
                .where(t.runs.c.experiment == row.id, t.runs.c.lifecycle_stage == before)
                .where(sa.true() if after == LifecycleStage.DELETED else gone_with_it)
                .values(lifecycle_stage=after, deleted_time=moment if after == LifecycleStage.DELETED else None)
            )


def _insert_experiment(
    connection: Connection, name: str, location: str | None, number: int | None = None, created: int | None = None
) -> int:
    moment = now_ms() if created is None else _validate.timestamp(created)
    row: dict[str, Any] = {
        "name": name,
        "artifact_location": (location or "").rstrip("/"),
        "lifecycle_stage": LifecycleStage.ACTIVE,
        "creation_time": moment,
        "last_update_time": moment,
    }
    if number is not None:
        row["id"] = number
    return int(connection.execute(t.experiments.insert(), row).inserted_primary_key[0])  # type: ignore[index]
