"""One SQL database: its engine, its transactions, and what differs between the engines.

SQLite runs in WAL mode, and every writing transaction takes the write lock when it opens (``BEGIN IMMEDIATE``): a
transaction that first reads and then wants to write would fail at once when another process has written in between,
whatever the timeout. Measured figures: docs/decisions/0003-store.md.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import Executable

from fitbook import settings
from fitbook._log import logger
from fitbook.errors import InvalidValue, StoreIncompatible, StoreUnavailable
from fitbook.store._filter_dialects import register_functions
from fitbook.store._tables import SCHEMA_REVISION, metadata, schema_version

# Not the module's functions: they would advance the random numbers of the program.
_random = random.SystemRandom()

_patience: ContextVar[float | None] = ContextVar("fitbook_store_patience", default=None)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Wait at most this long for a locked database, in everything that this block does."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


# All that are open here. The registry of at-fork hooks would keep each alive for ever.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_of_the_parent: list[object] = []


def _after_fork() -> None:
    # The parent goes on using its connections: the child neither uses nor closes them, also not by forgetting them.
    for database in list(_databases):
        database._making_lock, database._making = threading.RLock(), False
        _of_the_parent.append(database.engine.pool)
        database.engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)


class Prepared:
    """A statement compiled once, for the paths where compiling, even from a cache, is most of the cost."""

    __slots__ = ("_order", "_sql")

    def __init__(self, statement: Executable, engine: Engine, columns: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=engine.dialect, column_keys=columns)  # type: ignore[attr-defined]
        self._sql = str(compiled)
        self._order: list[str] | None = compiled.positiontup

    def run(self, connection: Connection, values: Mapping[str, Any]) -> sa.CursorResult[Any]:
        """Execute with ``values``, which must hold every parameter of the statement."""
        if self._order is None:
            return connection.exec_driver_sql(self._sql, dict(values))
        return connection.exec_driver_sql(self._sql, tuple([values[key] for key in self._order]))


class Database:
    """A database that holds fitbook's tables; created, if it is new, when it is opened.

    Safe to use from several threads, and from a process forked after it was opened.

    A SQLite file that is removed or replaced while it is open here is noticed by the next transaction, and made anew:
    what is written to a file without a name is gone when the process ends.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL. ``sqlite://`` is a database in memory, which ends with the process.
    prepare : callable, optional
        Makes the folder of a SQLite file, where that takes more than a folder.

    Raises
    ------
    StoreUnavailable
        The database can't be opened, or is not a database.
    StoreIncompatible
        It was written by another version of fitbook, with a schema that this one does not know.
    """

    def __init__(self, url: str | sa.URL, *, prepare: Callable[[], None] | None = None) -> None:
        parsed = _parsed(url)
        self.url = parsed.render_as_string(hide_password=False)
        try:
            self.engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else sa.create_engine(parsed)
        except (ArgumentError, NoSuchModuleError) as error:
            raise _no_url(url, error) from error
        except ModuleNotFoundError as error:
            raise StoreUnavailable(
                f"The tracking URI {parsed!r} needs the Python package {error.name!r}; install it."
            ) from error
        self.dialect = self.engine.dialect.name
        # A database in memory is one connection: its transactions must not interleave.
        self._turn = threading.RLock() if isinstance(self.engine.pool, StaticPool) else None
        self._reader = self.engine.execution_options(fitbook_reads=True)
        _databases.add(self)
        self._prepare = prepare
        self._file = sqlite_file(parsed)
        self._path = str(self._file or "")
        self._identity: tuple[int, int] | None = None
        self._making_lock, self._making = threading.RLock(), True
        self._generation = 0
        # Puts in what a new database needs besides its tables; weak, for its owner also owns this database.
        self.fill: weakref.WeakMethod[Callable[[], None]] | None = None
        try:
            self._create_or_check()
        except BaseException:
            self.close()
            raise
        self._identity, self._making = _identity(self._path), False

    @classmethod
    def of_file(cls, file: Path, *, prepare: Callable[[], None] | None = None) -> Database:
        """Open a SQLite file, whose path may hold what means something in a URL."""
        return cls(sa.URL.create("sqlite", database=str(file)), prepare=prepare)

    def generation(self) -> int:
        """Tell how often the database was found gone since it was opened; if it is gone now, it is made anew first."""
        # While it is made, the new file may have the number of the old one already: that is waited for, too.
        if self._file is not None and (self._making or _identity(self._path) != self._identity):
            with self._making_lock:
                # Making it takes transactions of its own, which come here too.
                if not self._making and _identity(self._path) != self._identity:
                    self._making = True
                    try:
                        self._make_anew(self._file)
                    finally:
                        self._making = False
        return self._generation

    def write(self) -> contextlib.AbstractContextManager[Connection]:
        """Open one writing transaction; commits at the end of the block, rolls back if it raises."""
        return self._transaction(self.engine)

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a transaction that only reads, and sees one state of the database throughout."""
        return self._transaction(self._reader)

    def upsert(
        self,
        table: sa.Table,
        *,
        newer: sa.ColumnElement[bool] | None = None,
        merged: Mapping[str, sa.ColumnElement[Any]] | None = None,
    ) -> Any:
        """Make an INSERT that overwrites the row with the same primary key.

        Parameters
        ----------
        table : sqlalchemy.Table
            Where to insert.
        newer : sqlalchemy condition, optional
            Overwrite only where this holds; `Database.excluded` names the new row in it.
        merged : mapping of str to sqlalchemy expression, optional
            Columns that become this instead, whether or not the row is newer.
        """
        keys = [column.name for column in table.primary_key]
        others = [column.name for column in table.columns if column.name not in keys]
        insert, fresh = self._insert(table), self.excluded(table)
        values: dict[str, Any] = {name: fresh[name] for name in others}
        if newer is not None:
            values = {name: sa.case((newer, value), else_=table.c[name]) for name, value in values.items()}
        values |= merged or {}
        if self.dialect in ("mysql", "mariadb"):
            # MySQL assigns from left to right, so what the condition reads is assigned last.
            parts = () if newer is None else sa.sql.visitors.iterate(newer)
            read = {part.name for part in parts if isinstance(part, sa.Column)}
            return insert.on_duplicate_key_update(sorted(values.items(), key=lambda item: item[0] in read))
        return insert.on_conflict_do_update(index_elements=keys, set_=values)

    def excluded(self, table: sa.Table) -> Any:
        """Name the columns of the row that an `upsert` tries to insert."""
        insert = self._insert(table)
        return insert.inserted if self.dialect in ("mysql", "mariadb") else insert.excluded

    def _insert(self, table: sa.Table) -> Any:
        # Each dialect takes a tenth of SQLAlchemy's time to import, and one is used.
        dialect = "mysql" if self.dialect == "mariadb" else self.dialect
        return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)

    def prepare(self, statement: Executable, columns: Sequence[str] | None = None) -> Prepared:
        """Compile a statement for repeated use; ``columns`` are those that an INSERT will be given."""
        return Prepared(statement, self.engine, columns)

    def close(self) -> None:
        """Close all connections; the database can be used again afterwards."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        self.generation()
        with self._turn or contextlib.nullcontext():
            try:
                with engine.begin() as connection:
                    yield connection
            except (UnicodeEncodeError, OverflowError, sa.exc.DataError) as error:
                raise InvalidValue(f"The store can't hold or look up a value that it was given: {error}") from error
            except DBAPIError as error:
                if isinstance(error, sa.exc.IntegrityError):
                    raise
                raise _unavailable(self.url, error) from error

    def _make_anew(self, file: Path) -> None:
        logger.warning(
            "The store %s was removed or replaced while this process had it open; new runs go to a new one there.", file
        )
        self.engine.dispose()
        _make_folder(file)
        if self._prepare is not None:
            self._prepare()
        self._create_or_check()
        fill = self.fill() if self.fill is not None else None
        if fill is not None:
            fill()
        self._identity = _identity(self._path)
        self._generation += 1

    def _create_or_check(self) -> None:
        try:
            with self.read() as connection:
                found = connection.scalar(sa.select(schema_version.c.version_num))
        except StoreUnavailable as error:
            if not _means_missing_table(error.__cause__):
                raise
            found = self._create()
        if found != SCHEMA_REVISION:
            raise StoreIncompatible(
                f"The store at {_hide_password(self.url)} has schema {found!r}; this fitbook knows {SCHEMA_REVISION!r}. "
                "Open it with the version of fitbook that wrote it, or a newer one."
            )

    def _create(self) -> str | None:
        # Whoever gets the write lock first creates everything in one transaction; the others find it there.
        with self.write() as connection:
            if sa.inspect(connection).has_table(schema_version.name):
                found = connection.scalar(sa.select(schema_version.c.version_num))
                if found is not None:
                    return str(found)
            metadata.create_all(connection)
            connection.execute(schema_version.insert(), {"version_num": SCHEMA_REVISION})
        return SCHEMA_REVISION


def sqlite_file(url: str | sa.URL) -> Path | None:
    """Tell which file a database URL means; None for other databases, one in memory, and SQLite's own ``file:`` URIs."""
    parsed = _parsed(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:"):
        return None
    return Path(name).absolute()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_dev


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {file.parent} of the store can't be made: {error.strerror}. Make it writable for this user, "
            "or choose another tracking URI."
        ) from error


