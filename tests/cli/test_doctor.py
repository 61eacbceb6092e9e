from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from fitbook.entities import RunDraft, RunStatus
from fitbook.store import Database
from fitbook.tracking._backend import Backend

Call = Callable[..., Result]
Draft = Callable[..., RunDraft]
FIRST = "01" * 16


def test_doctor_of_a_healthy_store(fitbook: Call, backend: Backend, uri: str, draft: Draft) -> None:
    backend.store.create_runs([draft(1), draft(2)])
    backend.artifacts(FIRST).put("x.bin", b"x" * 2000)
    backend.registry.create_registered_model("m")
    found = json.loads(fitbook("doctor", "--json").output)
    store = found["store"]
    assert (store["reachable"], store["writable"]) == ("yes", "yes")
    assert (store["runs"], store["experiments"], store["registered models"]) == ("2", "1", "1")
    assert store["artifacts"] == "2.0 kB in 1 file"
    assert store["database"].endswith("kB")
    assert found["versions"]["scikit-learn"][0].isdigit()
    assert found["problems"] == []
    assert "No problems found." in fitbook("doctor").output


def test_doctor_counts_what_is_running(fitbook: Call, backend: Backend, draft: Draft) -> None:
    running = {"status": RunStatus.RUNNING, "end_time": None}

    def said() -> str:
        return str(json.loads(fitbook("doctor", "--json").output)["store"]["running"])

    backend.store.create_runs([draft(1)])
    assert said() == "0"
    backend.store.create_runs([draft(2, lease_seconds=1000, **running)])
    assert said() == "1"
    backend.store.create_runs([draft(3, lease_seconds=0.001, **running), draft(4, **running)])
    time.sleep(0.02)
    assert said().startswith("3, 1 of a dead process")
    assert "1 without a lease" in said()
    backend.store.end_dead_runs()
    assert said().startswith("2, 1 without a lease")


def test_doctor_leaves_the_store_as_it_is(fitbook: Call, backend: Backend, uri: str) -> None:
    before = sorted(Path(uri).rglob("*"))
    fitbook("doctor")
    assert sorted(Path(uri).rglob("*")) == before
    database = Database(f"sqlite:///{uri}/fitbook.db")
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1
    database.close()


def test_doctor_without_a_store_makes_none(fitbook: Call, uri: str) -> None:
    assert "not made yet" in fitbook("doctor").output
    assert not Path(uri).exists()


def test_doctor_where_no_store_can_be_made(fitbook: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = fitbook("doctor", "--tracking-uri", str(tmp_path / "file" / "book"), expect=1)
    assert "not a folder that you may write to" in result.output
    assert "1 problem(s)" in result.output


def test_doctor_of_a_damaged_store(fitbook: Call, uri: str) -> None:
    Path(uri).mkdir()
    Path(uri, "fitbook.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert "not a database" in fitbook("doctor", expect=1).output


def test_doctor_of_a_locked_store(fitbook: Call, backend: Backend, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitbook.cli.doctor.PATIENCE", 0.05)
    other = Database(f"sqlite:///{uri}/fitbook.db")
    with other.write():
        output = fitbook("doctor", expect=1).output
    other.close()
    assert "writable" in output
    assert "locked" in output


def test_doctor_reads_the_environment(fitbook: Call, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_PENDING_MB", "many")
    monkeypatch.setenv("FITBOOK_TRACKING_URL", "typo")
    monkeypatch.setenv("FITBOOK_EXIT_TIMEOUT", "5")
    found = json.loads(fitbook("doctor", "--json", expect=1).output)
    assert found["settings"]["FITBOOK_EXIT_TIMEOUT"] == "5"
    assert len(found["problems"]) == 2
    assert "knows no such variable" in found["settings"]["FITBOOK_TRACKING_URL"]


def test_doctor_counts_what_autologging_hooks(fitbook: Call, backend: Backend) -> None:
    hooked = json.loads(fitbook("doctor", "--json").output)["autologging"]
    assert int(hooked["estimator classes"].split()[0]) > 150
    assert int(hooked["metric functions"].split()[0]) > 50
    assert "sklearn.model_selection.cross_validate" in hooked["functions"]
    assert "fit_transform" in hooked["methods"]
    assert "can't be hooked" not in hooked


def test_doctor_names_what_cannot_be_hooked(fitbook: Call, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.metrics

    before = sklearn.metrics.f1_score
    monkeypatch.setattr(sklearn.metrics, "f1_score", lambda *_: 0.5)
    monkeypatch.delattr(sklearn.metrics, "log_loss")
    found = json.loads(fitbook("doctor", "--json", expect=1).output)
    assert "log_loss" in found["autologging"]["not in this version"].split(", ")
    assert found["problems"] == ["can't be hooked: f1_score: their values are not recorded"]
    monkeypatch.undo()
    assert sklearn.metrics.f1_score is before
    assert sklearn.metrics.f1_score([1, 0], [1, 0]) == 1.0


def test_doctor_does_not_show_passwords(fitbook: Call) -> None:
    said = fitbook("--tracking-uri", "postgresql+psycopg://ada:s3cret@127.0.0.1:1/db", "doctor", expect=1).output
    assert "ada:***@127.0.0.1" in said
    assert "s3cret" not in said
