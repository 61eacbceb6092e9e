from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa

from fitbook._journal import path_of
from fitbook.entities import RunStatus
from fitbook.store import SqlStore, Store, open_store
from fitbook.testing.lease_suite import LONG, REASON, LeaseSuite, dead
from fitbook.testing.store_suite import begin


class TestDirectory(LeaseSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(tmp_path / "tracking")
        yield store
        store.close()


class TestMemory(LeaseSuite):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store("sqlite://")
        yield store
        store.close()


class TestPostgresql(LeaseSuite):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        store = open_store(postgresql)
        yield store
        store.close()


class TestMariadb(LeaseSuite):
    @pytest.fixture
    def store(self, mariadb: str) -> Iterator[Store]:
        store = open_store(mariadb)
        yield store
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(tmp_path / "tracking")
    yield store
    store.close()


# -- what a dead run's journal holds


def test_what_a_dead_run_has_left_in_its_journal_are_tags_of_it(tmp_path: Path, store: SqlStore) -> None:
    run_id, alive, orderly = dead(store), begin(store, 2, lease_seconds=LONG), begin(store, 3, status="FINISHED")
    paths = [Path(path_of(str(tmp_path / "tracking" / "fitbook.db"), run)) for run in (run_id, alive)]
    notes = [
        f'{"f" * 32} fitbook.split.0.0 {{"test": 1}}',
        f"{orderly} fitbook.split.1.0 {{}}",  # a candidate that is complete has its own
        f'{alive} fitbook.split.2.0 {{"a": "ü b"}}',
        "half an entr",
    ]
    for path in paths:
        path.write_text("\n".join(notes))
    tags = store.get_run(run_id).data.tags
    assert {key: value for key, value in tags.items() if key.startswith("fitbook.split.")} == {
        "fitbook.split.0.0": '{"test": 1}',
        "fitbook.split.2.0": '{"a": "ü b"}',
    }
    assert all(path.exists() for path in paths)  # a process that was asleep only may add to its own yet
    assert not any(key.startswith("fitbook.split.") for key in store.get_run(alive).data.tags)


def _journal_of(tmp_path: Path, run_id: str, about: str = "f" * 32) -> Path:
    path = Path(path_of(str(tmp_path / "tracking" / "fitbook.db"), run_id))
    path.write_text(f'{about} fitbook.split.0.0 {{"test": 1}}\n')
    return path


def test_journals_to_which_nobody_has_added_for_long_are_read_and_removed_when_a_run_dies(
    tmp_path: Path, store: SqlStore
) -> None:
    alive, ended = begin(store, 2, lease_seconds=LONG), begin(store, 3, status="FINISHED")
    names = {"alive": alive, "ended": ended, "fresh": begin(store, 4, status="FINISHED"), "unknown": "9" * 32}
    paths = {name: _journal_of(tmp_path, run_id) for name, run_id in names.items()}
    for name in ("alive", "ended", "unknown"):
        os.utime(paths[name], (1, 1))
    store.end_dead_runs()
    assert all(path.exists() for path in paths.values())
    dead(store)
    store.end_dead_runs()
    assert [name for name, path in paths.items() if path.exists()] == ["alive", "fresh"]
    assert "fitbook.split.0.0" in store.get_run(ended).data.tags
    assert "fitbook.split.0.0" not in store.get_run(alive).data.tags


def test_a_journal_that_can_t_be_read_stays_and_keeps_no_run_alive(tmp_path: Path, store: SqlStore) -> None:
    run_id = dead(store)
    path = Path(path_of(str(tmp_path / "tracking" / "fitbook.db"), run_id))
    path.mkdir()
    os.utime(path, (1, 1))
    assert store.get_run(run_id).info.status == RunStatus.FAILED
    assert path.exists()


# -- who can't write sees the same


def _reader_of(url: str) -> str:
    """The URL of a database file or server, for who may only read."""
    if url.startswith("postgresql"):
        return f"{url}&options={quote_plus('-c default_transaction_read_only=on')}"
    if url.startswith("mysql"):
        return f"{url}&init_command={quote_plus('SET SESSION TRANSACTION READ ONLY')}"
    return f"sqlite:///file:{url.removeprefix('sqlite:///')}?mode=ro&uri=true"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    return str(request.getfixturevalue(request.param))


def _rows(store: SqlStore) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.execute(sa.text("SELECT status, end_time, lease_until FROM runs ORDER BY id")))


def test_who_may_only_read_sees_dead_runs_as_failed(url: str) -> None:
    writer, reader = open_store(url), open_store(_reader_of(url))
    try:
        alive, run_id = begin(writer, lease_seconds=LONG), dead(writer, 2, tags={"t": "1"})
        stored = _rows(writer)
        run = reader.get_run(run_id)
        found = reader.search_runs(["0"], "attributes.status = 'FAILED'", order_by=["attributes.end_time"])
        assert [r.info.run_id for r in found] == [run_id]
        assert [r.info.run_id for r in reader.search_runs(["0"], "attributes.status = 'RUNNING'")] == [alive]
        assert reader.get_run_info(run_id) == run.info == found[0].info
        assert found[0].data.tags == run.data.tags
        assert _rows(writer) == stored
        assert stored[1][0] == RunStatus.RUNNING
        assert writer.get_run(run_id) == _with_places_of(writer, run, run_id)
        assert run.data.tags.keys() == {"mlflow.runName", "t", REASON}
    finally:
        writer.close()
        reader.close()


def _with_places_of(store: Store, run: Any, run_id: str) -> Any:
    # A file that is opened in SQLite's own way has no folder that files could go to.
    return replace(run, info=replace(run.info, artifact_uri=store.get_run_info(run_id).artifact_uri))


def test_a_reader_does_not_wait_for_a_writer_that_takes_long(store: SqlStore, tmp_path: Path) -> None:
    run_id = dead(store)
    holder = sqlite3.connect(tmp_path / "tracking" / "fitbook.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        try:
            # The holder would be waited for much longer than this.
            assert pool.submit(store.get_run, run_id).result(20).info.status == RunStatus.FAILED
            assert _rows(store)[0][0] == RunStatus.RUNNING
        finally:
            holder.close()
    assert store.get_run(run_id).info.status == RunStatus.FAILED
    assert _rows(store)[0][0] == RunStatus.FAILED


# -- what it costs


def test_the_dead_are_found_by_an_index_that_leads_to_nobody_else(store: SqlStore) -> None:
    statement = store._quick_dead._sql
    with store.database.read() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
    assert "ix_runs_lease (lease_until>? AND lease_until<?)" in plan


def test_a_store_that_is_gone_is_not_made_anew_to_renew_leases_in_it(store: SqlStore, tmp_path: Path) -> None:
    run_id = begin(store, lease_seconds=LONG)
    shutil.rmtree(tmp_path / "tracking")
    assert store.renew_leases([run_id], LONG) == []
    assert not (tmp_path / "tracking").exists()
