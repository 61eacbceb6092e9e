from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from fitbook.entities import Metric
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store import SqlStore, Store, open_store
from fitbook.store._sql import _experiments, _runs
from fitbook.testing.store_suite import START, StoreSuite, begin, draft


class TestDirectory(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(tmp_path / "tracking")
        yield store
        store.close()


class TestFile(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(f"sqlite:///{tmp_path / 'runs.db'}")
        yield store
        store.close()


class TestMemory(StoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store("sqlite://")
        yield store
        store.close()


class TestPostgresql(StoreSuite):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        store = open_store(postgresql)
        yield store
        store.close()


class TestMariadb(StoreSuite):
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


def test_a_tracking_directory_holds_a_database_and_keeps_out_of_git(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "tracking"
    assert (folder / "fitbook.db").is_file()
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"
    location = store.get_experiment("0").artifact_location
    assert location == f"{(folder / 'artifacts').as_uri()}/0"


def test_a_tracking_directory_can_be_moved(store: SqlStore, tmp_path: Path) -> None:
    run_id = begin(store, params={"p": "1"})
    store.close()
    (tmp_path / "tracking").rename(tmp_path / "moved")
    moved = open_store(tmp_path / "moved")
    assert moved.get_run(run_id).info.artifact_uri.startswith((tmp_path / "moved" / "artifacts").as_uri())
    moved.close()


@pytest.mark.parametrize("form", ["path", "text", "file-uri", "spaces"])
def test_the_forms_of_a_tracking_directory_are_one_place(tmp_path: Path, form: str) -> None:
    folder = tmp_path / ("a b%20ü" if form == "spaces" else "plain")
    store = open_store({"path": folder, "text": str(folder)}.get(form, folder.as_uri()))
    run_id = begin(store)
    store.close()
    again = open_store(folder)
    assert again.get_run(run_id).info.run_id == run_id
    again.close()
    assert (folder / "fitbook.db").is_file()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ftp://host/x", "'ftp'"),
        ("file://host/x", "'host'"),
        ("sqlite+nonsense:///x", "nonsense"),
        ("http://h", "'http'"),
    ],
)
def test_uris_that_nobody_speaks_are_refused(uri: str, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        open_store(uri)


@pytest.mark.parametrize("form", ["folder", "url"])
def test_a_store_that_is_not_to_be_made_is_missed(tmp_path: Path, form: str) -> None:
    uri = str(tmp_path / "none") if form == "folder" else f"sqlite:///{tmp_path / 'none' / 'x.db'}"
    with pytest.raises(StoreUnavailable, match="There is no fitbook store"):
        open_store(uri, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["other", "empty", "postgresql", "mariadb"])
def test_whoever_only_reads_makes_no_tables(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    if kind in ("other", "empty"):
        uri = f"sqlite:///{tmp_path}/some.db"
        with closing(sqlite3.connect(tmp_path / "some.db")) as connection:
            connection.execute("CREATE TABLE theirs (a)" if kind == "other" else "VACUUM")
    else:
        uri = request.getfixturevalue(kind)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="There is no fitbook store at .*a script that records"):
            open_store(uri, create=False)
    open_store(uri, create=False, upgrade=True).close()  # whoever upgrades wants them
    store = open_store(uri, create=False)
    assert [e.name for e in store.search_experiments()] == ["Default"]
    store.close()


@pytest.mark.parametrize("name", ["x" * 300, "ü" * 200 + ".db"])
@pytest.mark.parametrize("form", ["{}", "sqlite:///{}/x.db"])
def test_a_place_that_can_not_be_looked_at(tmp_path: Path, form: str, name: str) -> None:
    for create in (True, False):
        with pytest.raises(StoreUnavailable, match="(?i)too long.*another"):
            open_store(form.format(tmp_path / name), create=create)


def test_opening_again_finds_everything_and_makes_nothing(store: SqlStore, tmp_path: Path) -> None:
    run_id = begin(store)
    store.rename_experiment("0", "renamed")
    again = open_store(tmp_path / "tracking")
    assert [e.name for e in again.search_experiments()] == ["renamed"]
    assert again.get_run(run_id) == store.get_run(run_id)
    again.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_an_expression_that_only_the_server_refuses(kind: str, request: pytest.FixtureRequest) -> None:
    store = open_store(request.getfixturevalue(kind))
    store.log_batch(begin(store), params={"p": "1"})
    with pytest.raises(InvalidValue, match="(?i)can't hold or look up .*(repetition|too big)") as caught:
        store.search_runs(["0"], "params.p RLIKE 'a{100000}'")
    assert "SELECT" not in str(caught.value)
    store.close()


def test_a_closed_store_opens_again(store: SqlStore) -> None:
    run_id = begin(store)
    store.close()
    assert store.get_run(run_id).info.run_id == run_id


def test_runs_deleted_in_the_same_millisecond_as_their_experiment(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, before = begin(store, 1), begin(store, 2)
    monkeypatch.setattr(_experiments, "now_ms", lambda: START)
    monkeypatch.setattr(_runs, "now_ms", lambda: START)
    store.delete_run(before)
    store.delete_experiment("0")
    store.restore_experiment("0")
    assert [store.get_run(r).info.lifecycle_stage for r in (kept, before)] == ["active", "deleted"]


def _count(store: SqlStore) -> list[str]:
    statements: list[str] = []
    # The driver tells of each statement, also of those that go past SQLAlchemy.
    listen = "checkout", lambda connection, *_: connection.set_trace_callback(statements.append)
    sa.event.listen(store.database.engine, *listen)
    return statements


def test_a_metric_costs_one_read_and_two_writes(store: SqlStore) -> None:
    run_id = begin(store)
    statements = _count(store)
    store.log_metric(run_id, Metric("m", 1.0, START))
    kinds = [statement.split()[0] for statement in statements]
    assert kinds == ["BEGIN", "SELECT", "INSERT", "INSERT", "COMMIT"]


def test_a_search_takes_as_many_statements_for_forty_runs_as_for_one(store: SqlStore) -> None:
    begin(store, 0, params={"p": "1"}, metrics=[Metric("m", 1.0, START)])
    statements = _count(store)
    store.search_runs(["0"])
    one = len(statements)
    store.create_runs([draft(n, params={"p": "1"}) for n in range(40)])
    statements.clear()
    assert len(store.search_runs(["0"])) == 41
    assert len(statements) == one <= 8


def test_a_failed_write_leaves_nothing(store: SqlStore) -> None:
    run_id = begin(store)

    def allowed(action: int, table: str | None, *args: object) -> int:
        return sqlite3.SQLITE_DENY if (action, table) == (sqlite3.SQLITE_INSERT, "metric_points") else 0

    refuse = "checkout", lambda connection, *_: connection.set_authorizer(allowed)
    sa.event.listen(store.database.engine, *refuse)
    with pytest.raises(StoreUnavailable, match="not authorized"):
        store.log_batch(run_id, [Metric("m", 1.0, START)], {"p": "1"}, {"t": "1"})
    sa.event.remove(store.database.engine, *refuse)
    store.close()
    assert dict(store.get_run(run_id).data.params) == {}
    store.log_batch(run_id, [Metric("m", 1.0, START)], {"p": "1"}, {"t": "1"})
