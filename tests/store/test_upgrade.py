"""Old databases: upgraded when they are opened, whatever happens meanwhile; new and unknown ones are refused."""

from __future__ import annotations

import math
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from fitbook.cli.main import main
from fitbook.entities import Metric, ViewType
from fitbook.errors import StoreIncompatible, StoreUnavailable
from fitbook.registry import SqlRegistry
from fitbook.store import Database, SqlStore, _tables, _upgrade, open_store

SCHEMAS = Path(__file__).parent / "schemas"
sys.path.insert(0, str(SCHEMAS))
import book  # noqa: E402

sys.path.pop(0)


def build(revision: str, folder: Path) -> Path:
    """Make a tracking directory with the database that a fitbook of that schema has left."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "fitbook.db")
    connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.executescript((SCHEMAS / f"{revision}.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return build("0001", tmp_path / "old")


def raw(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Read every row of a database, and hold SQLite to it that the file is whole."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    tables = [row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')] for table in tables}
    connection.close()
    for row in found["runs"]:
        if row.get("lease_until"):
            row["lease_until"] = "a moment"  # after that of the upgrade
    return found


def revision_of(file: Path) -> str:
    return str(raw(file)["alembic_version"][0]["version_num"])


def contents(store: SqlStore) -> dict[str, Any]:
    """Read everything through the contracts but what the clock said; NaN is not equal to itself, so values as text."""
    registry = SqlRegistry(store.database)
    experiments = sorted(store.search_experiments(ViewType.ALL), key=lambda e: int(e.experiment_id))
    runs = store.search_runs([e.experiment_id for e in experiments], run_view_type=ViewType.ALL)
    return {
        "experiments": [(e.experiment_id, e.name, e.lifecycle_stage, e.tags) for e in experiments],
        "runs": {run.info.run_id: _run(store, run.info.run_id) for run in runs},
        "models": [
            (m.name, m.description, m.tags, m.aliases, [v.version for v in m.latest_versions])
            for m in registry.search_registered_models()
        ],
        "versions": [
            (
                v.name,
                v.version,
                v.current_stage,
                v.description,
                v.source,
                v.run_id,
                v.status,
                v.tags,
                v.aliases,
                v.model_id,
            )
            for v in registry.search_model_versions(order_by=["name ASC", "version_number ASC"])
        ],
    }


def _run(store: SqlStore, run_id: str) -> tuple[Any, ...]:
    run, summaries = store.get_run(run_id), store.get_metric_summaries(run_id)
    history = {key: repr(store.get_metric_history(run_id, key)) for key in summaries}
    place = run.info.artifact_uri.partition("artifacts")[2]
    facts = (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time, run.info.lifecycle_stage)
    models = store.list_logged_models(run_id)
    parent = run.info.parent_run_id
    return facts, parent, place, run.data.params, run.data.tags, repr(summaries), history, run.inputs, models


# -- every released schema -------------------------------------------------------------------------------------------


def test_there_is_a_database_of_every_schema() -> None:
    assert sorted(file.stem for file in SCHEMAS.glob("*.sql")) == sorted([*_upgrade.OLDER, _tables.SCHEMA_REVISION])


@pytest.mark.parametrize("revision", [*_upgrade.OLDER, _tables.SCHEMA_REVISION])
def test_a_store_of_every_schema_opens_with_all_that_is_in_it(revision: str, tmp_path: Path) -> None:
    fresh = open_store(tmp_path / "fresh")
    book.fill(fresh)
    store = open_store(build(revision, tmp_path / "old"))
    assert contents(store) == contents(fresh)
    assert revision_of(tmp_path / "old" / "fitbook.db") == _tables.SCHEMA_REVISION
    store.close()
    fresh.close()


@pytest.mark.parametrize("revision", _upgrade.OLDER)
def test_every_row_of_an_old_store_stays_as_it_is(revision: str, tmp_path: Path) -> None:
    file = build(revision, tmp_path / "old") / "fitbook.db"
    before = raw(file)
    open_store(file.parent).close()
    after = raw(file)
    for table in before.keys() - {"alembic_version"}:
        kept = [{key: row[key] for key in before[table][0]} for row in after[table]]
        assert sorted(kept, key=repr) == sorted(before[table], key=repr), table


def test_what_the_upgrade_fills_in(old: Path) -> None:
    store = open_store(old)
    bounds = {key: (found.min, found.max) for key, found in store.get_metric_summaries(book.PARENT).items()}
    assert bounds == {
        "loss": (0.25, 0.5),
        "diverged": (1.0, 1.0),
        "nothing": (None, None),
        "exploded": (2.0, math.inf),
        "sank": (-math.inf, -1.0),
        "zero": (0.0, 0.0),
        "limits": (-math.inf, math.inf),
        "sum": (0.1 + 0.2, 0.1 + 0.2),
    }
    parents = {run_id: store.get_run(run_id).info.parent_run_id for run_id in (book.CHILD, book.GONE, book.LONE)}
    assert parents == {book.CHILD: book.PARENT, book.GONE: book.PARENT, book.LONE: None}
    week = 7 * 24 * 3600 * 1000
    with store.database.read() as connection:
        leases = connection.execute(sa.select(_tables.runs.c.status, _tables.runs.c.lease_until)).all()
    assert {status: lease is not None for status, lease in leases} == {
        status: status == "RUNNING" for status, _ in leases
    }
    assert all(abs(lease - time.time() * 1000 - week) < 600_000 for _, lease in leases if lease is not None)
    store.close()


@pytest.mark.parametrize("revision", _upgrade.OLDER)
def test_what_is_moved_after_an_upgrade_has_a_history(revision: str, tmp_path: Path) -> None:
    store = open_store(build(revision, tmp_path / "old"))
    registry = SqlRegistry(store.database)
    assert registry.get_model_history("churn") == []
    registry.set_registered_model_alias("churn", "champion", 2, user_id="ada")
    [moved] = registry.get_model_history("churn")
    assert (moved.alias, moved.old, moved.new, moved.user_id) == ("champion", "1", "2", "ada")
    registry.undo_model_move("churn")
    assert registry.get_model_version_by_alias("churn", "champion").version == 1
    store.close()


def test_an_upgraded_store_goes_on_like_a_new_one(old: Path) -> None:
    store = open_store(old)
    store.log_metric(book.PARENT, Metric("loss", 0.125, 1, 9))
    store.correct_param(book.PARENT, "C", "2.0", user_id="ada")
    assert store.get_metric_summaries(book.PARENT)["loss"].min == 0.125
    assert [change.old_value for change in store.get_param_history(book.PARENT)] == ["1.0"]
    store.close()


# -- both ways lead to the same tables -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def two_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URLs of two empty databases of one kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
        return
    server = request.getfixturevalue(f"{request.param}_server")
    with server.database() as one, server.database() as other:
        yield one, other


def shape(url: str) -> set[str]:
    """Describe all tables: what decides what they can hold, and how they are searched."""
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    found = set()
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            kind = f"{column['type'].compile(dialect=engine.dialect)} {getattr(column['type'], 'collation', None)}"
            found.add(f"{table}.{column['name']} {kind} null={column['nullable']} default={column['default']}")
        found.add(f"{table} key {_facts(inspector.get_pk_constraint(table))}")
        found |= {f"{table} foreign {_facts(key)}" for key in inspector.get_foreign_keys(table)}
        found |= {f"{table} unique {_facts(key)}" for key in inspector.get_unique_constraints(table)}
        found |= {f"{table} index {_facts(index)}" for index in inspector.get_indexes(table)}
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT name, wr FROM pragma_table_list WHERE schema = 'main'")
            found |= {f"{name} rowid={not clustered}" for name, clustered in rows if not name.startswith("sqlite_")}
    engine.dispose()
    return found


def _facts(described: Any) -> str:
    return repr(sorted((name, value) for name, value in described.items() if value))


def make_old(url: str) -> None:
    """Make the tables of the first schema."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        _upgrade.migrate(connection, "0001")
    engine.dispose()


