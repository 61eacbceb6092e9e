from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from fitbook.entities import RunDraft
from fitbook.tracking._backend import Backend, open_backend

Call = Callable[..., Result]
Draft = Callable[..., RunDraft]
RUN = "ab" * 16
META = f"""\
run_id: '{RUN}'
run_name: theirs
user_id: ada
start_time: 1700000000000
end_time: 1700000001000
status: 3
lifecycle_stage: active
artifact_uri: ''
"""


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """A file store of MLflow with one run."""
    run = tmp_path / "mlruns" / "1" / RUN
    (run / "params").mkdir(parents=True)
    (run / "artifacts").mkdir()
    (run.parent / "meta.yaml").write_text("experiment_id: '1'\nname: churn\n")
    (run / "meta.yaml").write_text(META)
    (run / "params" / "lr").write_text("0.1")
    (run / "artifacts" / "a.txt").write_text("a")
    return tmp_path / "mlruns"


def test_an_import_makes_the_store_and_says_what_was_taken(fitbook: Call, mlruns: Path, uri: str) -> None:
    lines = fitbook("import", "mlflow", str(mlruns)).stdout.splitlines()
    assert lines[0].split() == ["taken", "added", "to", "already", "there"]
    assert lines[2].split() == ["runs", "1", "0", "0"]
    assert lines[3].split() == ["files", "1", "0", "0"]
    assert "theirs" in fitbook("runs", "list").stdout
    again = json.loads(fitbook("import", "mlflow", str(mlruns), "--json").stdout)
    assert again["counts"]["runs"] == {"taken": 0, "added_to": 0, "already_there": 1}
    assert again["skipped"] == []


def test_to_names_another_store(fitbook: Call, mlruns: Path, uri: str, tmp_path: Path) -> None:
    fitbook("import", "mlflow", str(mlruns), "--to", str(tmp_path / "other"), "--no-artifacts")
    assert not Path(uri).exists()
    store = open_backend(str(tmp_path / "other")).store
    assert store.get_run(RUN).info.artifact_uri == (mlruns / "1" / RUN / "artifacts").as_uri() or (
        store.get_run(RUN).data.tags.get("fitbook.artifact_source") is None
    )


def test_what_was_not_taken_is_named_and_an_error(fitbook: Call, mlruns: Path) -> None:
    for number in range(25):
        broken = mlruns / "1" / f"{number:032x}"
        broken.mkdir()
        (broken / "meta.yaml").write_text("run_id")
    result = fitbook("import", "mlflow", str(mlruns), expect=1)
    assert "Not taken, or not as it was: 25 × run" in result.stdout
    assert f"  run {0:032x}: meta.yaml is empty" in result.stdout
    assert "… and 5 more" in result.stdout
    assert len(json.loads(fitbook("import", "mlflow", str(mlruns), "--json", expect=1).stdout)["skipped"]) == 25


@pytest.mark.parametrize(("source", "code"), [("none", 4), (".", 2), ("http://127.0.0.1:1", 4), ("http://", 2)])
def test_what_is_no_source_makes_no_store(
    fitbook: Call, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, code: int
) -> None:
    monkeypatch.setattr("fitbook.transfer._http._sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    result = fitbook("import", "mlflow", source, expect=code)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    assert not Path(uri).exists()


def test_a_bar_is_for_terminals(mlruns: Path, uri: str) -> None:
    command = [sys.executable, "-m", "fitbook", "--tracking-uri", uri, "import", "mlflow", str(mlruns)]
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert piped.stderr == ""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    assert b"import" in os.read(ours, 10_000)
    os.close(ours)


def test_an_export_is_a_folder_of_plain_files(fitbook: Call, backend: Backend, draft: Draft, tmp_path: Path) -> None:
    backend.store.create_runs([draft(1, params={"p": "1"}), draft(2)])
    out = tmp_path / "out"
    lines = fitbook("export", "--to", str(out)).stdout.splitlines()
    assert lines[0].split() == ["written", "refreshed", "unchanged"]
    assert lines[2].split() == ["runs", "2", "0", "0"]
    assert len(list(out.glob("*/*/run.json"))) == 2
    restored = ["import", "export", str(out), "--to", str(tmp_path / "restored")]
    assert fitbook(*restored).stdout.splitlines()[2].split() == ["runs", "2", "0", "0"]
    assert open_backend(str(tmp_path / "restored")).store.get_run(draft(1).run_id).data.params == {"p": "1"}
    assert json.loads(fitbook(*restored, "--json").stdout)["counts"]["runs"]["already_there"] == 2
    assert "no export" in fitbook("import", "export", str(tmp_path), expect=2).output
    part = json.loads(fitbook("export", "--to", str(tmp_path / "part"), "--run", "01", "--json").stdout)
    assert part["counts"]["runs"]["taken"] == 1
    fitbook("export", "--to", str(tmp_path / "none"), "--experiment", "none", expect=3)
    fitbook("export", "--to", str(tmp_path / "part"), "--run", "zz", expect=3)


def test_a_missing_store_is_not_made_by_an_export(fitbook: Call, uri: str, tmp_path: Path) -> None:
    fitbook("export", "--to", str(tmp_path / "out"), expect=4)
    assert not Path(uri).exists()
    assert not (tmp_path / "out").exists()


def test_an_interrupted_import_says_how_to_go_on(
    fitbook: Call, mlruns: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fitbook.transfer._importing.Importer.run", interrupted)
    result = fitbook("import", "mlflow", str(mlruns), expect=130)
    assert "the same command goes on" in result.stderr
