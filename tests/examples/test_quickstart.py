"""The first program that a user runs: in a process of its own, warnings being errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import fitbook

ROOT = Path(__file__).parents[2]


def test_quickstart_leaves_the_record_that_it_shows(tmp_path: Path) -> None:
    store = tmp_path / "record"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FITBOOK_TRACKING_URI": str(store)}
    environment["FITBOOK_AUTOLOG_BUDGET_MS"] = "60000"  # however busy the machine is
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "quickstart.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")

    fitbook.set_tracking_uri(store)
    runs = fitbook.search_runs(experiment_names=["quickstart"], output_format="list")
    outer = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert (len(outer), len(runs)) == (6, 12)
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in outer:
        assert run.info.run_name in done.stdout
        assert {"fit_duration_seconds", "fitbook.overhead_ms", "training_score"} <= run.data.metrics.keys()
        assert {"accuracy_score_X_test", "mean_absolute_error_X_test"} & run.data.metrics.keys()

    client = fitbook.Client()
    champion = client.get_model_version_by_alias("breast-cancer", "champion")
    best = max(outer, key=lambda run: run.data.metrics.get("roc_auc_score_X_test", 0))
    assert champion.run_id == best.info.run_id
    assert f"Winner:   {best.info.run_name}, held-out ROC AUC" in done.stdout
    assert len(client.search_model_versions("name = 'breast-cancer'")) == 3
    assert [version.source.rpartition("/")[2] for version in client.search_model_versions("name = 'wine'")] == [
        "best_estimator"
    ]
    assert store.as_uri() in done.stdout
    for run_id in re.findall(r"\b[0-9a-f]{8}\b", done.stdout):
        assert len(client.find_runs(run_id)) == 1
