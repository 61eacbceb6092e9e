from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fitbook.registry import Registry, SqlRegistry
from fitbook.store import SqlStore, open_store
from fitbook.store._checking import counts, problems, repair
from fitbook.testing.collect_suite import CollectSuite, full


@pytest.fixture(params=["directory", "memory", "postgresql", "mariadb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    places = {"directory": str(tmp_path / "book"), "memory": "sqlite://"}
    store = open_store(places.get(request.param) or request.getfixturevalue(request.param))
    yield store
    repair(store.database)
    assert problems(store.database) == []
    store.close()


@pytest.fixture
def registry(store: SqlStore) -> Registry:
    return SqlRegistry(store.database)


class TestCollecting(CollectSuite):
    def test_rows_are_counted_exactly(self, store: SqlStore) -> None:
        runs = [full(store, number, data=f"data {number % 3}") for number in range(6)]
        gone = runs[::2]
        for run_id in gone:
            store.delete_run(run_id)
        before, expected = counts(store.database), store.count_rows(gone)
        store.purge_runs(gone)
        after = counts(store.database)
        assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == expected
        for run_id in runs[1::2]:
            store.delete_run(run_id)
        store.purge_runs(runs)
        left = counts(store.database)
        assert {name for name, count in left.items() if count} == {"experiments"}

    def test_deleting_again_makes_nothing_younger(self, store: SqlStore) -> None:
        run_id = full(store)
        store.delete_run(run_id)
        with store.database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET deleted_time = 1")
        store.delete_run(run_id)
        assert store.deleted_runs(before=2) == [run_id]

    def test_a_purge_that_fails_half_way_has_purged_nothing(self, store: SqlStore) -> None:
        run_id = full(store)
        store.delete_run(run_id)
        before = counts(store.database)

        def refuse(*args: object) -> None:
            if str(args[2]).startswith("DELETE FROM datasets"):
                raise RuntimeError("refused")

        sa.event.listen(store.database.engine, "before_cursor_execute", refuse)
        with pytest.raises(RuntimeError, match="refused"):
            store.purge_runs([run_id])
        sa.event.remove(store.database.engine, "before_cursor_execute", refuse)
        assert counts(store.database) == before
