"""`SqlRegistry`: the registry contract in the store's own database.

Every writing method first locks the row of its model, so that what it then reads and numbers can't change under it.
A deleted version leaves its emptied row behind, in a stage that nobody sees: that is what keeps its number taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from fitbook import _validate
from fitbook.entities import ModelMove, ModelVersion, PagedList, RegisteredModel
from fitbook.errors import AlreadyExists, InvalidValue, NotFound
from fitbook.registry import _moves, _rows, _rules
from fitbook.registry._base import Registry
from fitbook.registry._merging import merge
from fitbook.registry._moves import Why
from fitbook.registry._moves import now as _now
from fitbook.store import Database, _filter, retrying
from fitbook.store import _tables as t
from fitbook.store._filter_order import Ordering
from fitbook.store._filter_sql import where
from fitbook.store._pages import find_page

_MODELS, _VERSIONS, _ALIASES = t.registered_models.c, t.model_versions.c, t.model_aliases.c
_MOVES = t.model_moves.c
PROMOTION_TAG = "fitbook.promotion"
PARENT_TAG = "fitbook.parent_version"
_SUGGESTED = 1000  # how many names are looked through for what was perhaps meant


@retrying
class SqlRegistry(Registry):
    """Models and versions in SQL tables.

    Parameters
    ----------
    database : Database
        Holds the tables; it may be the run store's.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- models ------------------------------------------------------------------------------------------------------

    def create_registered_model(
        self, name: str, tags: Mapping[str, str] | None = None, description: str | None = None
    ) -> RegisteredModel:
        name, rows, now = _rules.new_model_name(name), _tag_rows(tags), _now()
        row = {"name": name, "description": _text("description", description)}
        try:
            with self.database.write() as connection:
                _rules.refuse_twin("registered model", name, connection.scalars(sa.select(_MODELS.name)))
                inserted = connection.execute(
                    t.registered_models.insert(), {**row, "creation_timestamp": now, "last_updated_timestamp": now}
                )
                number = inserted.inserted_primary_key[0]  # type: ignore[index]
                if rows:
                    connection.execute(t.registered_model_tags.insert(), [{"model": number, **tag} for tag in rows])
                return _read_model(connection, number)
        except IntegrityError:
            raise AlreadyExists("registered model", name, "Add a version to it, or choose another name.") from None

    def get_registered_model(self, name: str) -> RegisteredModel:
        name = _rules.model_name(name)
        with self.database.read() as connection:
            return _rows.models(connection, [_model(connection, name)])[0]

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        name, new_name = _rules.model_name(name), _rules.new_model_name(new_name)
        try:
            with self.database.write() as connection:
                number = _model(connection, name, lock=True).id
                others = connection.scalars(sa.select(_MODELS.name).where(_MODELS.id != number))
                _rules.refuse_twin("registered model", new_name, others)
                connection.execute(t.model_moves.update().where(_MOVES.model == number).values(name=new_name))
                _touch(connection, number, name=new_name)
                renamed = t.model_versions.update().where(_VERSIONS.model == number)
                connection.execute(renamed.values(last_updated_timestamp=_now()))
                return _read_model(connection, number)
        except IntegrityError:
            raise AlreadyExists("registered model", new_name, "Choose another name.") from None

    def update_registered_model(self, name: str, description: str | None) -> RegisteredModel:
        name, description = _rules.model_name(name), _text("description", description)
        with self.database.write() as connection:
            number = _model(connection, name, lock=True).id
            _touch(connection, number, description=description)
            return _read_model(connection, number)

    def delete_registered_model(self, name: str, *, user_id: str = "", reason: str = "") -> None:
        name, why = _rules.model_name(name), Why.checked(user_id, reason).or_else("the model was deleted")
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            versions = connection.execute(_rows.select_versions().where(_VERSIONS.model == model.id)).all()
            _moves.leave_all(connection, model, versions, why)
            connection.execute(t.registered_models.delete().where(_MODELS.id == model.id))

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        size = _size(max_results, most=1000)
        query, ordering = _searched(sa.select(t.registered_models), filter_string, order_by, _filter.REGISTERED_MODELS)
        search = ["registered models", filter_string or "", list(order_by or ())]
        with self.database.read() as connection:
            rows, token = find_page(connection, query, ordering, search, size, page_token)
            return PagedList(_rows.models(connection, rows), token)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        name = _rules.model_name(name)
        if isinstance(stages, str):
            raise InvalidValue(f"stages is the text {stages!r}; give a list of stages, e.g. [{stages!r}].")
        wanted = {_rules.stage(stage) for stage in stages or _rules.STAGES}
        with self.database.read() as connection:
            number = _model(connection, name).id
            latest = _rows.latest_versions(connection, [number])[number]
        return [version for version in latest if version.current_stage in wanted]

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        name, row = _rules.model_name(name), _tag_row(key, value)
        with self.database.write() as connection:
            number = _model(connection, name, lock=True).id
            connection.execute(self.database.upsert(t.registered_model_tags), {"model": number, **row})

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        name, key, table = _rules.model_name(name), _validate.key("tag", key), t.registered_model_tags
        with self.database.write() as connection:
            number = _model(connection, name, lock=True).id
            connection.execute(table.delete().where(table.c.model == number, table.c.key == key))

    def merge_registered_model(
        self,
        model: RegisteredModel,
        versions: Sequence[ModelVersion] = (),
        deleted: Sequence[int] = (),
        history: Sequence[ModelMove] = (),
    ) -> list[int]:
        model = replace(model, name=_rules.model_name(model.name), description=_text("description", model.description))
        for alias in model.aliases:
            _rules.alias(alias)
        versions = [_checked(version) for version in versions]
        texts = {
            "tags": _tag_rows(model.tags),
            "version_tags": {version.version: _tag_rows(version.tags) for version in versions},
        }
        numbers = [_rules.version(number) for number in deleted]
        history = [_moves.checked(move) for move in history]
        try:
            with self.database.write() as connection:
                lock = sa.select(_MODELS.id).where(_MODELS.name == model.name).with_for_update()
                connection.execute(lock).all()
                return merge(connection, model, versions, numbers, texts, history)
        except IntegrityError:
            # Another process has made the model in the meantime.
            raise AlreadyExists("registered model", model.name, "Somebody else has just made it; try again.") from None

    # -- versions ----------------------------------------------------------------------------------------------------

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = "",
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        name, rows, now = _rules.model_name(name), _tag_rows(tags), _now()
        row = {
            "stage": "None",
            "description": _text("description", description),
            "source": _source(source),
            "run_id": _text("run id", run_id, 32),
            "model_id": _text("model id", model_id, 34) or None,
            "status": "READY",
            "creation_timestamp": now,
            "last_updated_timestamp": now,
        }
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            highest = connection.scalar(sa.select(sa.func.max(_VERSIONS.version)).where(_VERSIONS.model == model.id))
            row |= {"model": model.id, "version": (highest or 0) + 1}
            number = connection.execute(t.model_versions.insert(), row).inserted_primary_key[0]  # type: ignore[index]
            if rows:
                connection.execute(t.model_version_tags.insert(), [{"version": number, **tag} for tag in rows])
            _touch(connection, model.id)
            return _read_version(connection, number)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        name, version = _rules.model_name(name), _rules.version(version)
        with self.database.read() as connection:
            return _rows.versions(connection, [_version(connection, _model(connection, name), version)])[0]

    def update_model_version(self, name: str, version: int | str, description: str | None = None) -> ModelVersion:
        name, version = _rules.model_name(name), _rules.version(version)
        changed = {"description": _text("description", description), "last_updated_timestamp": _now()}
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            number = _version(connection, model, version).id
            connection.execute(t.model_versions.update().where(_VERSIONS.id == number).values(**changed))
            _touch(connection, model.id)
            return _read_version(connection, number)

    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        *,
        user_id: str = "",
        reason: str = "",
    ) -> ModelVersion:
        name, version, stage = _rules.model_name(name), _rules.version(version), _rules.stage(stage)
        why = Why.checked(user_id, reason)
        if archive_existing_versions and stage not in _rules.ACTIVE_STAGES:
            active = " and ".join(_rules.ACTIVE_STAGES)
            raise InvalidValue(
                f"archive_existing_versions is for the stages {active}, not for {stage!r}; leave it out."
            )
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            row = _version(connection, model, version)
            moved = _moves.move_stage(connection, model, row, stage, why)
            if archive_existing_versions:
                others = (_VERSIONS.model == model.id, _VERSIONS.stage == stage, _VERSIONS.id != row.id)
                for other in connection.execute(_rows.select_versions().where(*others)).all():
                    _moves.move_stage(connection, model, other, "Archived", replace(why, part_of=moved))
            _touch(connection, model.id)
            return _read_version(connection, row.id)

    def delete_model_version(self, name: str, version: int | str, *, user_id: str = "", reason: str = "") -> None:
        name, version, why = _rules.model_name(name), _rules.version(version), Why.checked(user_id, reason)
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            row = _version(connection, model, version)
            number = row.id
            _moves.leave_all(connection, model, [row], why.or_else(f"version {version} was deleted"))
            connection.execute(t.model_version_tags.delete().where(t.model_version_tags.c.version == number))
            emptied = {"stage": _rows.DELETED, "description": "", "source": "", "run_id": "", "model_id": None}
            connection.execute(t.model_versions.update().where(_VERSIONS.id == number).values(**emptied))
            _touch(connection, model.id)

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        size = _size(max_results, most=200_000)
        query, ordering = _searched(_rows.select_versions(), filter_string, order_by, _filter.MODEL_VERSIONS)
        search = ["model versions", filter_string or "", list(order_by or ())]
        with self.database.read() as connection:
            rows, token = find_page(connection, query, ordering, search, size, page_token)
            return PagedList(_rows.versions(connection, rows), token)

    def set_model_version_tag(self, name: str, version: int | str, key: str, value: str) -> None:
        name, version, row = _rules.model_name(name), _rules.version(version), _tag_row(key, value)
        with self.database.write() as connection:
            number = _version(connection, _model(connection, name, lock=True), version).id
            connection.execute(self.database.upsert(t.model_version_tags), {"version": number, **row})

    def delete_model_version_tag(self, name: str, version: int | str, key: str) -> None:
        name, version, key = _rules.model_name(name), _rules.version(version), _validate.key("tag", key)
        table = t.model_version_tags
        with self.database.write() as connection:
            number = _version(connection, _model(connection, name, lock=True), version).id
            connection.execute(table.delete().where(table.c.version == number, table.c.key == key))

    # -- aliases -----------------------------------------------------------------------------------------------------

    def set_registered_model_alias(
        self, name: str, alias: str, version: int | str, *, user_id: str = "", reason: str = ""
    ) -> None:
        name, alias, version = _rules.model_name(name), _rules.alias(alias), _rules.version(version)
        why = Why.checked(user_id, reason)
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            _refuse_twin_alias(connection, model, alias)
            _moves.move_alias(connection, model, alias, _version(connection, model, version), why)

    def delete_registered_model_alias(self, name: str, alias: str, *, user_id: str = "", reason: str = "") -> None:
        name, alias, why = _rules.model_name(name), _rules.alias(alias), Why.checked(user_id, reason)
        with self.database.write() as connection:
            _moves.move_alias(connection, _model(connection, name, lock=True), alias, None, why)

    def settle_registered_model_alias(
        self,
        name: str,
        alias: str,
        version: int | str,
        *,
        holder: int | None,
        wins: bool,
        figures: Mapping[str, Any],
        user_id: str = "",
        reason: str = "",
    ) -> bool:
        name, alias, version = _rules.model_name(name), _rules.alias(alias), _rules.version(version)
        why, tag = Why.checked(user_id, reason, figures), _tag_row(PROMOTION_TAG, json.dumps(figures))
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            row = _version(connection, model, version)
            _refuse_twin_alias(connection, model, alias)
            if _moves.holder(connection, model.id, alias) != holder:
                return False
            if wins:
                _moves.move_alias(connection, model, alias, row, why)
                # An older one that wins its alias back has no younger parent.
                if holder is not None and holder < version:
                    _add_parent(connection, row.id, f"{name}/{holder}")
            else:
                _moves.note(connection, model, why, holder, holder, alias=alias)
            connection.execute(self.database.upsert(t.model_version_tags), {"version": row.id, **tag})
            return True

    def get_model_history(self, name: str, max_results: int = 1000) -> list[ModelMove]:
        name, size = _rules.model_name(name), _size(max_results, most=200_000)
        with self.database.read() as connection:
            number = connection.scalar(sa.select(_MODELS.id).where(_MODELS.name == name))
            gone = sa.and_(_MOVES.model.is_(None), _MOVES.name == name)
            found = _moves.entries(connection, gone if number is None else gone | (_MOVES.model == number), most=size)
            if number is None and not found:
                _model(connection, name)  # says that there is none, and what was perhaps meant
            return found

    def undo_model_move(
        self, name: str, number: int | None = None, *, user_id: str = "", reason: str = ""
    ) -> list[ModelMove]:
        name, why = _rules.model_name(name), Why.checked(user_id, reason)
        number = None if number is None else _rules.version(number)
        with self.database.write() as connection:
            model = _model(connection, name, lock=True)
            made = _moves.undo(connection, model, number, why)
            _touch(connection, model.id)
            return made

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        name, latest = _rules.model_name(name), str(alias).lower() == _rules.LATEST
        alias = alias if latest else _rules.alias(alias)
        with self.database.read() as connection:
            number = _model(connection, name).id
            query = _rows.select_versions().where(_VERSIONS.model == number)
            if latest:
                query = query.order_by(_VERSIONS.version.desc()).limit(1)
            else:
                pointed = sa.select(_ALIASES.version).where(_ALIASES.model == number, _ALIASES.alias == alias)
                query = query.where(_VERSIONS.id.in_(pointed))
            row = connection.execute(query).first()
            if row is None:
                known = connection.scalars(sa.select(_ALIASES.alias).where(_ALIASES.model == number)).all()
                raise NotFound("version" if latest else "alias", f"{name}@{alias}", [f"{name}@{a}" for a in known])
            return _rows.versions(connection, [row])[0]


