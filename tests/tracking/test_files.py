from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import fitbook
import fitbook.pyfunc
import fitbook.sklearn
from fitbook.artifacts import open_artifacts
from fitbook.entities import StoredFile
from fitbook.errors import DamagedFile, InvalidValue, NotFound, StoreUnavailable
from fitbook.store import SqlStore, open_store
from fitbook.testing.artifact_suite import bucket, cut, digest, s3_server
from fitbook.testing.store_suite import begin
from fitbook.tracking import _folders
from fitbook.tracking._files import RunFiles

__all__ = ["bucket", "s3_server"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(tmp_path / "tracking")
    yield store
    store.close()


@pytest.fixture(params=["local", "memory", "s3"])
def files(request: pytest.FixtureRequest, store: SqlStore, tmp_path: Path) -> RunFiles:
    places = {"local": lambda: str(tmp_path / "place"), "memory": lambda: f"memory://m-{uuid.uuid4().hex}"}
    places["s3"] = lambda: f"s3://{request.getfixturevalue('bucket')}/a"
    return RunFiles(open_artifacts(places[request.param]()), store, begin(store))


@pytest.fixture
def local(store: SqlStore, tmp_path: Path) -> RunFiles:
    return RunFiles(open_artifacts(tmp_path / "place"), store, begin(store))


def _notes(files: RunFiles) -> dict[str, StoredFile]:
    return {note.path: note for note in files.store.recorded_files(files.run_id)}


def _tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# -- notes -----------------------------------------------------------------------------------------------------------


def test_what_is_put_is_noted_and_reads_back(files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"from a file")
    stored = files.put("a/b", b"content")
    assert stored == StoredFile("a/b", 7, digest(b"content"))
    made = files.put_all({"a/c": tmp_path / "local", "d": b"", "größe/模型 🙂": b"\xc3"})
    assert [file.path for file in made] == ["a/c", "d", "größe/模型 🙂"]
    assert _notes(files) == {file.path: file for file in [stored, *made]}
    assert files.read("a/c") == b"from a file"
    assert files.local_path("größe/模型 🙂").read_bytes() == b"\xc3"
    assert _tree(files.local_path("a")) == {"b": b"content", "c": b"from a file"}
    assert _tree(files.download("a", tmp_path / "to" / "here")) == {"b": b"content", "c": b"from a file"}
    assert files.download("a/b", tmp_path / "to") == tmp_path / "to" / "b"
    assert len(_tree(files.download("", tmp_path / "all"))) == 4
    assert files.put_all({}) == []


def test_many_files_are_noted_in_one_go(local: RunFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    record = local.store.record_files
    monkeypatch.setattr(local.store, "record_files", lambda run, files: (calls.append(len(files)), record(run, files)))
    local.put_all({f"a/{number}": b"1" for number in range(20)})
    assert [count for count in calls if count] == [20]


@pytest.mark.parametrize("change", [b"Content", b"content and more", b""])
def test_a_file_that_something_else_changed_is_not_handed_out(files: RunFiles, tmp_path: Path, change: bytes) -> None:
    files.put_all({"m/model.pkl": b"content", "m/ok": b"1"})
    files.artifacts.put("m/model.pkl", change)
    for call in (
        lambda: files.read("m/model.pkl"),
        lambda: files.local_path("m/model.pkl"),
        lambda: files.local_path("m"),
        lambda: files.local_path(),
        lambda: files.download("m/model.pkl", tmp_path / "to"),
        lambda: files.download("m", tmp_path / "to"),
    ):
        with pytest.raises(DamagedFile) as caught:
            call()
        told = str(caught.value)
        assert "'m/model.pkl'" in told
        assert files.run_id in told
        assert f"found {len(change)} bytes with sha256 {digest(change)}" in told
        assert f"expected 7 bytes with sha256 {digest(b'content')}" in told
        assert "backup" in told
    assert _tree(tmp_path / "to").keys() <= {"m/ok"}
    assert files.read("m/ok") == b"1"
    files.put("m/model.pkl", change)
    assert files.read("m/model.pkl") == change


def test_a_noted_file_that_is_gone_is_missed(files: RunFiles, tmp_path: Path) -> None:
    files.put_all({"m/a": b"1", "m/b": b"2"})
    files.artifacts.delete("m/b")
    for call in (lambda: files.local_path("m"), lambda: files.download("m", tmp_path / "to")):
        with pytest.raises(DamagedFile, match="'m/b'.*found nothing, expected 1 bytes"):
            call()
    with pytest.raises(NotFound):
        files.read("m/b")
    files.delete("m/b")  # there is nothing to remove but the note
    assert _tree(files.local_path("m")) == _tree(files.download("m", tmp_path / "to")) == {"a": b"1"}


def test_files_of_other_tools_pass(files: RunFiles, tmp_path: Path) -> None:
    files.artifacts.put("other/a", b"1")
    assert files.read("other/a") == files.local_path("other/a").read_bytes() == b"1"
    assert _tree(files.download("other", tmp_path)) == {"a": b"1"}
    files.delete("other")
    assert files.find() == []


def test_a_file_is_no_folder(files: RunFiles, tmp_path: Path) -> None:
    files.put_all({"a": b"1", "c/d": b"2", "c0": b"3"})
    clashes: list[dict[str, bytes | Path]] = [{"a/b": b"x"}, {"c": b"x"}, {"a/b/e": b"x", "f": b"x"}]
    for clash in clashes:
        with pytest.raises((InvalidValue, StoreUnavailable), match="can't be"):
            files.put_all(clash)
    files.put_all({"a": b"4", "c/e": b"5"})
    files.download("", tmp_path / "copy")
    assert (tmp_path / "copy" / "a").read_bytes() == b"4"
    assert (tmp_path / "copy" / "c" / "e").read_bytes() == b"5"


def test_what_is_deleted_is_forgotten(files: RunFiles) -> None:
    files.put_all({"a/b": b"1", "a/c": b"2", "ab": b"3"})
    files.delete("a")
    assert list(_notes(files)) == [info.path for info in files.find()] == ["ab"]
    assert [info.path for info in files.list()] == ["ab"]
    with pytest.raises(NotFound, match="'a'"):
        files.delete("a")
    for path in ("../a", ""):
        with pytest.raises(InvalidValue):
            files.delete(path)


def test_a_process_that_dies_between_file_and_note_leaves_a_readable_file(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put("a", b"old")
    record = files.store.record_files

    def dies(run_id: str, stored: list[StoredFile]) -> None:
        if any(file.sha256 for file in stored):
            raise KeyboardInterrupt
        record(run_id, stored)

    with monkeypatch.context() as patched:
        patched.setattr(files.store, "record_files", dies)
        with pytest.raises(KeyboardInterrupt):
            files.put("a", b"new")
    assert files.read("a") == files.local_path("a").read_bytes() == b"new"


def test_one_file_that_fails_costs_no_other_its_note(local: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"1" * 100)
    local.put_all({"a": b"old", "c": b"old"})
    with pytest.raises(StoreUnavailable, match="torn"):
        local.put_all({"b": b"new", "c": cut(tmp_path / "local", 50, OSError(5, "torn")), "d": b"new"})
    notes = _notes(local)
    assert notes["b"].sha256 == digest(b"new")
    assert notes["a"].sha256 == notes["c"].sha256 == digest(b"old")
    assert local.read("c") == b"old"


def test_threads_that_write_and_read_one_file_never_see_damage(local: RunFiles) -> None:
    local.put("a", b"0")
    done = threading.Event()

    def read(_: int) -> int:
        count = 0
        while not done.is_set():
            local.read("a")
            local.local_path("a")
            count += 1
        return count

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read, n) for n in range(2)]
        writers = [pool.submit(lambda n=n: [local.put("a", b"%d" % n * 1000) for _ in range(40)]) for n in range(4)]
        for writer in writers:
            writer.result()
        done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert _notes(local)["a"].sha256 == digest(local.read("a"))


def test_paths_are_refused_before_anything_is_written(files: RunFiles, tmp_path: Path) -> None:
    for bad in ("../T", "/T", "a/../b", "x/" * 351 + "y", 3, None):
        for call in (
            lambda bad=bad: files.put_all({"good": b"1", bad: b"2"}),
            lambda bad=bad: files.read(bad),
            lambda bad=bad: files.download(bad, tmp_path / "to"),
            lambda bad=bad: files.local_path(bad),
        ):
            with pytest.raises(InvalidValue, match="artifact path"):
                call()
    assert files.find() == []
    assert _notes(files) == {}
    assert not (tmp_path / "to").exists()


# -- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_a_thousand_files_goes_there_and_back(
    files: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    for number in range(1000):
        file = source / f"d{number % 10}" / f"größe {number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(str(number).encode() * (number % 5))
    calls: list[int] = []
    record = files.store.record_files
    monkeypatch.setattr(files.store, "record_files", lambda run, made: (calls.append(len(made)), record(run, made)))
    assert len(files.put_folder(source, "in/here")) == 1000
    assert [count for count in calls if count] == [1000]
    assert len(files.find("in/here")) == len(_notes(files)) == 1000
    assert _tree(files.download("in/here", tmp_path / "to")) == _tree(source)


def test_an_empty_folder_is_nothing(files: RunFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert files.put_folder(tmp_path / "empty") == files.find() == []


def test_links_in_a_folder_are_refused_before_anything_is_written(files: RunFiles, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "secret").write_text("secret")
    source = tmp_path / "source"
    for name, target in {
        "file": outside / "secret",
        "dir": outside,
        "dangling": tmp_path / "none",
        "loop": "loop",
    }.items():
        (source / "a" / "b").mkdir(parents=True)
        (source / "a" / "ok").write_text("1")
        (source / "a" / "b" / name).symlink_to(target)
        with pytest.raises(InvalidValue, match=f"{name} is a symbolic link"):
            files.put_folder(source)
        shutil.rmtree(source)
    (source / "a").mkdir(parents=True)
    (source / "a" / "ok").write_text("1")
    (tmp_path / "link").symlink_to(source)
    for spelt in (tmp_path / "link", f"{tmp_path}/link/"):
        with pytest.raises(InvalidValue, match="link is a symbolic link"):
            files.put_folder(spelt)
    os.mkfifo(source / "pipe")
    with pytest.raises(InvalidValue, match="neither a file nor a folder"):
        files.put_folder(source)
    os.unlink(source / "pipe")
    (source / "a:b").write_text("1")
    with pytest.raises(InvalidValue, match="artifact path 'a:b'"):
        files.put_folder(source)
    assert files.find() == []
    assert _notes(files) == {}


def test_a_download_leaves_no_half_files(files: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.put_all({"m/a": b"good", "m/b": b"bad"})
    (tmp_path / "to" / "m").mkdir(parents=True)
    (tmp_path / "to" / "m" / "b").write_bytes(b"was there")
    files.artifacts.put("m/b", b"changed")
    with pytest.raises(DamagedFile):
        files.download("m", tmp_path / "to")
    assert {k: v for k, v in _tree(tmp_path / "to").items() if k != "m/a"} == {"m/b": b"was there"}
    with pytest.raises(StoreUnavailable, match="can't be made"):
        files.download("m/a", tmp_path / "to" / "m" / "b")
    with pytest.raises(NotFound, match="'m/a'"):
        files.download("m/aa", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_downloaded_files_have_the_rights_that_new_files_have(local: RunFiles, tmp_path: Path) -> None:
    local.put("a", b"1")
    (tmp_path / "plain").write_bytes(b"1")
    assert local.download("a", tmp_path / "to").stat().st_mode == (tmp_path / "plain").stat().st_mode


# -- bars ------------------------------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "stderr", "shows"), [(500, _Terminal(), True), (499, _Terminal(), False), (500, io.StringIO(), False)]
)
def test_a_bar_shows_for_many_files_on_a_terminal(
    local: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, stderr: Any, shows: bool
) -> None:
    (tmp_path / "source").mkdir()
    for number in range(count):
        (tmp_path / "source" / str(number)).write_bytes(b"12")
    monkeypatch.setattr(sys, "stderr", stderr)
    local.put_folder(tmp_path / "source", "in")
    local.download("in", tmp_path / "to")
    for text in ("Writing source: 100%", "Reading in: 100%", f"{2 * count / 1000:.2f}k"):
        assert (text in stderr.getvalue()) == shows
    assert shows or stderr.getvalue() == ""


def test_a_bar_shows_for_large_files(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = _Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    for total in (99_999_999, 100_000_000):
        with _folders.progress("Writing", 1, total) as done:
            done(total)
        assert ("100%" in stderr.getvalue()) == (total == 100_000_000)
    monkeypatch.setattr(sys, "stderr", None)
    with _folders.progress("Writing", 1, total) as done:
        done(total)


# -- through the public API ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["../x#y 1", "sqlite:///../y/runs.db", "sub/../z"])
def test_a_store_may_be_named_with_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    fitbook.set_tracking_uri(uri)
    with fitbook.start_run() as run:
        fitbook.log_text("x", "a.txt")
        assert ".." not in fitbook.get_artifact_uri()
    assert Path(fitbook.download_artifacts(f"runs:/{run.info.run_id}/a.txt")).read_text() == "x"


def test_files_and_models_of_an_experiment_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    number = fitbook.create_experiment("remote", artifact_location=f"s3://{bucket}/runs/")
    fitbook.set_experiment(experiment_id=number)
    assert fitbook.get_experiment(number).artifact_location == f"s3://{bucket}/runs"
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/größe.txt"):
        (tmp_path / "folder" / name).write_text(name)
    model = LinearRegression().fit([[0], [1]], [0, 1])
    with fitbook.start_run() as run:
        fitbook.log_artifact(tmp_path / "folder" / "a.txt", "one")
        fitbook.log_artifacts(tmp_path / "folder", "all")
        fitbook.log_dict({"a": 1}, "d.json")
        info = fitbook.sklearn.log_model(model, name="model")
    run_id = run.info.run_id
    assert run.info.artifact_uri == f"s3://{bucket}/runs/{run_id}/artifacts"
    client = fitbook.MlflowClient()
    assert [file.path for file in client.list_artifacts(run_id)] == ["all", "d.json", "model", "one"]
    assert _tree(Path(fitbook.download_artifacts(f"runs:/{run_id}/all"))) == _tree(tmp_path / "folder")
    assert _tree(Path(client.download_artifacts(run_id, "all", tmp_path / "to"))) == _tree(tmp_path / "folder")
    assert (tmp_path / "to" / "all" / "a.txt").exists()
    assert fitbook.sklearn.load_model(info.model_uri).predict([[2]])[0] == pytest.approx(2)
    fitbook.register_model(info.model_uri, "m")
    assert fitbook.pyfunc.load_model("models:/m/1").predict([[2]])[0] == pytest.approx(2)
    client.delete_artifacts(run_id, "all")
    assert [file.path for file in client.list_artifacts(run_id)] == ["d.json", "model", "one"]
    open_artifacts(run.info.artifact_uri).put("model/model.pkl", b"nonsense")
    with pytest.raises(DamagedFile, match=r"model/model\.pkl"):
        fitbook.sklearn.load_model(info.model_uri)


def test_a_bucket_that_is_not_there_costs_an_error_and_no_run(bucket: str) -> None:
    number = fitbook.create_experiment("gone", artifact_location=f"s3://{bucket}-gone/runs")
    fitbook.set_experiment(experiment_id=number)
    with fitbook.start_run() as run:
        with pytest.raises(StoreUnavailable, match=f"bucket '{bucket}-gone' exists"):
            fitbook.log_text("x", "a.txt")
        fitbook.log_metric("m", 1)
    assert fitbook.get_run(run.info.run_id).data.metrics == {"m": 1}


@pytest.mark.parametrize("location", ["s3://b/../x", "s3://key:secret@b/x", "http://h/x", "dbfs:/x", "s3://b/x?y", 3])
def test_an_experiment_is_not_made_at_a_place_that_is_none(location: Any) -> None:
    with pytest.raises(InvalidValue, match="artifact location"):
        fitbook.create_experiment("x", artifact_location=location)
    assert fitbook.get_experiment_by_name("x") is None


def test_what_is_written_at_the_end_of_a_program_reaches_the_bucket(bucket: str, tmp_path: Path) -> None:
    # An address by name has to be looked up, for which the driver starts a thread: too late in what `atexit` calls.
    script = """
import sys, fitbook
from sklearn.linear_model import LinearRegression
fitbook.set_experiment(experiment_id=fitbook.create_experiment("x", artifact_location=sys.argv[1]))
fitbook.autolog()
LinearRegression().fit([[0], [1], [2]], [0, 1, 2])
"""
    address = os.environ["MLFLOW_S3_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
    place = f"s3://{bucket}/end"
    done = subprocess.run(
        [sys.executable, "-c", script, place],
        env={**os.environ, "MLFLOW_S3_ENDPOINT_URL": address},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run = fitbook.search_runs(experiment_names=["x"], output_format="list")[0]
    assert run.info.status == "FINISHED"
    assert {"model/model.pkl", "model/MLmodel", "estimator.html"} <= {
        file.path for file in open_artifacts(run.info.artifact_uri).find()
    }, done.stderr
