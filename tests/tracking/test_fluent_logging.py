"""The module-level verbs that log to the active run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.errors import InvalidValue, NotFound, ParamConflict, WrongState
from fitbook.tracking import RunOperations


def test_logging_without_a_run_begins_one() -> None:
    assert fitbook.log_param("p", 1) == 1
    run = fitbook.active_run()
    fitbook.log_metric("m", 2.0)
    fitbook.log_metrics({"n": 1}, step=4)
    fitbook.log_params({"q": 1})
    fitbook.set_tag("t", 1)
    fitbook.set_tags({"u": 1})
    fitbook.delete_tag("u")
    fitbook.log_text("x", "a.txt")
    fitbook.log_dict({}, "b.json")
    fitbook.log_table({"a": [1]}, "c.json")
    fitbook.end_run()
    assert len(fitbook.search_runs()) == 1
    assert dict(run.data.params) == {"p": "1", "q": "1"}
    assert dict(run.data.metrics) == {"m": 2.0, "n": 1.0}
    assert [info.path for info in run.list_artifacts()] == ["a.txt", "b.json", "c.json"]


def test_another_run_than_the_active_one(tmp_path: Path) -> None:
    with fitbook.start_run() as other:
        pass
    (tmp_path / "f").touch()
    with fitbook.start_run() as run:
        fitbook.log_metric("m", 1, run_id=other.run_id)
        fitbook.log_metrics({"n": 1}, run_id=other.run_id)
        fitbook.log_params({"p": 1}, run_id=other.run_id)
        fitbook.log_text("x", "a.txt", run_id=other.run_id)
        fitbook.log_artifact(tmp_path / "f", run_id=other.run_id)
        fitbook.log_artifacts(tmp_path, "all", run_id=other.run_id)
        with pytest.raises(NotFound, match="No run 'ffff"):
            fitbook.log_metric("m", 1, run_id="f" * 32)
        assert (dict(run.data.metrics), run.list_artifacts()) == ({}, [])
    assert dict(other.data.metrics) == {"m": 1.0, "n": 1.0}
    assert "f" in [info.path for info in other.list_artifacts()]


def test_a_param_is_corrected_and_its_history_kept() -> None:
    client = fitbook.Client()
    with fitbook.start_run() as run:
        fitbook.log_params({"lr": 0.1, "other": 1})
        with pytest.raises(ParamConflict, match="correct_param"):
            fitbook.log_param("lr", 0.2)
        fitbook.correct_param("lr", 0.2, "a typo")
    client.correct_param(run.run_id, "lr", 0.3)
    fitbook.correct_param("other", 2, run_id=run.run_id)
    assert dict(run.data.params) == {"lr": "0.3", "other": "2"}
    changes = client.get_param_history(run.run_id, "lr")
    assert [(c.old_value, c.new_value, c.reason) for c in changes] == [("0.1", "0.2", "a typo"), ("0.2", "0.3", "")]
    assert changes[0].user_id == run.info.user_id
    assert {change.key for change in client.get_param_history(run.run_id)} == {"lr", "other"}
    with pytest.raises(NotFound, match="'none'"):
        fitbook.correct_param("none", 1, run_id=run.run_id)


def test_latest_lowest_highest_and_best_of_a_metric() -> None:
    client = fitbook.Client()
    with fitbook.start_run() as run:
        for step, value in enumerate([0.5, 0.1, 0.9, 0.3]):
            fitbook.log_metrics({"val_loss": value, "accuracy": value}, step=step)
    found = client.get_metric_summaries(run.run_id)
    loss, accuracy = found["val_loss"], found["accuracy"]
    assert (loss.latest.value, loss.latest.step, loss.min, loss.max) == (0.3, 3, 0.1, 0.9)
    assert (loss.best, accuracy.best) == (0.1, 0.9)
    history = client.get_metric_history(run.run_id, "accuracy", max_points=2)
    assert [(m.step, m.value) for m in history] == [(0, 0.5), (3, 0.3)]


def test_what_is_not_synchronous_is_waited_for() -> None:
    client = fitbook.Client()
    with fitbook.start_run() as run:
        several: list[Any] = [
            fitbook.log_metric("m", 1, synchronous=False),
            fitbook.log_metrics({"n": 1}, synchronous=False),
            fitbook.log_param("p", 1, synchronous=False),
            fitbook.log_params({"q": 1}, synchronous=False),
            fitbook.set_tag("t", 1, synchronous=False),
            fitbook.set_tags({"u": 1}, synchronous=False),
            client.log_metric(run.run_id, "o", 1, synchronous=False),
            client.log_param(run.run_id, "r", 1, synchronous=False),
            client.set_tag(run.run_id, "v", 1, synchronous=False),
            client.log_batch(run.run_id, synchronous=False),
        ]
        for operations in several:
            assert isinstance(operations, RunOperations)
            operations.wait()
        assert fitbook.log_metric("m", 2) is fitbook.set_tag("t", 2, synchronous=True) is None
        assert fitbook.log_param("s", 2, synchronous=True) == client.log_param(run.run_id, "s", 2) == 2
        fitbook.flush_async_logging()
        fitbook.flush_artifact_async_logging()
    assert (set(run.data.params), set(run.data.metrics)) == (set("pqrs"), set("mno"))


def test_a_stream_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"0123456789" * 300_000)
    with fitbook.start_run() as run, (tmp_path / "local").open("rb") as stream:
        stream.seek(5)
        fitbook.log_stream(stream, "a/s.bin")
        fitbook.Client().log_stream(run.run_id, io.BytesIO(b""), "empty")
        for wrong in (io.StringIO("text"), b"bytes", None):
            with pytest.raises(InvalidValue, match="opened to read bytes"):
                fitbook.log_stream(wrong, "wrong")
    assert run.artifacts.read("a/s.bin") == (tmp_path / "local").read_bytes()[5:]
    assert [info.path for info in run.list_artifacts()] == ["a", "empty"]


def test_files_are_deleted() -> None:
    with fitbook.start_run() as run:
        for name in ("a.txt", "sub/b.txt", "sub/c.txt", "d.txt"):
            fitbook.log_text("x", name)
        fitbook.delete_artifacts("a.txt")
    fitbook.delete_artifacts("sub", run_id=run.run_id)
    assert [info.path for info in run.list_artifacts()] == ["d.txt"]
    with pytest.raises(NotFound, match=r"'a.txt'"):
        fitbook.Client().delete_artifacts(run.run_id, "a.txt")
    for wrong in ("", "../x"):
        with pytest.raises(InvalidValue):
            fitbook.delete_artifacts(wrong, run_id=run.run_id)
    fitbook.delete_run(run.run_id)
    with pytest.raises(WrongState, match="restore"):
        fitbook.delete_artifacts("d.txt", run_id=run.run_id)


def test_what_is_no_data_set_is_refused_before_the_metric_is_written() -> None:
    run = fitbook.start_run()
    for call in (
        lambda: fitbook.log_metric("m", 1, dataset=object()),
        lambda: fitbook.log_metrics({"m": 1}, dataset=object()),
    ):
        with pytest.raises(InvalidValue, match="no data set"):
            call()
    assert dict(run.data.metrics) == {}
