"""Adding what another registry keeps, numbers and times included, in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook.entities import ModelMove, ModelVersion, RegisteredModel
from fitbook.registry import _moves, _rows
from fitbook.store import _tables as t

_GONE = {"stage": _rows.DELETED, "description": "", "source": "", "run_id": "", "model_id": None, "status": "READY"}


def merge(
    connection: Connection,
    model: RegisteredModel,
    versions: Sequence[ModelVersion],
    deleted: Sequence[int],
    texts: dict[str, Any],
    history: Sequence[ModelMove],
) -> list[int]:
    """Write what is not there yet; the row of the model, if there is one, is locked already.

    ``texts`` are what was checked before: the ``tags`` of the model and ``version_tags`` by number, as rows.
    """
    number, is_new = _model_row(connection, model)
    row_of_model = connection.execute(sa.select(t.registered_models).where(t.registered_models.c.id == number)).one()
    why = _moves.Why(reason="taken over from another registry")
    if is_new:
        _moves.take(connection, row_of_model, history)
    told = {(move.alias, move.alias or move.version): move.new for move in (history[::-1] if is_new else ())}
    _add_missing(connection, t.registered_model_tags, "model", number, "key", texts["tags"])
    v = t.model_versions.c
    known = {row.version: row.id for row in connection.execute(sa.select(v.version, v.id).where(v.model == number))}
    added = [version for version in versions if version.version not in known]
    for version in sorted(added, key=lambda version: version.version):
        inserted = connection.execute(t.model_versions.insert(), {"model": number, **_version_row(version)})
        known[version.version] = row = inserted.inserted_primary_key[0]  # type: ignore[index]
        old, new = told.get((None, version.version)), version.current_stage
        if new not in (old, _moves.NO_STAGE):
            _moves.note(connection, row_of_model, why, old, new, version=version.version)
        if texts["version_tags"][version.version]:
            rows = [{"version": row, **tag} for tag in texts["version_tags"][version.version]]
            connection.execute(t.model_version_tags.insert(), rows)
    for gone in deleted:
        if gone not in known:
            times = {"creation_timestamp": model.creation_timestamp, "last_updated_timestamp": model.creation_timestamp}
            connection.execute(t.model_versions.insert(), {"model": number, "version": gone, **_GONE, **times})
    aliases = [{"alias": a, "version": known[to]} for a, to in model.aliases.items() if to in known]
    for added_alias in _add_missing(connection, t.model_aliases, "model", number, "alias", aliases):
        alias = added_alias["alias"]
        old, new = told.get((alias, alias)), str(model.aliases[alias])
        if new != old:
            _moves.note(connection, row_of_model, why, old, new, alias=alias)
    return sorted(version.version for version in added)


def _model_row(connection: Connection, model: RegisteredModel) -> tuple[int, bool]:
    """The number of the model's row, and whether it is new."""
    found = connection.scalar(sa.select(t.registered_models.c.id).where(t.registered_models.c.name == model.name))
    if found is not None:
        return int(found), False
    row = {
        "name": model.name,
        "description": model.description,
        "creation_timestamp": model.creation_timestamp,
        "last_updated_timestamp": model.last_updated_timestamp,
    }
    inserted = connection.execute(t.registered_models.insert(), row)
    return int(inserted.inserted_primary_key[0]), True  # type: ignore[index]


def _version_row(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "stage": version.current_stage,
        "description": version.description,
        "source": version.source,
        "run_id": version.run_id,
        "model_id": version.model_id,
        "status": version.status,
        "creation_timestamp": version.creation_timestamp,
        "last_updated_timestamp": version.last_updated_timestamp,
    }


def _add_missing(
    connection: Connection, table: sa.Table, owner: str, number: int, key: str, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    there = set(connection.scalars(sa.select(table.c[key]).where(table.c[owner] == number)))
    if fresh := [{owner: number, **row} for row in rows if row[key] not in there]:
        connection.execute(table.insert(), fresh)
    return fresh
