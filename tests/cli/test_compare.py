from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from fitbook.entities import RunDraft
from fitbook.tracking._backend import Backend

Call = Callable[..., Result]


@pytest.fixture
def filled(backend: Backend, draft: Callable[..., RunDraft]) -> Backend:
    """Runs 1 and 2, which are versions 1 and 2 of ``churn``; the second is its champion."""
    backend.store.create_runs(
        [draft(n, params={"C": str(n), "same": "x"}, metrics={"accuracy": n / 10, "loss": 1.0 / n}) for n in (1, 2)]
    )
    backend.registry.create_registered_model("churn")
    for n in (1, 2):
        backend.registry.create_model_version("churn", f"runs:/{n}/model", f"{n:02d}" * 16)
    backend.registry.set_registered_model_alias("churn", "champion", 2)
    return backend


def test_runs_and_versions_side_by_side(fitbook: Call, filled: Backend) -> None:
    for sides, heads in (
        (["01", "02"], ["01010101", "02020202"]),
        (["churn/1", "churn@champion"], ["churn/1", "churn/2"]),
        (["models:/churn/1", "02"], ["churn/1", "02020202"]),
    ):
        output = fitbook("compare", *sides).output
        lines = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.strip()}
        assert lines["run"] == heads
        assert lines["C"] == ["1", "2"]
        assert lines["accuracy"] == ["0.1", "0.2", "*"]
        assert lines["loss"] == ["1", "0.5", "*"]
        assert "same" not in lines
    assert "same" in fitbook("compare", "01", "02", "--all").output


def test_json(fitbook: Call, filled: Backend) -> None:
    found = json.loads(fitbook("compare", "churn/1", "churn/2", "--json").output)
    assert found["params"] == {"C": {"churn/1": "1", "churn/2": "2"}}
    assert found["best"]["accuracy"] == ["churn/2"]
    assert found["significance"] == []


def test_a_report(fitbook: Call, filled: Backend, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    assert f"The report is in {file}." in fitbook("compare", "churn/1", "02", "--html", str(file)).output
    assert "churn/1 vs. 02020202" in file.read_text(encoding="utf-8")
    os.remove(file)
    no_folder = fitbook("compare", "churn/1", "02", "--html", str(tmp_path / "no" / "r.html"), expect=2)
    assert "can't be written" in no_folder.output


def test_scores_over_the_same_folds_are_tested(fitbook: Call, backend: Backend, draft: Callable[..., RunDraft]) -> None:
    tags = {"fitbook.search.folds": '{"digest": "d", "ratio": 0.5, "scoring": "None", "metric": "score"}'}
    backend.store.create_runs([draft(1, tags=tags)])
    for n, scores in ((2, (0.5, 0.6, 0.7)), (3, (0.6, 0.8, 0.81))):
        metrics = {f"split{k}_test_score": score for k, score in enumerate(scores)}
        parent = {"mlflow.parentRunId": "01" * 16, "fitbook.candidate": str(n)}
        backend.store.create_runs([draft(n, metrics=metrics, tags=parent)])
    output = fitbook("compare", "02", "03").output
    assert "03030303 - 02020202: score over 3 folds differs by +0.1367 on average, p = 0.113" in output


def test_what_can_not_be_compared(fitbook: Call, filled: Backend) -> None:
    assert "takes two" in fitbook("compare", "01", expect=2).output
    assert "No run '07'" in fitbook("compare", "01", "07", expect=3).output
    assert "'churn/9'" in fitbook("compare", "churn/9", "01", expect=3).output
    assert "Several runs begin with '0'" in fitbook("compare", "0", "01", expect=2).output
