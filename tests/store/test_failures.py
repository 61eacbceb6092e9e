"""Deadlocks, lost connections and races for a row: tried again where nothing was written, told where nobody knows."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from fitbook.entities import Metric
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store import Database, SqlStore, open_store, patience, retrying
from fitbook.store import _tables as t
from fitbook.store._failures import TryAgain
from fitbook.testing.store_suite import START, begin


@pytest.fixture(params=["postgresql", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    store = open_store(request.getfixturevalue(request.param))
    yield store
    store.close()


class _Contract(ABC):
    @abstractmethod
    def work(self, *args: Any) -> Any: ...


@retrying
class _Renamer(_Contract):
    """Changes two rows, one after the other; the first time, both workers have one before they want the other's."""

    def __init__(self, database: Database) -> None:
        self.database, self.tries = database, 0
        self.barrier = threading.Barrier(2)

    def work(self, first: int, second: int) -> None:
        self.tries += 1
        again = self.tries > 2
        with self.database.write() as connection:
            for number in (first, second):
                row = t.experiments.c.id == number
                connection.execute(t.experiments.update().where(row).values(last_update_time=first))
                if number == first and not again:
                    self.barrier.wait(30)


def test_of_two_transactions_in_each_other_s_way_both_succeed(store: SqlStore) -> None:
    one, two = (int(store.create_experiment(name)) for name in ("one", "two"))
    renamer = _Renamer(store.database)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(renamer.work, one, two), pool.submit(renamer.work, two, one)]:
            done.result()
    assert renamer.tries == 3
    times = {store.get_experiment(str(number)).last_update_time for number in (one, two)}
    assert times in ({one}, {two})


def test_a_row_that_has_changed_meanwhile_is_worth_another_try(mariadb: str) -> None:
    store = open_store(mariadb)
    with pytest.raises(TryAgain), store.database.write() as connection:
        # What newer versions of MariaDB say by themselves; the standard has no code for it.
        connection.exec_driver_sql("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020")
    store.close()


_OTHERS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
_END = {"postgresql": "SELECT pg_terminate_backend({}, 10000)", "mysql": "KILL {}"}


def _cut(store: SqlStore) -> int:
    """End all connections to the database as its administrator would; return how many there were."""
    engine, dialect = sa.create_engine(store.database.url), store.database.dialect
    with engine.connect() as connection:
        others = connection.exec_driver_sql(_OTHERS[dialect]).scalars().all()
        for number in others:
            connection.exec_driver_sql(_END[dialect].format(number))
    engine.dispose()
    return len(others)


def test_connections_that_were_lost_in_the_pool_are_replaced(store: SqlStore) -> None:
    run_id = begin(store)
    with store.database.read(), store.database.read():
        pass
    assert _cut(store) == 2
    store.log_metric(run_id, Metric("m", 1.0, START))
    assert store.get_run(run_id).data.metrics == {"m": 1.0}


def test_a_connection_that_is_lost_within_a_transaction(store: SqlStore) -> None:
    run_id = begin(store)
    lost: list[str] = []

    def lose(connection: sa.Connection, cursor: Any, statement: str, *args: Any) -> None:
        if statement.startswith("INSERT INTO metrics") and not lost:
            lost.append(statement)
            _cut(store)

    sa.event.listen(store.database.engine, "before_cursor_execute", lose)
    store.log_metric(run_id, Metric("m", 1.0, START))
    assert len(lost) == 1
    assert [m.value for m in store.get_metric_history(run_id, "m")] == [1.0]


def test_a_connection_that_is_lost_at_the_end_is_told(store: SqlStore) -> None:
    run_id = begin(store)
    lost: list[int] = []

    def lose(connection: sa.Connection) -> None:
        if not lost:
            lost.append(1)
            _cut(store)

    sa.event.listen(store.database.engine, "commit", lose)
    with pytest.raises(StoreUnavailable, match="lost while this was written: look whether it is there"):
        store.log_metric(run_id, Metric("m", 1.0, START))
    store.log_metric(run_id, Metric("m", 2.0, START))
    assert [m.value for m in store.get_metric_history(run_id, "m")] == [2.0]


@retrying
class _Failing(_Contract):
    def __init__(self, errors: Iterable[Exception]) -> None:
        self.errors, self.calls = iter(errors), 0

    def work(self, *args: Any) -> Any:
        self.calls += 1
        for error in self.errors:
            raise error
        return args


def _taken() -> IntegrityError:
    return IntegrityError("INSERT", {}, Exception("taken"))


def test_what_is_undone_is_tried_again() -> None:
    failing = _Failing([TryAgain("busy"), _taken(), TryAgain("busy"), _taken()])
    assert failing.work(1, 2) == (1, 2)
    assert failing.calls == 5


def test_a_row_that_is_taken_for_good_is_an_error() -> None:
    failing = _Failing(repeat(_taken()))
    with pytest.raises(IntegrityError, match="taken"):
        failing.work()
    assert failing.calls == 4


def test_patience_ends_trying() -> None:
    failing = _Failing(repeat(TryAgain("busy")))
    with patience(0.05), pytest.raises(StoreUnavailable, match="busy"):
        failing.work()
    assert failing.calls > 1


@pytest.mark.parametrize("error", [InvalidValue("x"), StoreUnavailable("x"), ValueError("x")])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    failing = _Failing([error])
    with pytest.raises(type(error)):
        failing.work()
    assert failing.calls == 1


def test_every_method_of_the_contract_is_tried_again() -> None:
    contract: set[str] = set().union(*(getattr(base, "__abstractmethods__", ()) for base in SqlStore.__mro__))
    assert {name for name in contract if not hasattr(getattr(SqlStore, name), "__wrapped__")} == {"close"}
