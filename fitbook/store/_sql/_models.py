"""The models that runs logged."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from fitbook import _validate
from fitbook.entities import LifecycleStage, LoggedModel
from fitbook.errors import AlreadyExists, NotFound
from fitbook.store import _tables as t
from fitbook.store._sql._part import SqlPart


class SqlModels(SqlPart):
    """The part of the contract that is about models of runs."""

    def record_model(self, model: LoggedModel) -> None:
        with self.database.write() as connection:
            run = self._run(connection, model.run_id)
            try:
                connection.execute(t.logged_models.insert(), model_row(run, model))
            except IntegrityError:
                raise AlreadyExists("model", model.model_id) from None

    def get_logged_model(self, model_id: str) -> LoggedModel:
        found = self._logged_models(t.logged_models.c.model_id == model_id)
        if not found:
            raise NotFound("model", model_id, hint="`fitbook models list` shows the registered ones.")
        return found[0]

    def list_logged_models(self, run_id: str) -> list[LoggedModel]:
        return self._logged_models(t.runs.c.run_id == run_id)

    def latest_logged_model(self, artifact_path: str) -> LoggedModel | None:
        m = t.logged_models.c
        newest = (
            sa.select(sa.func.max(m.id))
            .join(t.runs, m.run == t.runs.c.id)
            .where(m.artifact_path == artifact_path, t.runs.c.lifecycle_stage == LifecycleStage.ACTIVE)
        )
        found = self._logged_models(m.id == newest.scalar_subquery())
        return found[0] if found else None

    def _logged_models(self, condition: sa.ColumnElement[bool]) -> list[LoggedModel]:
        m = t.logged_models
        query = sa.select(m, t.runs.c.run_id.label("run_id")).join(t.runs, m.c.run == t.runs.c.id)
        with self.database.read() as connection:
            return [
                LoggedModel(
                    row.model_id,
                    row.run_id,
                    row.artifact_path,
                    row.flavor,
                    row.sha256,
                    row.size_bytes,
                    row.creation_timestamp,
                )
                for row in connection.execute(query.where(condition).order_by(m.c.id))
            ]


def model_row(run: int, model: LoggedModel) -> dict[str, Any]:
    """Make the row of a model."""
    return {
        "run": run,
        "model_id": _validate.identifier("model id", model.model_id, 34),
        "artifact_path": _validate.text("artifact path of a model", model.artifact_path, 500),
        "flavor": _validate.text("flavor of a model", model.flavor, 64),
        "sha256": _validate.text("digest of a model", model.sha256, 64),
        "size_bytes": model.size_bytes,
        "creation_timestamp": _validate.timestamp(model.creation_timestamp),
    }
