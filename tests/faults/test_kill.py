"""``kill -9`` at random moments of a search with autologging: the store is sound, and has all that was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fitbook
from fitbook.store import Store, open_store
from fitbook.testing.invariants import problems

# Says on standard output what it was told is written, one line each. Forked, so that each round need not import.
PROGRAM = """
import itertools, os, sys, traceback
import numpy as np
import fitbook
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from fitbook.tracking import _active

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def program(folder):
    say("pid", os.getpid())
    fitbook.set_tracking_uri(folder)
    fitbook.autolog(log_plots=False)
    for turn in itertools.count():
        with fitbook.start_run() as run:
            say("run", run.run_id)
            for step in range(10):
                fitbook.log_metric("loss", step / 2, step=step)
                say("metric", run.run_id, step)
            fitbook.log_params({"a": turn, "b": "x" * 5000})
            fitbook.set_tag("turn", turn)
            say("contents", run.run_id, turn)
            fitbook.log_text("y" * 100_000, "note.txt")
            say("file", run.run_id)
        say("ended", run.run_id)
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(X, y)
        say("fit", _active.last_run_id())
        model = LogisticRegression().fit(X, y)
        fitbook.sklearn.log_model(model, "mine")
        say("model", _active.last_run_id())
        fitbook.end_run()

for folder in sys.stdin:
    if os.fork() == 0:
        try:
            program(folder.strip())
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    say("gone", os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture
def forker() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(fitbook.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def killed(forker: subprocess.Popen[str], folder: Path, seconds: float) -> list[list[str]]:
    """Run the program for so long, and give what it said before it was killed."""
    assert forker.stdin is not None
    assert forker.stdout is not None
    forker.stdin.write(f"{folder}\n")
    forker.stdin.flush()
    _, number = forker.stdout.readline().split()
    time.sleep(seconds)
    os.kill(int(number), signal.SIGKILL)
    said = []
    while (words := forker.stdout.readline().split())[0] != "gone":
        said.append(words)
    assert words == ["gone", "-9"], "the program ended before it was killed"
    return said


@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost(forker: subprocess.Popen[str], tmp_path: Path, full_length: bool) -> None:
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    said: list[list[str]] = []
    for number in range(200 if full_length else 6):
        # Each folder is used again, so that what a killed process has left behind is in the way of the next.
        folder = tmp_path / str(number // 10)
        told = f"round {number} of seed {seed}"
        found = killed(forker, folder, moments.uniform(0, 1.5))
        said += found
        assert problems(folder) == [], told
        if (folder / "fitbook.db").exists():
            store = open_store(folder)
            for kind, *words in found:
                assert_kept(store, folder, kind, *words)
            assert_complete(store)
            store.close()
            assert_all_end(folder)
        else:
            assert found == [], told
    assert {words[0] for words in said} >= {"run", "metric", "contents", "file", "ended"}, "it was never alive for long"


def assert_kept(store: Store, folder: Path, kind: str, run_id: str, number: str = "") -> None:
    run = store.get_run(run_id)
    if kind == "metric":
        steps = [point.step for point in store.get_metric_history(run_id, "loss")]
        assert steps[: int(number) + 1] == list(range(int(number) + 1))
    elif kind == "contents":
        assert run.data.params == {"a": number, "b": "x" * 5000}
        assert run.data.tags["turn"] == number
    elif kind == "file":
        assert (folder / "artifacts/0" / run_id / "artifacts/note.txt").read_text() == "y" * 100_000
    elif kind == "ended":
        assert run.info.status == "FINISHED"
    elif kind == "fit":
        assert "training_score" in run.data.metrics
        assert len(store.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run_id}'")) == 2
    elif kind == "model":
        assert [model.artifact_path for model in store.list_logged_models(run_id)] == ["mine"]


def assert_complete(store: Store) -> None:
    """What is written in one go is there as a whole, or not at all."""
    for run in store.search_runs(["0"], max_results=5000):
        data = run.data
        if "fitbook.candidate" in data.tags:
            assert {"C", "max_iter"} <= data.params.keys()
            assert "mean_test_score" in data.metrics
            assert run.info.status == "FINISHED"
        elif "estimator_name" in data.tags:
            assert "mlflow.user" in data.tags
            assert data.params
            assert run.info.status != "FINISHED" or "training_score" in data.metrics
        else:
            assert ("a" in data.params) == ("b" in data.params)


def assert_all_end(folder: Path) -> None:
    """Nobody renews the leases of the dead: some time later, no run is RUNNING."""
    connection = sqlite3.connect(folder / "fitbook.db")
    with connection:
        connection.execute("UPDATE runs SET lease_until = 1 WHERE status = 'RUNNING'")
    connection.close()
    store = open_store(folder)
    assert {run.info.status for run in store.search_runs(["0"], max_results=5000)} <= {"FINISHED", "FAILED"}
    store.close()
