from __future__ import annotations

import json
import multiprocessing
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fitbook.cli.main import main
from fitbook.entities import Metric, RunDraft
from fitbook.store import SqlStore, open_store
from fitbook.testing.collect_suite import full
from fitbook.tracking._backend import Backend

Fitbook = Callable[..., Result]
SCHEMAS = Path(__file__).parents[1] / "store" / "schemas"


@pytest.fixture
def store(backend: Backend) -> SqlStore:
    assert isinstance(backend.store, SqlStore)
    return backend.store


def call(uri: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--tracking-uri", uri, *arguments])


def old_store(folder: Path) -> Path:
    folder.mkdir()
    connection = sqlite3.connect(folder / "fitbook.db")
    connection.executescript((SCHEMAS / "0001.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder / "fitbook.db"


def change(uri: str, *statements: str) -> None:
    """Do to the database what fitbook would not."""
    connection = sqlite3.connect(f"{uri}/fitbook.db")
    for statement in statements:
        assert connection.execute(statement).rowcount != 0, statement
    connection.commit()
    connection.close()


# -- check -----------------------------------------------------------------------------------------------------------


def test_a_sound_store(fitbook: Fitbook, store: SqlStore, uri: str) -> None:
    parent = full(store)
    full(store, 2, tags={"mlflow.parentRunId": parent})
    nan, infinite = float("nan"), float("inf")
    for key, values in {"only nan": [nan], "mixed": [nan, infinite, 1.0, -infinite], "zero": [-0.0, 0.0]}.items():
        store.log_batch(parent, [Metric(key, value, 1, step) for step, value in enumerate(values)])
    store.log_batch(parent, [Metric("same time", value, 1, 0) for value in (3.0, 1.0, 2.0)])
    said = fitbook("db", "check").output
    assert "No problems found." in said
    assert f"sqlite:///{uri}/fitbook.db" in said
    found = json.loads(fitbook("db", "check", "--json").output)
    assert (found["schema"], found["problems"], found["rows"]["runs"]) == ("0003", [], 2)


@pytest.mark.parametrize(
    ("says", "statement"),
    [
        ("present value is not that of their newest point", "UPDATE metrics SET value = 7 WHERE key = 'm'"),
        ("present value is not that of their newest point", "UPDATE metrics SET special = 1"),
        ("present value is not that of their newest point", "DELETE FROM metric_points"),
        ("points of no metric", "DELETE FROM metrics"),
        ("lowest or highest value", "UPDATE metrics SET lowest = -1"),
        ("lowest or highest value", "UPDATE metrics SET highest = NULL"),
        ("name is not what their tag", "UPDATE runs SET name = 'other'"),
        ("name is not what their tag", "UPDATE tags SET value = 'other' WHERE key = 'mlflow.runName'"),
        ("parent is not what their tag", "UPDATE runs SET parent_run_id = 'x'"),
        ("parent is not what their tag", "INSERT INTO tags SELECT id, 'mlflow.parentRunId', run_id FROM runs"),
        ("deleted at no time", "UPDATE runs SET lifecycle_stage = 'deleted'"),
        ("deleted at no time", "UPDATE runs SET deleted_time = 1"),
        ("rows of params without their run", "UPDATE params SET run = 99 WHERE key = 'p'"),
        ("rows of runs without their experiment", "UPDATE runs SET experiment = 99"),
        ("missing parts of the schema, e.g. index ix_runs_newest", "DROP INDEX ix_runs_newest"),
        ("missing parts of the schema, e.g. column runs.lease_until", "ALTER TABLE runs DROP COLUMN lease_until"),
    ],
)
def test_what_disagrees_is_found(fitbook: Fitbook, store: SqlStore, uri: str, says: str, statement: str) -> None:
    full(store)
    store.close()
    dropped = ["DROP INDEX ix_runs_lease"] if "lease_until" in statement else []
    change(uri, *dropped, statement)
    said = fitbook("db", "check", expect=1).output
    assert says in said
    assert "problem(s), marked with '!'." in said


def test_what_an_older_fitbook_left_out_is_filled_in(fitbook: Fitbook, store: SqlStore, uri: str) -> None:
    parent = full(store)
    child = full(store, 2, tags={"mlflow.parentRunId": parent})
    odd = full(store, 3, tags={"mlflow.parentRunId": "ü"})
    store.log_batch(child, [Metric("nan", float("nan"), 1), Metric("inf", float("-inf"), 1)])
    expected = {
        run_id: (store.get_run(run_id), repr(store.get_metric_summaries(run_id))) for run_id in (parent, child, odd)
    }
    change(
        uri,
        "UPDATE metrics SET lowest = NULL WHERE key = 'm'",
        "UPDATE metrics SET highest = 3 WHERE key = 'nan'",
        f"UPDATE runs SET parent_run_id = NULL WHERE run_id = '{child}'",
        f"UPDATE runs SET parent_run_id = '{child}' WHERE run_id = '{parent}'",
    )
    assert "2 problem(s)" in fitbook("db", "check", expect=1).output
    assert "No problems found." in fitbook("db", "check", "--repair").output
    assert {
        run_id: (store.get_run(run_id), repr(store.get_metric_summaries(run_id))) for run_id in expected
    } == expected


def test_an_alias_for_a_version_of_another_model(fitbook: Fitbook, backend: Backend, uri: str) -> None:
    for name in ("one", "two"):
        backend.registry.create_registered_model(name)
        backend.registry.create_model_version(name, "s3://somewhere")
        backend.registry.set_registered_model_alias(name, "best", 1)
    assert "No problems" in fitbook("db", "check").output
    change(uri, "UPDATE model_aliases SET version = 1")
    assert "1 aliases for a version of another model, e.g. best" in fitbook("db", "check", expect=1).output


def test_damage_in_the_file_is_found(fitbook: Fitbook, store: SqlStore, uri: str) -> None:
    full(store)
    store.close()
    file = Path(uri, "fitbook.db")
    connection = sqlite3.connect(file)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_params_number'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    content = bytearray(file.read_bytes())
    content[(page - 1) * size + 3 : (page - 1) * size + 5] = b"\0\0"  # the index has no entries any more
    file.write_bytes(content)
    assert "damage in the file, e.g." in fitbook("db", "check", expect=1).output


def test_checking_makes_and_upgrades_nothing(tmp_path: Path) -> None:
    nothing = call(str(tmp_path / "none"), "db", "check")
    assert (nothing.exit_code, list(tmp_path.iterdir())) == (4, [])
    file = old_store(tmp_path / "old")
    said = call(str(file.parent), "db", "check")
    assert said.exit_code == 4
    assert "has schema '0001'" in said.output
    assert "db upgrade`" in said.output
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == []


# -- upgrade ---------------------------------------------------------------------------------------------------------


def test_upgrade_says_what_it_did(tmp_path: Path) -> None:
    file = old_store(tmp_path / "old")
    first, second = (call(str(file.parent), "db", "upgrade") for _ in range(2))
    [backup] = file.parent.glob("*.backup-*")
    as_json = json.loads(call(str(old_store(tmp_path / "other").parent), "db", "upgrade", "--json").stdout)
    assert (as_json["before"], as_json["schema"], Path(as_json["backup"]).is_file()) == ("0001", "0003", True)
    assert first.exit_code == second.exit_code == 0
    assert f"was upgraded from schema '0001' to '0003'; as it was before, it is in {backup}." in first.stdout
    assert "has the newest schema already: '0003'" in second.stdout
    assert "No problems found." in call(str(file.parent), "db", "check").output


# -- backup ----------------------------------------------------------------------------------------------------------


def test_a_backup_is_whole_and_can_take_the_place_of_the_store(
    fitbook: Fitbook, store: SqlStore, tmp_path: Path
) -> None:
    run_id = full(store)
    said = fitbook("db", "backup", str(tmp_path / "copy")).output
    assert f"in {tmp_path}/copy, checked" in said
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    shutil.move(tmp_path / "copy", other / "fitbook.db")
    again = open_store(other)
    assert again.get_run(run_id).data == store.get_run(run_id).data
    again.close()


def test_where_backups_go(fitbook: Fitbook, store: SqlStore, uri: str, tmp_path: Path) -> None:
    fitbook("db", "backup")
    assert len(list(Path(uri).glob("fitbook.db.backup-0003-*Z"))) == 1
    found = json.loads(fitbook("db", "backup", "--json", str(tmp_path / "named")).stdout)
    assert found == {
        "database": f"{uri}/fitbook.db",
        "backup": f"{tmp_path}/named",
        "bytes": (tmp_path / "named").stat().st_size,
    }
    (tmp_path / "folder").mkdir()
    fitbook("db", "backup", str(tmp_path / "folder"))
    assert len(list((tmp_path / "folder").glob("fitbook.db.backup-0003-*Z"))) == 1
    (tmp_path / "taken").write_text("mine")
    assert "exists already" in fitbook("db", "backup", str(tmp_path / "taken"), expect=1).output
    assert (tmp_path / "taken").read_text() == "mine"
    assert "can't be made" in fitbook("db", "backup", str(tmp_path / "no" / "folder"), expect=4).output
    assert "There is no folder" in fitbook("db", "backup", f"{tmp_path}/none/", expect=4).output
    assert not (tmp_path / "none").exists()


def test_an_old_store_is_backed_up_as_it_is(tmp_path: Path) -> None:
    file = old_store(tmp_path / "old")
    assert call(str(file.parent), "db", "backup", str(tmp_path)).exit_code == 0
    [backup] = tmp_path.glob("fitbook.db.backup-0001-*")
    assert sqlite3.connect(backup).execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("postgresql+psycopg://host/runs", "pg_dump"),
        ("mysql+pymysql://ada:secret@host/runs", "mysqldump"),
        ("sqlite://", "no file to copy"),
    ],
)
def test_other_databases_have_tools_of_their_own(uri: str, says: str) -> None:
    result = call(uri, "db", "backup")
    assert (result.exit_code, says in result.output, "secret" in result.output) == (2, True, False)


def test_what_is_no_store_is_not_backed_up(tmp_path: Path) -> None:
    assert "nothing to back up" in call(str(tmp_path), "db", "backup").output
    (tmp_path / "fitbook.db").write_text("no database, but long enough to be taken for one by its size" * 20)
    result = call(str(tmp_path), "db", "backup", str(tmp_path / "copy"))
    assert (result.exit_code, "no store of fitbook's" in result.output) == (4, True)
    assert not (tmp_path / "copy").exists()


def _write(uri: str, ready: object, stop: object) -> None:
    store, number = open_store(uri), 0
    while not stop.is_set():  # type: ignore[attr-defined]
        number += 1
        store.create_runs(
            [RunDraft("0", f"{number:032x}", "w", "ada", number, params={"n": str(number), "x": "y" * 5000})]
        )
        store.log_metric(f"{number:032x}", Metric("m", number, number))
        ready.set()  # type: ignore[attr-defined]
    store.close()


def test_a_backup_while_others_write(fitbook: Fitbook, store: SqlStore, uri: str, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    ready, stop = fork.Event(), fork.Event()
    writer = fork.Process(target=_write, args=(uri, ready, stop))
    writer.start()
    assert ready.wait(60)
    for number in range(5):
        (tmp_path / f"copy{number}").mkdir()
        fitbook("db", "backup", str(tmp_path / f"copy{number}" / "fitbook.db"))
    stop.set()
    writer.join()
    assert writer.exitcode == 0
    found = [json.loads(call(str(tmp_path / f"copy{n}"), "db", "check", "--json").output) for n in range(5)]
    assert [each["problems"] for each in found] == [[]] * 5
    runs = [each["rows"]["runs"] for each in found]
    assert runs == sorted(runs)
    assert runs[-1] <= len(store.search_runs(["0"], max_results=50_000))


# -- size ------------------------------------------------------------------------------------------------------------


def test_sizes(fitbook: Fitbook, backend: Backend, store: SqlStore, uri: str) -> None:
    other = store.create_experiment("other")
    away = store.create_experiment("away", "s3://bucket/place")
    backend.artifacts(full(store)).put("a.bin", b"x" * 1500)
    run_id = full(store, 2, experiment_id=other)
    for name in ("a", "b"):
        backend.artifacts(run_id).put(name, b"x" * 2_000_000)
    found = json.loads(fitbook("db", "size", "--json").stdout)
    assert {e["name"]: (e["files"], e["bytes"]) for e in found["experiments"]} == {
        "Default": (1, 1500),
        "other": (2, 4_000_000),
        "away": (None, None),
    }
    assert found["database_bytes"] >= Path(uri, "fitbook.db").stat().st_size
    assert found["unused_bytes"] == 0
    said = fitbook("db", "size")
    assert "artifacts  4.0 MB" in said.stdout
    assert "Of the experiment 'away' nothing is known: " in said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines()[4:]] == ["other", "Default", "away"]
    assert away in [e.experiment_id for e in store.search_experiments()]