def _source(source: object) -> str:
    text = _text("source", source)
    if not text:
        raise InvalidValue("The source of the model version is empty; give the URI or path of the model's folder.")
    return text


def _checked(version: ModelVersion) -> ModelVersion:
    """A version from elsewhere by the rules for those that are made here."""
    return replace(
        version,
        version=_rules.version(version.version),
        current_stage=_rules.stage(version.current_stage),
        description=_text("description", version.description),
        source=_source(version.source),
        run_id=_text("run id", version.run_id, 32),
        model_id=_text("model id", version.model_id, 34) or None,
        status=_text("status", version.status, 20),
        creation_timestamp=_validate.timestamp(version.creation_timestamp),
        last_updated_timestamp=_validate.timestamp(version.last_updated_timestamp),
    )


def _model(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    query = sa.select(t.registered_models).where(_MODELS.name == name)
    # SQLite leaves FOR UPDATE out: its transactions hold the one write lock from their start.
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        known = connection.scalars(sa.select(_MODELS.name).order_by(_MODELS.name).limit(_SUGGESTED)).all()
        raise NotFound("registered model", name, known, "" if known else "None is registered yet.")
    return row


def _version(connection: Connection, model: Row[Any], version: int) -> Row[Any]:
    query = _rows.select_versions().where(_VERSIONS.model == model.id)
    # What no 32-bit column holds is asked for as 0, which no version has.
    row = connection.execute(query.where(_VERSIONS.version == (version if version < 2**31 else 0))).first()
    if row is None:
        numbers = connection.scalars(
            query.with_only_columns(_VERSIONS.version).order_by(_VERSIONS.version.desc()).limit(_SUGGESTED)
        ).all()
        raise NotFound("version", f"{model.name}/{version}", [f"{model.name}/{number}" for number in numbers])
    return row


def _read_model(connection: Connection, number: int) -> RegisteredModel:
    rows = connection.execute(sa.select(t.registered_models).where(_MODELS.id == number)).all()
    return _rows.models(connection, rows)[0]


def _read_version(connection: Connection, number: int) -> ModelVersion:
    return _rows.versions(connection, connection.execute(_rows.select_versions().where(_VERSIONS.id == number)).all())[
        0
    ]


def _add_parent(connection: Connection, version: int, parent: str) -> None:
    """Note the version that this one came after, unless one is noted: that which it was copied from, or said by the user."""
    tags = t.model_version_tags
    if connection.scalar(sa.select(tags.c.key).where(tags.c.version == version, tags.c.key == PARENT_TAG)) is None:
        connection.execute(tags.insert(), {"version": version, **_tag_row(PARENT_TAG, parent)})


def _refuse_twin_alias(connection: Connection, model: Row[Any], alias: str) -> None:
    _rules.refuse_twin("alias", alias, connection.scalars(sa.select(_ALIASES.alias).where(_ALIASES.model == model.id)))


def _touch(connection: Connection, number: int, **values: Any) -> None:
    changed = t.registered_models.update().where(_MODELS.id == number)
    connection.execute(changed.values(last_updated_timestamp=_now(), **values))


def _searched(
    query: sa.Select[Any], filter_string: str | None, order_by: Sequence[str] | None, entity: _filter.Entity
) -> tuple[sa.Select[Any], Ordering]:
    tree = _filter.parse(filter_string, entity)
    if tree is not None:
        query = query.where(where(tree, entity))
    return query, Ordering(_filter.parse_order(order_by, entity), entity)


def _size(max_results: object, *, most: int) -> int:
    if not isinstance(max_results, int) or isinstance(max_results, bool) or not 1 <= max_results <= most:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number from 1 to {most}.")
    return max_results


def _tag_row(key: object, value: object) -> dict[str, str]:
    return {"key": _validate.key("tag", key), "value": _text("tag value", value)}


def _tag_rows(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [_tag_row(key, value) for key, value in (tags or {}).items()]


def _text(kind: str, value: object, most: int | None = None) -> str:
    return "" if value is None else _validate.text(kind, value, most)
