"""Bringing a database of an older fitbook up to date, by the migrations.

In SQLite a migration is one transaction, made after a backup: whoever is killed in it leaves the old database behind.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook._version import __version__
from fitbook.errors import StoreIncompatible
from fitbook.store import migrations
from fitbook.store._sqlite_file import backup_name, copy
from fitbook.store._tables import SCHEMA_REVISION, schema_version

# The schemas that can be brought up to date, oldest first.
OLDER = ("0001", "0002")

# Alembic's operations belong to the whole process.
_alembic = Lock()


def _forget_lock() -> None:
    global _alembic
    _alembic = Lock()


os.register_at_fork(after_in_child=_forget_lock)


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade has done: from which schema, and where the backup of before is, if there is one."""

    before: str
    backup: Path | None

    def __str__(self) -> str:
        kept = f"; as it was before, it is in {self.backup}" if self.backup else ""
        return f"upgraded from schema {self.before!r} to {SCHEMA_REVISION!r}{kept}"


def check_upgradable(found: str | None, place: str, *, wanted: bool) -> None:
    """Raise `StoreIncompatible` unless a database of this schema can be upgraded, and is to be.

    Parameters
    ----------
    found : str or None
        The schema's revision.
    place : str
        The database's URL, as messages may show it.
    wanted : bool
        Whether it is to be upgraded by whoever opens it.
    """
    if found not in OLDER:
        raise StoreIncompatible(
            f"The store at {place} has schema {found!r}; this fitbook, version {__version__}, knows {SCHEMA_REVISION!r} and "
            f"can upgrade {', '.join(map(repr, OLDER))}. A newer fitbook wrote it, or another program: open it with that, or "
            "install a newer fitbook. Nothing was changed."
        )
    if not wanted:
        raise StoreIncompatible(
            f"The store at {place} has schema {found!r}, and this fitbook, version {__version__}, needs {SCHEMA_REVISION!r}. "
            f"Run `fitbook --tracking-uri '{place}' db upgrade`, of a shared database after a backup with its own tools: "
            "older versions of fitbook can't use it afterwards."
        )


def upgrade(connection: Connection) -> Upgraded | None:
    """Run the migrations that a database lacks; None if it lacks none any more.

    Parameters
    ----------
    connection : sqlalchemy connection
        In a transaction that nobody else has in the meantime.

    Raises
    ------
    StoreUnavailable
        There is no room for the backup, or it can't be made; nothing has changed.
    """
    found = str(connection.scalar(sa.select(schema_version.c.version_num)))
    if found == SCHEMA_REVISION:
        return None
    file = _file_of(connection)
    if file is None:
        migrate(connection)
        return Upgraded(found, None)
    unfinished = file.with_name(file.name + ".upgrading")
    # Nobody else upgrades now: what is there, somebody left who was killed.
    unfinished.unlink(missing_ok=True)
    copy(file, unfinished)
    try:
        migrate(connection)
        return Upgraded(found, unfinished.replace(backup_name(file, found)))
    finally:
        unfinished.unlink(missing_ok=True)


def migrate(connection: Connection, to: str = "head") -> None:
    """Run the migrations up to a revision, in the connection's transaction."""
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, to)


def _file_of(connection: Connection) -> Path | None:
    if connection.dialect.name != "sqlite":
        return None
    name = connection.exec_driver_sql("PRAGMA database_list").fetchall()[0][2]
    return Path(name) if name else None