def test_a_migrated_database_is_like_a_new_one(two_databases: tuple[str, str]) -> None:
    migrated, fresh = two_databases
    make_old(migrated)
    Database(migrated, upgrade=True).close()
    Database(fresh).close()
    assert shape(migrated) == shape(fresh)


def test_the_newest_dump_has_the_tables_of_today(tmp_path: Path) -> None:
    # Until a schema is released, it may change: `make.py` then writes its dump again.
    build(_tables.SCHEMA_REVISION, tmp_path / "dump")
    Database.of_file(tmp_path / "fresh.db").close()
    assert shape(f"sqlite:///{tmp_path}/dump/fitbook.db") == shape(f"sqlite:///{tmp_path}/fresh.db")


def test_the_first_migration_makes_what_the_first_fitbook_made(old: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/made.db"
    make_old(url)
    assert shape(url) == shape(f"sqlite:///{old}/fitbook.db")


def test_a_new_store_needs_no_migrations(tmp_path: Path) -> None:
    body = "open_store(folder).close(); open_store(folder).close(); print('alembic' in sys.modules)"
    assert run_script(body, tmp_path / "new") == "False\n"


# -- the backup ------------------------------------------------------------------------------------------------------


def backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("fitbook.db.*backup*")) + sorted(folder.glob("*.upgrading*"))


