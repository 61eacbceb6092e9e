"""Moving aliases and stages, in the transaction of the caller; every move leaves an entry that nothing takes away."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from fitbook import _validate
from fitbook.entities import ModelMove
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.registry import _rows, _rules
from fitbook.store import _tables as t

_MOVES, _ALIASES, _VERSIONS = t.model_moves.c, t.model_aliases.c, t.model_versions.c
NO_STAGE = "None"


@dataclass(frozen=True, slots=True)
class Why:
    """Who moves something, and what for; the numbers are those of other entries."""

    user_id: str = ""
    reason: str = ""
    figures: Mapping[str, Any] | None = None
    undoes: int | None = None
    part_of: int | None = None

    @classmethod
    def checked(cls, user_id: str, reason: str, figures: Mapping[str, Any] | None = None) -> Why:
        """What a caller has given, checked."""
        return cls(_validate.text("user", user_id, 256), _validate.text("reason", reason), figures)

    def or_else(self, reason: str) -> Why:
        """The same, with a reason if there was none."""
        return self if self.reason else replace(self, reason=reason)


def holder(connection: Connection, model: int, alias: str) -> int | None:
    """Number of the version that an alias points at."""
    joined = t.model_aliases.join(t.model_versions, _ALIASES.version == _VERSIONS.id)
    query = sa.select(_VERSIONS.version).select_from(joined).where(_ALIASES.model == model, _ALIASES.alias == alias)
    return connection.scalar(query)


def move_alias(connection: Connection, model: Row[Any], alias: str, to: Row[Any] | None, why: Why) -> int | None:
    """Point an alias at a version, or at none; without figures, what changes nothing leaves no entry."""
    old, new = holder(connection, model.id, alias), None if to is None else to.version
    if old == new and why.figures is None:
        return None
    if old != new:
        connection.execute(t.model_aliases.delete().where(_ALIASES.model == model.id, _ALIASES.alias == alias))
        if to is not None:
            row = {"model": model.id, "alias": alias, "version": to.id}
            connection.execute(t.model_aliases.insert(), row)
    return note(connection, model, why, old, new, alias=alias)


def move_stage(connection: Connection, model: Row[Any], version: Row[Any], stage: str, why: Why) -> int | None:
    """Put a version into a stage."""
    changed = t.model_versions.update().where(_VERSIONS.id == version.id)
    connection.execute(changed.values(stage=stage, last_updated_timestamp=now()))
    if version.stage == stage:
        return None
    new = None if stage == _rows.DELETED else stage
    return note(connection, model, why, version.stage, new, version=version.version)


def leave_all(connection: Connection, model: Row[Any], versions: Sequence[Row[Any]], why: Why) -> None:
    """Note what the deletion of versions ends: the aliases that point at them go, and their stages."""
    numbers = {row.id for row in versions}
    pointing = sa.select(_ALIASES.alias, _ALIASES.version).where(_ALIASES.model == model.id).order_by(_ALIASES.alias)
    for alias, version in connection.execute(pointing).all():
        if version in numbers:
            move_alias(connection, model, alias, None, why)
    for row in versions:
        if row.stage != NO_STAGE:
            note(connection, model, why, row.stage, None, version=row.version)


def note(
    connection: Connection,
    model: Row[Any],
    why: Why,
    old: object,
    new: object,
    *,
    alias: str | None = None,
    version: int | None = None,
) -> int:
    """Add an entry, and give its number."""
    row = {
        "alias": alias,
        "version": version,
        "old_value": None if old is None else str(old),
        "new_value": None if new is None else str(new),
        "timestamp": now(),
        "user_id": why.user_id,
        "reason": why.reason,
        "figures": None if why.figures is None else json.dumps(why.figures),
        "undoes": why.undoes,
        "part_of": why.part_of,
    }
    return _insert(connection, model, row)


def _insert(connection: Connection, model: Row[Any], row: dict[str, Any]) -> int:
    row = {"model": model.id, "name": model.name, **row}
    return int(connection.execute(t.model_moves.insert(), row).inserted_primary_key[0])  # type: ignore[index]


def checked(move: ModelMove) -> ModelMove:
    """An entry from elsewhere by the rules for those that are made here."""
    if move.alias is not None:
        _rules.alias(move.alias)
    for value in (move.old, move.new):
        _validate.text("end of a move", value or "", 20)
    Why.checked(move.user_id, move.reason)
    return replace(
        move,
        version=None if move.version is None else _rules.version(move.version),
        timestamp=_validate.timestamp(move.timestamp),
    )


def take(connection: Connection, model: Row[Any], history: Sequence[ModelMove]) -> None:
    """Write entries from elsewhere, given the newest first, with numbers of their own here."""
    numbers: dict[int | None, int] = {}
    for move in reversed(history):
        row = {
            "alias": move.alias,
            "version": move.version,
            "old_value": move.old,
            "new_value": move.new,
            "timestamp": move.timestamp,
            "user_id": move.user_id,
            "reason": move.reason,
            "figures": json.dumps(dict(move.figures)) if move.figures else None,
            "undoes": numbers.get(move.undoes),
            "part_of": numbers.get(move.part_of),
        }
        numbers[move.number] = _insert(connection, model, row)


def entries(connection: Connection, *conditions: sa.ColumnElement[bool], most: int | None = None) -> list[ModelMove]:
    """The entries that fulfil some conditions, the newest first."""
    query = sa.select(t.model_moves).where(*conditions).order_by(_MOVES.id.desc()).limit(most)
    return [
        ModelMove(
            number=row.id,
            name=row.name,
            alias=row.alias,
            version=row.version,
            old=row.old_value,
            new=row.new_value,
            timestamp=row.timestamp,
            user_id=row.user_id,
            reason=row.reason,
            figures=json.loads(row.figures or "{}"),
            undoes=row.undoes,
            part_of=row.part_of,
        )
        for row in connection.execute(query)
    ]


def undo(connection: Connection, model: Row[Any], number: int | None, why: Why) -> list[ModelMove]:
    """Take back the entry of a number, or the last one that can be, with what belongs to it; gives the new entries."""
    known = entries(connection, _MOVES.model == model.id)
    target = _chosen(known, model.name, number)
    parts = [entry for entry in known if entry.part_of == target.number and entry.old != entry.new]
    made: list[int] = []
    for entry in [target, *parts]:
        part_of = made[0] if made else None
        made.append(_undo_one(connection, model, entry, replace(why, undoes=entry.number, part_of=part_of)))
    return entries(connection, _MOVES.id.in_(made))[::-1]


def _chosen(known: Sequence[ModelMove], name: str, number: int | None) -> ModelMove:
    if number is None:
        undone = {entry.undoes for entry in known}
        for entry in known:
            plain = entry.undoes is None and entry.part_of is None and entry.old != entry.new
            if plain and entry.number not in undone:
                return entry
        raise NotFound("move to undo of the registered model", name)
    found = next((entry for entry in known if entry.number == number), None)
    if found is None:
        raise NotFound(f"entry in the history of {name!r}", number, [str(entry.number) for entry in known])
    if found.old == found.new:
        raise InvalidValue(f"Entry {number} in the history of {name!r} moved nothing; there is nothing to undo.")
    return found


def _undo_one(connection: Connection, model: Row[Any], entry: ModelMove, why: Why) -> int:
    if entry.alias is not None:
        present = holder(connection, model.id, entry.alias)
        _require(model, entry, None if present is None else str(present))
        to = None if entry.old is None else _existing(connection, model, entry, int(entry.old))
        made = move_alias(connection, model, entry.alias, to, why)
    else:
        row = _existing(connection, model, entry, entry.version or 0)
        _require(model, entry, row.stage)
        made = move_stage(connection, model, row, entry.old or NO_STAGE, why)
    assert made is not None  # old and new differ
    return made


def _require(model: Row[Any], entry: ModelMove, present: str | None) -> None:
    if present != entry.new:
        raise WrongState(
            f"Entry {entry.number} in the history of {model.name!r} can't be undone: {entry.subject} went from {entry.old} to "
            f"{entry.new} then, and is at {present} now. Undo what came later first, or move it where you want it."
        )


def _existing(connection: Connection, model: Row[Any], entry: ModelMove, version: int) -> Row[Any]:
    query = _rows.select_versions().where(_VERSIONS.model == model.id, _VERSIONS.version == version)
    row = connection.execute(query).first()
    if row is None:
        raise WrongState(
            f"Entry {entry.number} in the history of {model.name!r} can't be undone: version {version} has been deleted."
        )
    return row


def now() -> int:
    """The time as it is written down: milliseconds since 1970."""
    return time.time_ns() // 1_000_000
