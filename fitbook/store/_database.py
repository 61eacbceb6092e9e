"""One SQL database: its transactions, its tables, and what differs between the engines in what is written."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import operator
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import Executable

from fitbook._log import logger
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store._engines import directly, make_engine, make_folder, reading, seconds_to_wait
from fitbook.store._failures import failure, refuses_value
from fitbook.store._forking import Use
from fitbook.store._tables import SCHEMA_REVISION, metadata, schema_version
from fitbook.store._upgrade import Upgraded, check_upgradable, upgrade
from fitbook.store._urls import hide_password, parsed_url, sqlite_file

# Any number, but always the same: PostgreSQL's advisory locks have no names.
_ALONE = 0x666974

# All that are open here. The registry of at-fork hooks would keep each alive for ever.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_of_the_parent: list[object] = []


def _after_fork() -> None:
    # The parent goes on using its connections: the child neither uses nor closes them, also not by forgetting them.
    for database in list(_databases):
        database._making_lock, database._making = threading.RLock(), False
        database._turn = threading.RLock() if database._turn else None
        _of_the_parent.append(database.engine.pool)
        database.engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    # Drivers complain of connections that were never closed.
    for database in list(_databases):
        database.close()


class Prepared:
    """A statement compiled once, for the paths where compiling, even from a cache, is most of the cost.

    All values of it are parameters: what is written into the statement as a Python value has no place here.
    """

    __slots__ = ("_in_order", "_is_sqlite", "_sql")

    def __init__(self, statement: Executable, engine: Engine, columns: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=engine.dialect, column_keys=columns)  # type: ignore[attr-defined]
        self._sql = str(compiled)
        self._in_order = _taker(compiled.positiontup)
        self._is_sqlite = engine.dialect.name == "sqlite"

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each row of values, which must hold every parameter of the statement."""
        many = [self._in_order(values) for values in rows]
        if not many:
            return
        if self._is_sqlite:
            directly(connection, self._sql, many, many=True)
        else:
            connection.exec_driver_sql(self._sql, many)

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Execute, and give the first row of the result; None if it has none."""
        cursor = self._execute(connection, values)
        row: Sequence[Any] | None = cursor.fetchone()
        cursor.close()
        return row

    def all(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Execute, and give all rows of the result."""
        found: Sequence[Sequence[Any]] = self._execute(connection, values).fetchall()
        return found

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        ordered = self._in_order(values)
        if self._is_sqlite:
            return directly(connection, self._sql, ordered)
        return connection.exec_driver_sql(self._sql, ordered)


