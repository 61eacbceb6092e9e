"""The module-level verbs that log to the active run."""

from __future__ import annotations

from pathlib import Path

import pytest

import fitbook
from fitbook.errors import NotFound


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