def absolute_url(url: str) -> str:
    """Make the path of a SQLite file absolute; every other URL stays as it is."""
    file = sqlite_file(url)
    if file is None or Path(_parsed(url).database or "").is_absolute():
        return url
    return _parsed(url).set(database=str(file)).render_as_string(hide_password=False)


def _parsed(url: str | sa.URL) -> sa.URL:
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _no_url(url, error) from error


def _no_url(url: object, error: Exception) -> InvalidValue:
    return InvalidValue(f"The tracking URI {str(url)!r} is not a database URL that can be used here: {error}")


def _sqlite_engine(url: sa.URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    file = sqlite_file(url)
    if file is not None:
        _make_folder(file)
    engine = sa.create_engine(
        url,
        connect_args={"timeout": settings.SQLITE_TIMEOUT.get(), "check_same_thread": False, "isolation_level": None},
        **({"poolclass": StaticPool} if in_memory else {"pool_size": 5, "max_overflow": 60}),
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={int(_seconds_to_wait() * 1000)}")
        register_functions(connection)
        if not in_memory:
            _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        record.info["patience"] = _patience.get()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        wanted = _patience.get()
        info = connection.info
        if info["patience"] != wanted:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(_seconds_to_wait() * 1000)}")
            info["patience"] = wanted
        reads = connection.get_execution_options().get("fitbook_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _seconds_to_wait() -> float:
    wanted = _patience.get()
    return settings.SQLITE_TIMEOUT.get() if wanted is None else wanted


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The very first switch of a new file needs it alone, and SQLite does not wait for that by itself.
    deadline = time.monotonic() + _seconds_to_wait()
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_random.uniform(0.001, 0.02))


def _means_missing_table(error: BaseException | None) -> bool:
    text = str(error).lower()
    return "no such table" in text or "does not exist" in text or "doesn't exist" in text


def _unavailable(url: str, error: DBAPIError) -> StoreUnavailable:
    reason = str(error.orig).strip()
    lowered = reason.lower()
    if "locked" in lowered or "busy" in lowered:
        advice = "Another process holds its write lock; try again, or raise FITBOOK_SQLITE_TIMEOUT."
    elif "readonly" in lowered or "read-only" in lowered:
        advice = "Make the file and its folder writable for this user, or choose another tracking URI."
    elif "malformed" in lowered or "not a database" in lowered:
        advice = "The file is damaged or not a database: restore it from a backup, or choose another tracking URI."
    elif "full" in lowered:
        advice = "The disk is full: make room."
    elif "unable to open" in lowered:
        advice = "Check that the folder exists and is writable for this user, or choose another tracking URI."
    else:
        advice = "Check that the database is there, and that this user may read and write it."
    return StoreUnavailable(f"The store at {_hide_password(url)} can't be used: {reason}. {advice}")


def _hide_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