def test_the_database_of_before_is_kept_for_this_user_only(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = raw(old / "fitbook.db")
    open_store(old).close()
    [backup] = backups(old)
    assert re.fullmatch(r"fitbook\.db\.backup-0001-\d{8}T\d{6}Z", backup.name)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert raw(backup) == before
    assert [record.getMessage() for record in caplog.records] == [
        f"The store at sqlite:///{old}/fitbook.db was upgraded from schema '0001' to '0003'; "
        f"as it was before, it is in {backup}."
    ]
    open_store(old).close()
    assert backups(old) == [backup]
    assert len(caplog.records) == 1


def test_what_is_still_in_the_log_is_in_the_backup(old: Path) -> None:
    file = old / "fitbook.db"
    writer = sqlite3.connect(file)
    writer.execute("UPDATE experiments SET name = 'written last' WHERE id = 2")
    writer.commit()
    store = open_store(old)  # the writer is open: nothing was moved from its log into the file
    [backup] = backups(old)
    assert "written last" in [row["name"] for row in raw(backup)["experiments"]]
    assert store.get_experiment("2").name == "written last"
    writer.close()
    store.close()


def test_without_room_for_a_backup_nothing_is_touched(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = raw(old / "fitbook.db")
    full = shutil._ntuple_diskusage(100, 95, 5)  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: full)
        with pytest.raises(StoreUnavailable, match=r"'0001' and could not be upgraded.*no room.*, and 5 are free"):
            open_store(old)
    assert raw(old / "fitbook.db") == before
    assert backups(old) == []
    open_store(old).close()


def test_a_backup_that_fails_half_way(old: Path) -> None:
    # Space ends while the copy is written: said by the real system, of a real limit.
    body = """
        import resource
        from fitbook.errors import StoreUnavailable
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = os.path.getsize(f"{folder}/fitbook.db") // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            open_store(folder)
        except StoreUnavailable as error:
            print(error)
    """
    before = raw(old / "fitbook.db")
    assert "could not be upgraded" in run_script(body, old)
    assert raw(old / "fitbook.db") == before
    assert backups(old) == []


def test_a_damaged_database_is_not_upgraded(old: Path) -> None:
    file = old / "fitbook.db"
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    for page in range(len(content) // size - 8, len(content) // size):
        content[page * size : page * size + 200] = b"\xff" * 200
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged|malformed"):
        open_store(old)
    assert file.read_bytes() == content
    assert backups(old) == []


# -- faults ----------------------------------------------------------------------------------------------------------


def test_a_migration_that_fails_leaves_the_old_database(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = raw(old / "fitbook.db")

    def refuse(connection: sa.Connection) -> None:
        _migrate(connection)
        raise RuntimeError("refused")

    _migrate = _upgrade.migrate
    monkeypatch.setattr(_upgrade, "migrate", refuse)
    with pytest.raises(RuntimeError, match="refused"):
        open_store(old)
    assert raw(old / "fitbook.db") == before
    assert backups(old) == []


PRELUDE = """
    import multiprocessing, os, signal, sys
    import sqlalchemy as sa
    from fitbook.store import open_store
    from fitbook.store import _upgrade

    fork = multiprocessing.get_context("fork")
    folder = sys.argv[1]
"""


def run_script(body: str, *args: object) -> str:
    """Run a program in a process of its own, which may fork; what it prints comes back."""
    program = textwrap.dedent(PRELUDE) + textwrap.dedent(body)
    command = [sys.executable, "-W", "error", "-c", program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_every_third_statement_of_the_upgrade(old: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    shutil.copytree(old, reference)
    before = raw(old / "fitbook.db")
    killed = run_script(
        """
        import shutil
        import alembic.command  # once, not in every child
        import alembic.config

        def work(place, nth):
            count = 0

            def kill(*args):
                nonlocal count
                count += 1
                if count == nth:
                    os.kill(os.getpid(), signal.SIGKILL)

            sa.event.listen(sa.Engine, "before_cursor_execute", kill)
            open_store(place)

        nth, exitcode = 1, -9
        while exitcode == -9:
            place = f"{folder}-{nth}"
            shutil.copytree(folder, place)
            child = fork.Process(target=work, args=(place, nth))
            child.start()
            child.join()
            exitcode, nth = child.exitcode, nth + 3
        print(nth - 3)
        """,
        old,
    )
    rounds = range(1, int(killed), 3)
    assert len(rounds) >= 20
    open_store(reference).close()
    after = raw(reference / "fitbook.db")
    for nth in rounds:
        place = tmp_path / f"old-{nth}"
        file = place / "fitbook.db"
        if revision_of(file) == "0001":
            assert raw(file) == before
        open_store(place).close()
        assert raw(file) == after
        assert {file.name for file in backups(place)} == {backup.name for backup in place.glob("*.backup-0001-*")}


def test_of_processes_that_open_at_once_one_upgrades(old: Path) -> None:
    printed = run_script(
        """
        import logging
        from fitbook._log import logger

        def work(place, barrier, done):
            logger.handlers = [logging.NullHandler()]
            upgrade = _upgrade.migrate
            _upgrade.migrate = lambda connection: (upgrade(connection), done.acquire())
            barrier.wait()
            store = open_store(place)
            assert len(store.search_runs(["1"])) == 3
            store.close()

        barrier, done = fork.Barrier(8), fork.Semaphore(8)
        children = [fork.Process(target=work, args=(folder, barrier, done)) for _ in range(8)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print([child.exitcode for child in children], done.get_value())
        """,
        old,
    )
    assert printed == f"{[0] * 8} 7\n"
    assert len(backups(old)) == 1


# -- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", ["0004", "728d730b5ebd"])
def test_a_newer_or_unknown_schema_is_refused_and_both_are_named(old: Path, found: str) -> None:
    with sqlite3.connect(old / "fitbook.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
    connection.close()
    before = (old / "fitbook.db").read_bytes()
    with pytest.raises(
        StoreIncompatible, match=rf"schema '{found}'.*knows '0003' and can upgrade '0001', '0002'.*newer"
    ):
        open_store(old)
    assert backups(old) == []
    assert raw(old / "fitbook.db")["alembic_version"] == [{"version_num": found}]
    assert len(before) == (old / "fitbook.db").stat().st_size


def test_an_old_store_that_can_only_be_read(old: Path) -> None:
    with pytest.raises(
        StoreUnavailable, match=r"schema '0001' and could not be upgraded to '0003'.*readonly.*writable"
    ):
        open_store(f"sqlite:///file:{old}/fitbook.db?mode=ro&uri=true")
    assert revision_of(old / "fitbook.db") == "0001"
    assert backups(old) == []


# -- servers ---------------------------------------------------------------------------------------------------------


def fill_old_server(url: str, old: Path) -> None:
    """Make a database of the first schema on a server, with the rows of the one in SQLite."""
    engine = sa.create_engine(url)
    found = raw(old / "fitbook.db")
    if engine.dialect.name == "mysql":
        # The first schema left it to the database whether "churn" is "Churn"; the book has both.
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    make_old(url)
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        metadata = sa.MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert(), found[table.name])
    engine.dispose()


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_a_shared_database_is_upgraded_when_somebody_says_so(server_url: str, old: Path, tmp_path: Path) -> None:
    fill_old_server(server_url, old)
    with pytest.raises(
        StoreIncompatible, match=r"schema '0001'.*needs '0003'.*`fitbook --tracking-uri '.*' db upgrade`"
    ):
        open_store(server_url)
    said = CliRunner().invoke(main, ["--tracking-uri", server_url, "db", "upgrade"]).stdout
    assert said.endswith("was upgraded from schema '0001' to '0003'.\n")
    assert "No problems found." in CliRunner().invoke(main, ["--tracking-uri", server_url, "db", "check"]).stdout
    store, expected = open_store(server_url), open_store(old)
    assert contents(store) == contents(expected)
    store.close()
    expected.close()


def test_an_upgrade_goes_on_where_another_was_interrupted(server_url: str, old: Path) -> None:
    # MySQL commits with every change of a table: half an upgrade is what somebody who was killed leaves.
    fill_old_server(server_url, old)
    statements = 0
    while True:
        database = sa.create_engine(server_url)
        statements += 7
        try:
            with database.connect() as connection, connection.begin():
                sa.event.listen(connection, "before_cursor_execute", _Interruption(statements))
                _upgrade.migrate(connection)
            break
        except ZeroDivisionError:
            pass
        finally:
            database.dispose()
    assert statements > 30
    store, expected = open_store(server_url), open_store(old)
    assert contents(store) == contents(expected)
    store.close()
    expected.close()


class _Interruption:
    """Raises before the n-th statement."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, *args: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError
