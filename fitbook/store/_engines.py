"""SQLAlchemy engines as fitbook needs them: how each database opens its connections and transactions.

*SQLite* runs in WAL mode, and every writing transaction takes the write lock when it opens (``BEGIN IMMEDIATE``): one
that first reads and then wants to write would fail at once when another process has written in between, whatever the
timeout. Measured figures: docs/decisions/0003-store.md.

*PostgreSQL and MySQL* write at READ COMMITTED: a transaction locks the row of its run or experiment first, and then
sees what the one before it has written; a stricter level would fail it for that. They read at REPEATABLE READ, so that
the several statements of one read see one state; it never fails for a transaction that only reads.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from fitbook import settings
from fitbook.errors import StoreUnavailable
from fitbook.store._filter_dialects import register_functions
from fitbook.store._types import exact_collation
from fitbook.store._urls import no_url, sqlite_file

# Not the module's functions: they would advance the random numbers of the program.
jitter = random.SystemRandom()

_patience: ContextVar[float | None] = ContextVar("fitbook_store_patience", default=None)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Wait at most this long for a locked database, in everything that this block does."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def seconds_to_wait() -> float:
    """How long the database may be locked now before that is an error."""
    wanted = _patience.get()
    return settings.SQLITE_TIMEOUT.get() if wanted is None else wanted


def make_engine(url: sa.URL) -> Engine:
    """Make the engine of a database URL; nothing is connected yet.

    Raises
    ------
    InvalidValue
        SQLAlchemy does not know the URL's kind of database, or of driver.
    StoreUnavailable
        The Python package of the driver is not installed.
    """
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            return _sqlite(url)
        engine = sa.create_engine(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise no_url(url, error) from error
    except ModuleNotFoundError as error:
        extra = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}.get(backend)
        how = f"pip install 'fitbook[{extra}]'" if error.name in ("psycopg", "pymysql") else "install it"
        raise StoreUnavailable(f"The tracking URI {url!r} needs the Python package {error.name!r}: {how}.") from error
    if backend in ("mysql", "mariadb"):
        _prepare_mysql(engine)
    else:
        _prepare_postgresql(engine)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine, whose transactions only read."""
    # MySQL's connections have the level for reading anyway.
    level = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    return engine.execution_options(fitbook_reads=True, **level)


def _only_reads(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("fitbook_reads"))


# -- SQLite ----------------------------------------------------------------------------------------------------------


def _sqlite(url: sa.URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    file = sqlite_file(url)
    read_only = file is not None and os.path.exists(file) and not may_write(file)
    if file is not None and not read_only:
        make_folder(file)
    engine = sa.create_engine(
        _read_only_url(file) if file is not None and read_only else url,
        connect_args={"timeout": settings.SQLITE_TIMEOUT.get(), "check_same_thread": False, "isolation_level": None},
        **({"poolclass": StaticPool} if in_memory else {"pool_size": 5, "max_overflow": 60}),
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={int(seconds_to_wait() * 1000)}")
        register_functions(connection)
        if not in_memory and not read_only:
            _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        record.info["patience"] = _patience.get()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        wanted = _patience.get()
        info = connection.info
        if info["patience"] != wanted:
            directly(connection, f"PRAGMA busy_timeout={int(seconds_to_wait() * 1000)}")
            info["patience"] = wanted
        directly(connection, "BEGIN" if _only_reads(connection) else "BEGIN IMMEDIATE")

    return engine


def may_write(file: Path) -> bool:
    """Tell whether this user may write to a SQLite file, and make its log beside it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _read_only_url(file: Path) -> sa.URL:
    # A file with a log is read by the log's rules; one without can't have it made here, and is read as it lies there.
    log = file.with_name(f"{file.name}-wal")
    how = {"mode": "ro"} if log.exists() and log.stat().st_size else {"immutable": "1"}
    return sa.URL.create("sqlite", database=file.as_uri(), query={**how, "uri": "true"})


def directly(connection: Connection, statement: str, values: Any = (), *, many: bool = False) -> sqlite3.Cursor:
    """Execute what SQLite's driver takes as it is: by way of SQLAlchemy, a statement takes five times as long."""
    driver: Any = connection.connection.driver_connection
    try:
        cursor: sqlite3.Cursor = (driver.executemany if many else driver.execute)(statement, values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error
    return cursor


def make_folder(file: Path) -> None:
    """Make the folder of a SQLite file.

    Raises
    ------
    StoreUnavailable
        It can't be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {file.parent} of the store can't be made: {error.strerror}. Make it writable for this user, "
            "or choose another tracking URI."
        ) from error


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The very first switch of a new file needs it alone, and SQLite does not wait for that by itself.
    deadline = time.monotonic() + seconds_to_wait()
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(jitter.uniform(0.001, 0.02))


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


def _prepare_postgresql(engine: Engine) -> None:
    event.listen(engine, "do_connect", _limit_connecting)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        # Compiling a search to machine code takes longer than any of ours runs.
        _execute(connection, f"SET lock_timeout = {_milliseconds()}", "SET jit = off")
        connection.commit()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # For this transaction only: who is patient for a moment may get a connection that others have opened.
        if _patience.get() is not None:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_milliseconds()}")


def _limit_connecting(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
    # The drivers count whole seconds, and psycopg takes 1 for 2.
    options.setdefault("connect_timeout", max(2, math.ceil(seconds_to_wait())))


def _milliseconds() -> int:
    # To PostgreSQL, 0 is for ever.
    return max(1, int(seconds_to_wait() * 1000))


def _execute(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


# -- MySQL and MariaDB -----------------------------------------------------------------------------------------------


def _prepare_mysql(engine: Engine) -> None:
    event.listen(engine, "do_connect", _limit_connecting)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        _execute(
            connection,
            # What does not fit is an error, and the default experiment has the id 0.
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'",
            # A clock of local time has an hour that comes twice.
            "SET SESSION time_zone = '+00:00'",
            f"SET NAMES utf8mb4 COLLATE {exact_collation(engine.dialect)}",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            f"SET SESSION innodb_lock_wait_timeout = {_whole_seconds()}",
        )
        connection.commit()
        record.info["patience"] = _patience.get()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        wanted = _patience.get()
        info = connection.info
        if info["patience"] != wanted:
            connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {_whole_seconds()}")
            info["patience"] = wanted
        if not _only_reads(connection):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _whole_seconds() -> int:
    return max(1, math.ceil(seconds_to_wait()))
