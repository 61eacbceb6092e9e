"""Rows of the registry's tables into entities: a few statements per page, however many models are on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from fitbook.entities import ModelVersion, RegisteredModel
from fitbook.store import _tables as t

DELETED = "Deleted"  # the stage of a version that is gone, and whose row only keeps its number taken

_CHUNK = 500


def select_versions() -> sa.Select[Any]:
    """All versions that exist, each with the name of its model as ``name``."""
    joined = t.model_versions.join(t.registered_models, t.model_versions.c.model == t.registered_models.c.id)
    columns = (t.model_versions, t.registered_models.c.name)
    return sa.select(*columns).select_from(joined).where(t.model_versions.c.stage != DELETED)


def versions(connection: Connection, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    """The entities of rows of `select_versions`."""
    numbers = [row.id for row in rows]
    tags = _tags(connection, t.model_version_tags, "version", numbers)
    aliases: dict[int, list[str]] = defaultdict(list)
    a = t.model_aliases.c
    for chunk in _chunks(numbers):
        for number, alias in connection.execute(sa.select(a.version, a.alias).where(a.version.in_(chunk))):
            aliases[number].append(alias)
    return [
        ModelVersion(
            name=row.name,
            version=row.version,
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            current_stage=row.stage,
            description=row.description,
            source=row.source,
            run_id=row.run_id,
            status=row.status,
            tags=tags[row.id],
            aliases=tuple(sorted(aliases[row.id])),
            model_id=row.model_id,
        )
        for row in rows
    ]


def models(connection: Connection, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
    """The entities of rows of ``registered_models``."""
    numbers = [row.id for row in rows]
    tags = _tags(connection, t.registered_model_tags, "model", numbers)
    latest = latest_versions(connection, numbers)
    aliases: dict[int, dict[str, int]] = defaultdict(dict)
    a, v = t.model_aliases.c, t.model_versions.c
    for chunk in _chunks(numbers):
        query = sa.select(a.model, a.alias, v.version).join_from(t.model_aliases, t.model_versions, a.version == v.id)
        for number, alias, version in connection.execute(query.where(a.model.in_(chunk)).order_by(a.alias)):
            aliases[number][alias] = version
    return [
        RegisteredModel(
            name=row.name,
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            description=row.description,
            latest_versions=tuple(latest[row.id]),
            tags=tags[row.id],
            aliases=aliases[row.id],
        )
        for row in rows
    ]


def latest_versions(connection: Connection, numbers: Sequence[int]) -> dict[int, list[ModelVersion]]:
    """The newest version of each stage, lowest first, of the models with these keys."""
    v = t.model_versions.c
    rows: list[Row[Any]] = []
    for chunk in _chunks(numbers):
        newest = sa.select(v.model, sa.func.max(v.version)).where(v.model.in_(chunk)).group_by(v.model, v.stage)
        query = select_versions().where(sa.tuple_(v.model, v.version).in_(newest))
        rows += connection.execute(query.order_by(v.version)).all()
    found: dict[int, list[ModelVersion]] = defaultdict(list)
    for row, version in zip(rows, versions(connection, rows), strict=True):
        found[row.model].append(version)
    return found


def _tags(connection: Connection, table: sa.Table, owner: str, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for chunk in _chunks(numbers):
        query = sa.select(table.c[owner], table.c.key, table.c.value).where(table.c[owner].in_(chunk))
        for number, key, value in connection.execute(query.order_by(table.c.key)):
            found[number][key] = value
    return found


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    # Databases bound how many values one statement may carry.
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
