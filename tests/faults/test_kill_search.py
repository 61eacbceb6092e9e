"""``kill -9`` at random moments of a search, of its process or of a worker: every split that was finished is kept."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import fitbook
from fitbook.entities import Run
from fitbook.store import Store, open_store
from fitbook.testing.invariants import problems

# Every fit says, before it begins, which process it is in: what that process has fitted before is finished. Forked, so
# that each round need not import; workers are made by joblib.
PROGRAM = """
import os, sys, traceback
import numpy as np
import fitbook
from fitbook.autolog.sklearn import _live
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)

class Telling(LogisticRegression):
    def fit(self, X, y):
        begun = os.open(os.environ["BEGUN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(begun, f"{os.getpid()}\\n".encode())
        os.close(begun)
        return super().fit(X, y)

def program(folder, n_jobs):
    os.environ["BEGUN"] = folder + "/begun"
    _live._PAUSE = 0.1
    fitbook.set_tracking_uri(folder)
    fitbook.autolog(log_plots=False, log_models=False)
    for turn in range(1000):
        search = GridSearchCV(Telling(), {"C": np.logspace(-3, 3, 40)}, cv=3, n_jobs=n_jobs, pre_dispatch=4)
        search.fit(X + turn, y)
        # The refit began in this process, and is no split.
        begun = os.open(os.environ["BEGUN"], os.O_WRONLY | os.O_APPEND)
        os.write(begun, f"-{os.getpid()}\\n".encode())
        os.close(begun)

for line in sys.stdin:
    folder, n_jobs = line.split()
    if os.fork() == 0:
        try:
            program(folder, int(n_jobs))
        except Exception as error:
            print("raised", type(error).__name__, flush=True)
            fitbook.flush()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print("gone", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
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


def begin(forker: subprocess.Popen[str], folder: Path, n_jobs: int) -> None:
    assert forker.stdin is not None
    forker.stdin.write(f"{folder} {n_jobs}\n")
    forker.stdin.flush()


def said(forker: subprocess.Popen[str]) -> list[str]:
    assert forker.stdout is not None
    return forker.stdout.readline().split()


def begun(folder: Path) -> list[int]:
    """The processes of all fits that have begun, in their order; negative for the refits that were among them."""
    try:
        return [int(line) for line in (folder / "begun").read_text().splitlines()]
    except FileNotFoundError:
        return []


def wait_for_fits(folder: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    while len(begun(folder)) < number:
        assert time.monotonic() < deadline, "the program does not begin"
        time.sleep(0.01)


def finished(pids: list[int]) -> Counter[int]:
    """How many splits each process has certainly finished: the one that it began last may not be."""
    refits = Counter(-pid for pid in pids if pid < 0)
    all_begun = Counter(pid for pid in pids if pid > 0)
    return Counter({pid: number - 1 - refits[pid] for pid, number in all_begun.items()})


def let_leases_end(folder: Path) -> None:
    connection = sqlite3.connect(folder / "fitbook.db", timeout=30)
    with connection:
        connection.execute("UPDATE runs SET lease_until = 1 WHERE status = 'RUNNING'")
    connection.close()


def kept(store: Store) -> tuple[Counter[int], list[Run]]:
    """How many splits of each process the store has, and all runs."""
    runs = store.search_runs(["0"], max_results=50_000)
    notes: dict[tuple[str, str, int], int] = {}
    for run in runs:
        tags = run.data.tags
        for split, note in enumerate(json.loads(tags.get("fitbook.splits", "[]"))):
            if note:
                notes[tags["mlflow.parentRunId"], tags["fitbook.candidate"], split] = note["pid"]
        for key, value in tags.items():
            if key.startswith("fitbook.split."):
                candidate, _, split_ = key.removeprefix("fitbook.split.").partition(".")
                if split_:
                    notes[run.info.run_id, candidate, int(split_)] = json.loads(value)["pid"]
                else:
                    assert json.loads(value)["params"].keys() == {"C"}
    return Counter(notes.values()), runs


def assert_sound(folder: Path, told: str) -> None:
    pids = begun(folder)
    let_leases_end(folder)
    store = open_store(folder)
    found, runs = kept(store)
    for pid, number in finished(pids).items():
        assert found[pid] >= number, (told, pid, found, number)
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED"}, told
    for run in runs:
        if "fitbook.candidate" in run.data.tags:
            assert {"C", "max_iter"} <= run.data.params.keys(), told
            complete = None not in json.loads(run.data.tags["fitbook.splits"])
            assert complete == (run.info.status == "FINISHED") == ("mean_test_score" in run.data.metrics), told
    store.close()
    assert problems(folder) == [], told


@pytest.mark.timeout(3600)
def test_nothing_finished_is_lost(forker: subprocess.Popen[str], tmp_path: Path, full_length: bool) -> None:
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    for number in range(180 if full_length else 4):
        folder = tmp_path / str(number)
        folder.mkdir()
        begin(forker, folder, 1)
        wait_for_fits(folder, 1)
        time.sleep(moments.uniform(0, 1.5))
        os.kill(begun(folder)[0], signal.SIGKILL)
        assert said(forker) == ["gone", "-9"]
        assert_sound(folder, f"round {number} of seed {seed}")


@pytest.mark.timeout(3600)
def test_nothing_that_workers_have_finished_is_lost(
    forker: subprocess.Popen[str], tmp_path: Path, full_length: bool
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    for number in range(20 if full_length else 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        begin(forker, folder, 2)
        wait_for_fits(folder, moments.randrange(5, 60))
        worker = begun(folder)[-1]
        os.kill(abs(worker), signal.SIGKILL)
        while (words := said(forker))[0] != "gone":
            assert words == ["raised", "TerminatedWorkerError"]
        assert_sound(folder, f"round {number} of seed {seed}")