def _taker(names: Sequence[str] | None) -> Callable[[Mapping[str, Any]], Any]:
    """Make what takes a statement's parameters out of a row: in order, or, without ``names``, all with their names."""
    if names is None:
        return dict
    if len(names) > 1:
        return operator.itemgetter(*names)
    return lambda values: [values[name] for name in names]


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
    upgrade : bool, optional
        Whether tables of an older fitbook are brought up to date; if not given, only in SQLite.
    create : bool, default True
        Whether the tables are made if there are none.

    Raises
    ------
    StoreUnavailable
        The database can't be opened, is not a database, or holds no tables and none are to be made.
    StoreIncompatible
        It was written by another version of fitbook, with a schema that this one does not know, or does not upgrade.
    """

    def __init__(
        self,
        url: str | sa.URL,
        *,
        prepare: Callable[[], None] | None = None,
        upgrade: bool | None = None,
        create: bool = True,
    ) -> None:
        parsed = parsed_url(url)
        self.url = parsed.render_as_string(hide_password=False)
        self.engine = make_engine(parsed)
        self.dialect = self.engine.dialect.name
        # A database in memory is one connection: its transactions must not interleave.
        self._turn = threading.RLock() if isinstance(self.engine.pool, StaticPool) else None
        self._use = Use(self.close) if self.dialect == "sqlite" and not self._turn else None
        self._reader = reading(self.engine)
        self._inserts: dict[sa.Table, Any] = {}
        _databases.add(self)
        # Drivers complain, too, of connections that were forgotten with whom they belonged to.
        weakref.finalize(self, self.engine.dispose).atexit = False
        self._prepare, self._upgrade, self._may_create = prepare, upgrade, create
        self.upgraded: Upgraded | None = None
        self.file = sqlite_file(parsed)  # None if it is no SQLite file
        self._path = str(self.file or "")
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
    def of_file(
        cls,
        file: Path,
        *,
        prepare: Callable[[], None] | None = None,
        upgrade: bool | None = None,
        create: bool = True,
    ) -> Database:
        """Open a SQLite file, whose path may hold what means something in a URL."""
        return cls(sa.URL.create("sqlite", database=str(file)), prepare=prepare, upgrade=upgrade, create=create)

    def generation(self) -> int:
        """Tell how often the database was found gone since it was opened; if it is gone now, it is made anew first."""
        # While it is made, the new file may have the number of the old one already: that is waited for, too.
        if self.file is not None and (self._making or self.gone()):
            with self._making_lock:
                # Making it takes transactions of its own, which come here too.
                if not self._making and self.gone():
                    self._making = True
                    try:
                        self._make_anew(self.file)
                    finally:
                        self._making = False
        return self._generation

    def gone(self) -> bool:
        """Tell whether the SQLite file was removed or replaced since it was opened; the next transaction makes it anew."""
        return self.file is not None and _identity(self._path) != self._identity

    def write(self) -> contextlib.AbstractContextManager[Connection]:
        """Open one writing transaction; commits at the end of the block, rolls back if it raises."""
        return self._transaction(self.engine)

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a transaction that only reads, and sees one state of the database throughout."""
        return self._transaction(self._reader)

    @contextlib.contextmanager
    def alone(self) -> Iterator[Connection]:
        """Open a writing transaction in whose time no other process has one of these: for making and changing tables."""
        with contextlib.ExitStack() as held:
            # SQLite's transactions are alone anyway. MySQL commits with every change of a table, and PostgreSQL's lock
            # would go before that of the transaction: a connection of its own holds it until all is done.
            if self.dialect == "postgresql":
                keeper = held.enter_context(self.write())
                keeper.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALONE})")
            elif self.dialect != "sqlite":
                keeper = held.enter_context(self.read())
                name = "concat('fitbook ', md5(database()))"
                if keeper.exec_driver_sql(f"SELECT get_lock({name}, {seconds_to_wait()})").scalar() != 1:
                    raise StoreUnavailable(
                        f"Another process makes or changes the tables of {hide_password(self.url)}; try again."
                    )
                held.callback(keeper.exec_driver_sql, f"DO release_lock({name})")
            with self.write() as connection:
                yield connection

    def upsert(
        self,
        table: sa.Table,
        *,
        newer: Sequence[str] = (),
        merged: Mapping[str, sa.ColumnElement[Any]] | None = None,
    ) -> Any:
        """Make an INSERT that overwrites the row with the same primary key.

        Parameters
        ----------
        table : sqlalchemy.Table
            Where to insert.
        newer : sequence of str, optional
            Overwrite only where these columns, compared from left to right, are not less than they were.
        merged : mapping of str to sqlalchemy expression, optional
            Columns that become this instead, whether or not the row is newer; `Database.excluded` names the new row.
        """
        keys = [column.name for column in table.primary_key]
        insert, fresh = self._insert(table), self.excluded(table)
        # MySQL assigns from left to right, and then compares with what it has assigned: as long as the last of the
        # columns that are compared comes first, the rest of the comparison still says the same.
        others = [column.name for column in table.columns if column.name not in (*keys, *newer)] + [*reversed(newer)]
        values: dict[str, Any] = {name: fresh[name] for name in others}
        if newer:
            is_newer = sa.tuple_(*(fresh[name] for name in newer)) >= sa.tuple_(*(table.c[name] for name in newer))
            values = {name: sa.case((is_newer, value), else_=table.c[name]) for name, value in values.items()}
        values |= merged or {}
        if self.dialect in ("mysql", "mariadb"):
            return insert.on_duplicate_key_update(list(values.items()))
        return insert.on_conflict_do_update(index_elements=keys, set_=values)

    def excluded(self, table: sa.Table) -> Any:
        """Name the columns of the row that an `upsert` tries to insert."""
        insert = self._insert(table)
        return insert.inserted if self.dialect in ("mysql", "mariadb") else insert.excluded

    def _insert(self, table: sa.Table) -> Any:
        # MySQL's `excluded` means the row of one INSERT, which therefore has to be the same each time.
        found = self._inserts.get(table)
        if found is None:
            # Each dialect takes a tenth of SQLAlchemy's time to import, and one is used.
            dialect = "mysql" if self.dialect == "mariadb" else self.dialect
            found = importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
            if dialect == "mysql":
                found.inserted  # noqa: B018  # made once, and kept by every copy
            found = self._inserts.setdefault(table, found)
        return found

    def prepare(self, statement: Executable, columns: Sequence[str] | None = None) -> Prepared:
        """Compile a statement for repeated use; ``columns`` are those that an INSERT will be given."""
        return Prepared(statement, self.engine, columns)

    def close(self) -> None:
        """Close all connections; the database can be used again afterwards."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        self.generation()
        with self._use or self._turn or contextlib.nullcontext():
            committing, pool = False, self.engine.pool
            try:
                with engine.begin() as connection:
                    yield connection
                    committing = True
            except sa.exc.TimeoutError as error:
                raise StoreUnavailable(f"All connections to {hide_password(self.url)} are in use: {error}") from error
            except (UnicodeEncodeError, OverflowError) as error:
                raise _refused_value(error) from error
            except DBAPIError as error:
                if isinstance(error, sa.exc.IntegrityError):
                    raise
                if refuses_value(error):
                    raise _refused_value(error.orig) from error
                raise failure(self.url, error, committing=committing) from error
            finally:
                # Closed while this went on: nobody else would close what has gone back to the old connections.
                if pool is not self.engine.pool and pool not in _of_the_parent:
                    pool.dispose()

    def _make_anew(self, file: Path) -> None:
        logger.warning(
            "The store %s was removed or replaced while this process had it open; new runs go to a new one there.", file
        )
        self.engine.dispose()
        make_folder(file)
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
            found = None
        if found is None and not self._may_create:
            raise StoreUnavailable(
                f"There is no fitbook store at {hide_password(self.url)}; a script that records something makes one."
            )
        # Whoever makes the tables may be killed in MySQL before it has written their revision.
        found = self._create() if found is None else found
        if found != SCHEMA_REVISION:
            self._bring_up_to_date(found)

    def _bring_up_to_date(self, found: str | None) -> None:
        place = hide_password(self.url)
        check_upgradable(found, place, wanted=self.dialect == "sqlite" if self._upgrade is None else self._upgrade)
        try:
            with self.alone() as connection:
                done = upgrade(connection)
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"The store at {place} has schema {found!r} and could not be upgraded to {SCHEMA_REVISION!r}. {error}"
            ) from error
        if done is not None:
            self.upgraded = done
            logger.warning("The store at %s was %s.", place, done)

    def _create(self) -> str | None:
        # Whoever is first creates everything; the others find it there.
        with self.alone() as connection:
            if sa.inspect(connection).has_table(schema_version.name):
                found = connection.scalar(sa.select(schema_version.c.version_num))
                if found is not None:
                    return str(found)
            metadata.create_all(connection)
            connection.execute(schema_version.insert(), {"version_num": SCHEMA_REVISION})
        return SCHEMA_REVISION


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_dev


def _refused_value(reason: object) -> InvalidValue:
    return InvalidValue(f"The store can't hold or look up a value that it was given: {reason}")


def _means_missing_table(error: BaseException | None) -> bool:
    text = str(error).lower()
    return "no such table" in text or "does not exist" in text or "doesn't exist" in text
