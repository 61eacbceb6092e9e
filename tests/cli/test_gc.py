from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fitbook import settings
from fitbook.artifacts import LocalArtifacts
from fitbook.cli._collect import parse_age
from fitbook.cli.main import main
from fitbook.entities import RunDraft, ViewType
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store import SqlStore, open_store
from fitbook.store._checking import counts
from fitbook.tracking._backend import Backend
from fitbook.transfer import SOURCE_TAG

Gc = Callable[..., Result]
DAY = 86_400


@pytest.fixture
def store(backend: Backend) -> SqlStore:
    assert isinstance(backend.store, SqlStore)
    return backend.store


@pytest.fixture
def root(uri: str) -> Path:
    return Path(uri) / "artifacts"


@pytest.fixture
def run(store: SqlStore, backend: Backend, draft: Callable[..., RunDraft]) -> Callable[..., str]:
    """Write a run with two files of 150 bytes together, and delete it."""

    def make(number: int, *, deleted: bool = True, **more: Any) -> str:
        made = draft(number, **more)
        store.create_runs([made])
        artifacts = backend.artifacts(made.run_id)
        artifacts.put("a.txt", b"x" * 100)
        artifacts.put("plots/b.txt", b"y" * 50)
        if deleted:
            store.delete_run(made.run_id)
        return made.run_id

    return make


def everything(uri: str) -> dict[str, Any]:
    """Every row and every file."""
    connection = sqlite3.connect(f"{uri}/fitbook.db")
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {table: connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}
    connection.close()
    files = {str(file): file.read_bytes() for file in Path(uri, "artifacts").rglob("*") if file.is_file()}
    return {**rows, "files": files}


def test_deleted_runs_go_with_their_files(fitbook: Gc, store: SqlStore, root: Path, run: Callable[..., str]) -> None:
    gone, kept = run(1, params={"p": "1"}, metrics={"m": 1.0}), run(2, deleted=False)
    said = fitbook("gc", "--yes").output
    assert "In all 0 experiments, 1 run, 2 files of 150 B, 7 rows (runs 1, " in said
    assert store.find_runs(gone) == []
    assert [run.info.run_id for run in store.search_runs(["0"], run_view_type=ViewType.ALL)] == [kept]
    assert [folder.name for folder in (root / "0").iterdir()] == [kept]
    assert len(list((root / "0" / kept).rglob("*.txt"))) == 2
    assert "There is nothing to delete." in fitbook("gc", "--yes").output


def test_a_dry_run_says_exactly_what_would_go_and_changes_nothing(
    fitbook: Gc, store: SqlStore, uri: str, run: Callable[..., str]
) -> None:
    experiment = store.create_experiment("old", tags={"k": "v"})
    newer = store.create_experiment("new")
    ids = [
        run(1, metrics={"a": 1, "b": 2}),
        run(2, experiment_id=experiment),
        run(3, experiment_id=newer, deleted=False),
    ]
    store.delete_experiment(experiment)
    before, rows = everything(uri), counts(store.database)
    said = json.loads(fitbook("gc", "--dry-run", "--json").output)
    assert "Nothing was deleted" in fitbook("gc", "--dry-run").output
    assert everything(uri) == before
    assert [found["run_id"] for found in said["runs"]] == ids[1::-1]
    assert (said["files"], said["bytes"], said["deleted"]) == (4, 300, False)
    assert said["experiments"] == [{"experiment_id": experiment, "name": "old"}]
    done = json.loads(fitbook("gc", "--yes", "--json").output)
    assert done == said | {"deleted": True, "failed": [], "database_bytes_freed": done["database_bytes_freed"]}
    after = counts(store.database)
    lost = {name: rows[name] - after[name] for name in rows if rows[name] != after[name]}
    assert lost == said["rows"] | {"experiments": 1, "experiment_tags": 1}
    assert list(everything(uri)["files"]) == [file for file in before["files"] if ids[2] in file]
    assert not (Path(uri) / "artifacts" / experiment).exists()


def test_it_asks_before_it_deletes(uri: str, store: SqlStore, run: Callable[..., str]) -> None:
    gone = run(1)
    for answer, left in (("n\n", [gone]), ("y\n", [])):
        result = CliRunner().invoke(main, ["--tracking-uri", uri, "gc"], input=answer)
        assert "Delete this for good? [y/N]" in result.output
        assert (result.exit_code, store.find_runs(gone)) == (int(bool(left)), left)


def test_json_asks_nothing(fitbook: Gc, store: SqlStore, run: Callable[..., str]) -> None:
    gone = run(1)
    assert "--dry-run or --yes" in fitbook("gc", "--json", expect=2).output
    assert store.find_runs(gone) == [gone]


def test_only_what_was_deleted_long_ago(fitbook: Gc, store: SqlStore, uri: str, run: Callable[..., str]) -> None:
    young, old = run(1), run(2)
    ages = {"young": store.create_experiment("young"), "old": store.create_experiment("old")}
    for experiment in ages.values():
        store.delete_experiment(experiment)
    store.create_experiment("newest")
    then = int((time.time() - 2 * DAY) * 1000)
    with sqlite3.connect(f"{uri}/fitbook.db") as connection:
        connection.execute("UPDATE runs SET deleted_time = ? WHERE run_id = ?", (then, old))
        connection.execute("UPDATE experiments SET last_update_time = ? WHERE name = 'old'", (then,))
    connection.close()
    assert "There is nothing to delete" in fitbook("gc", "--older-than", "3d", "--yes").output
    fitbook("gc", "--older-than", "30h", "--yes")
    assert [store.find_runs(run_id) for run_id in (young, old)] == [[young], []]
    assert [e.name for e in store.search_experiments(ViewType.DELETED_ONLY)] == ["young"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("30d", 30 * DAY), (" 1 w ", 7 * DAY), ("5min", 300), ("0s", 0)]
)
def test_ages(text: str, seconds: int) -> None:
    assert parse_age(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 days", "1y", "٣d"])
def test_ages_that_are_none(text: str, fitbook: Gc, backend: Backend) -> None:
    with pytest.raises(InvalidValue, match="30d or 12h"):
        parse_age(text)
    fitbook("gc", "--older-than", text, expect=2)


def test_only_what_is_chosen(fitbook: Gc, store: SqlStore, run: Callable[..., str]) -> None:
    a, b = store.create_experiment("a"), store.create_experiment("b")
    runs = [run(n, experiment_id=e, metrics={"m": n}) for n, e in enumerate((a, a, b, b), 1)]

    def left() -> list[str]:
        return [run_id for run_id in runs if store.find_runs(run_id)]

    fitbook("gc", "--yes", "--experiment", "a", "--filter", "metrics.m > 1")
    assert left() == [runs[0], runs[2], runs[3]]
    fitbook("gc", "--yes", "--run", runs[2][:5])
    assert left() == [runs[0], runs[3]]
    fitbook("gc", "--yes", "--experiment", b)
    assert left() == [runs[0]]
    store.delete_experiment(a)
    fitbook("gc", "--yes", "--filter", "metrics.m = 1")
    assert left() == []
    assert store.get_experiment(a).name == "a"
    fitbook("gc", "--yes")
    assert store.get_experiment_by_name("a") is None


def test_bad_choices_are_refused(fitbook: Gc, store: SqlStore, run: Callable[..., str]) -> None:
    active = run(1, deleted=False)
    assert "is not deleted" in fitbook("gc", "--yes", "--run", active, expect=1).output
    assert "No run 'ffff'" in fitbook("gc", "--yes", "--run", "ffff", expect=3).output
    assert "No experiment 'x'" in fitbook("gc", "--yes", "-e", "x", expect=3).output
    assert "character" in fitbook("gc", "--yes", "-f", "metrics.m >", expect=2).output


def test_a_run_that_a_model_version_comes_from_is_kept_and_said(
    fitbook: Gc, backend: Backend, store: SqlStore, root: Path, run: Callable[..., str]
) -> None:
    experiment = store.create_experiment("models")
    used, other = run(1, experiment_id=experiment), run(2, experiment_id=experiment)
    backend.registry.create_registered_model("churn")
    backend.registry.create_model_version("churn", f"{store.get_run(used).info.artifact_uri}/model")
    store.delete_experiment(experiment)
    said = fitbook("gc", "--yes").output
    assert f"kept: run {used[:8]}: the model version churn/1 comes from it" in said
    assert (store.find_runs(used), store.find_runs(other)) == ([used], [])
    assert len(list((root / experiment / used).rglob("*.txt"))) == 2
    assert store.get_experiment(experiment).name == "models"


def test_what_was_interrupted_is_ended_by_the_next(
    fitbook: Gc, store: SqlStore, uri: str, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [run(number) for number in range(1, 5)]
    delete, done = LocalArtifacts.delete, []

    def interrupted(self: LocalArtifacts, path: str) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        delete(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(LocalArtifacts, "delete", interrupted)
        fitbook("gc", "--yes", expect=1)
    assert len(everything(uri)["files"]) == 4
    assert [store.find_runs(run_id) for run_id in runs] == [[run_id] for run_id in runs]
    fitbook("gc", "--yes")
    assert everything(uri)["files"] == {}
    assert [store.find_runs(run_id) for run_id in runs] == [[]] * 4


def test_what_was_interrupted_between_files_and_rows_is_ended_by_the_next(
    fitbook: Gc, store: SqlStore, uri: str, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = store.create_experiment("gone")
    store.create_experiment("newer")
    gone = run(1, experiment_id=experiment)
    store.delete_experiment(experiment)

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    for method in ("purge_runs", "purge_experiments"):
        with monkeypatch.context() as patch:
            patch.setattr(SqlStore, method, interrupted)
            fitbook("gc", "--yes", expect=1)
        assert everything(uri)["files"] == {}
        assert store.find_runs(gone) == ([gone] if method == "purge_runs" else [])
    fitbook("gc", "--yes")
    assert store.get_experiment_by_name("gone") is None


def test_files_that_can_not_be_deleted_keep_their_run(
    fitbook: Gc, store: SqlStore, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, gone = run(1), run(2)
    delete = LocalArtifacts.delete

    def refuse(self: LocalArtifacts, path: str) -> None:
        if path == stuck:
            raise StoreUnavailable("the disk is gone")
        delete(self, path)

    monkeypatch.setattr(LocalArtifacts, "delete", refuse)
    assert f"! {stuck}: the disk is gone" in fitbook("gc", "--yes", expect=1).output
    assert (store.find_runs(stuck), store.find_runs(gone)) == ([stuck], [])


def test_a_run_that_is_restored_while_it_asks_stays(
    fitbook: Gc, store: SqlStore, root: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    back = run(1)
    monkeypatch.setattr("click.confirm", lambda *args, **kwargs: store.restore_run(back))
    fitbook("gc")
    assert store.get_run(back).info.lifecycle_stage == "active"
    assert len(list((root / "0" / back).rglob("*.txt"))) == 2


def orphan(root: Path, name: str, age: float = 2 * DAY) -> Path:
    folder = root / name
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "model.pkl").write_bytes(b"z" * 30)
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (time.time() - age,) * 2)
    return folder


def test_files_of_no_run_are_found_and_deleted_when_asked(fitbook: Gc, root: Path, run: Callable[..., str]) -> None:
    kept = run(1, deleted=False)
    old, lost, young = (
        orphan(root, "0/" + "a" * 32),
        orphan(root, "77/" + "b" * 32),
        orphan(root, "0/" + "c" * 32, DAY / 2),
    )
    other = orphan(root, "0/my-own-folder")
    said = fitbook("gc", "--yes").output
    assert f"kept: {old.as_uri()} of no run (1 file, 30 B): --orphans deletes it" in said
    assert "There is nothing to delete" in said
    assert old.exists()
    said = fitbook("gc", "--dry-run", "--orphans").output
    assert "In all 0 experiments, 0 runs, 2 files of 60 B" in said
    assert old.exists()
    said = fitbook("gc", "--yes", "--orphans").output
    assert f"kept: {young.as_uri()} of no run (1 file, 30 B): it is younger than a day" in said
    assert [path.exists() for path in (old, lost, young, other)] == [False, False, True, True]
    assert len(list((root / "0" / kept).rglob("*.txt"))) == 2


def test_files_of_no_run_that_a_model_version_comes_from_stay(fitbook: Gc, backend: Backend, root: Path) -> None:
    folder = orphan(root, "0/" + "a" * 32)
    backend.registry.create_registered_model("churn")
    backend.registry.create_model_version("churn", f"{folder}/artifacts/model.pkl")
    assert "the model version churn/1 comes from it" in fitbook("gc", "--yes", "--orphans").output
    assert folder.exists()


def test_two_databases_may_share_a_place_for_files(tmp_path: Path, draft: Callable[..., RunDraft]) -> None:
    uris = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    stores = [open_store(uri) for uri in uris]
    stores[1].create_runs([draft(1)])
    place = tmp_path / "fitbook-artifacts"
    folder = orphan(place, "0/" + "01" * 16)
    result = CliRunner().invoke(main, ["--tracking-uri", uris[0], "gc", "--yes", "--orphans"])
    assert "another store may keep it there" in result.output
    assert folder.exists()
    for store in stores:
        store.close()


def test_a_place_that_can_not_be_reached_keeps_its_runs(
    fitbook: Gc, store: SqlStore, draft: Callable[..., RunDraft], run: Callable[..., str]
) -> None:
    away = store.create_experiment("away", "s3://bucket/place")
    there = draft(1, experiment_id=away)
    store.create_runs([there])
    store.delete_run(there.run_id)
    gone = run(2)
    said = fitbook("gc", "--yes").output
    assert f"kept: run {there.run_id[:8]}: The artifact s3://bucket/place" in said
    assert "not looked into: The artifact s3://bucket/place" in said
    assert (store.find_runs(there.run_id), store.find_runs(gone)) == ([there.run_id], [])


def test_files_that_another_tool_keeps_stay(fitbook: Gc, store: SqlStore, tmp_path: Path) -> None:
    # Imported with --no-artifacts: what MLflow has noted of the run lies in the same folder.
    theirs = tmp_path / "mlruns" / "1"
    where = store.create_experiment("linked", theirs.as_uri(), {SOURCE_TAG: theirs.as_uri()})
    store.create_runs([RunDraft(where, "a" * 32, "theirs", "ada", 1)])
    for name in ("meta.yaml", "artifacts/model.pkl"):
        LocalArtifacts(theirs / ("a" * 32)).put(name, b"x")
    store.delete_experiment(where)
    assert "In all 1 experiment, 1 run, 0 files of 0 B" in fitbook("gc", "--yes").output
    assert store.find_runs("a" * 32) == []
    assert len(LocalArtifacts(theirs).find()) == 2


def test_the_database_gets_smaller(fitbook: Gc, store: SqlStore, uri: str, draft: Callable[..., RunDraft]) -> None:
    store.create_runs([draft(number, params={"p": "x" * 100_000}) for number in range(10, 40)])
    for number in range(10, 40):
        store.delete_run(f"{number}" * 16)
    store.close()
    before = Path(uri, "fitbook.db").stat().st_size
    assert "The database is 3" in fitbook("gc", "--yes").output
    assert Path(uri, "fitbook.db").stat().st_size < before / 5


def test_a_database_that_others_read_just_now_stays_as_large(
    fitbook: Gc, store: SqlStore, uri: str, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = run(1, params={"p": "x" * 100_000})
    monkeypatch.setenv(settings.SQLITE_TIMEOUT.name, "0.1")
    reader = sqlite3.connect(f"{uri}/fitbook.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM runs").fetchone()
    said = fitbook("gc", "--yes").stdout
    assert said.endswith("Deleted.\n")
    assert store.find_runs(gone) == []
    reader.close()


def test_a_database_that_can_not_be_made_smaller(
    fitbook: Gc, store: SqlStore, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path) -> int:
        raise StoreUnavailable("it can't be given back yet")

    gone = run(1)
    monkeypatch.setattr("fitbook.cli.gc.give_back_space", refuse)
    assert "! it can't be given back yet" in fitbook("gc", "--yes").stderr
    assert store.find_runs(gone) == []
