"""Fits in processes that joblib does not know of."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import fitbook
from fitbook.entities import Run
from fitbook.store import patience
from fitbook.tracking._backend import current

Runs = Callable[[], list[Run]]

PROGRAM = """
import json, multiprocessing, os
from concurrent.futures import ProcessPoolExecutor

import fitbook
from sklearn.linear_model import Ridge

fitbook.autolog(log_plots=False)  # not only in the main process: those that are spawned come along here, too

def fit(alpha):
    Ridge(alpha=alpha).fit([[0], [1], [2]], [0, 1, 2])
    return alpha

def gone(alpha):
    fit(alpha)
    os._exit(3)

if __name__ == "__main__":
    with fitbook.start_run() as run:
        Ridge(alpha=0).fit([[0], [1], [2]], [0, 1, 2])
        for place, (method, ways) in enumerate({"fork": "abc", "spawn": "b", "forkserver": "c"}.items(), 1):
            context = multiprocessing.get_context(method)
            if "a" in ways:
                process = context.Process(target=fit, args=(100 * place,))
                process.start()
                process.join()
                assert process.exitcode == 0
            if "b" in ways:
                with context.Pool(1) as pool:
                    pool.map(fit, [100 * place + 1, 100 * place + 2])
            if "c" in ways:
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    list(pool.map(fit, [100 * place + 3]))
            if method == "fork":
                process = context.Process(target=gone, args=(199,))
                process.start()
                process.join()
                assert process.exitcode == 3
    print(json.dumps(run.info.run_id))
"""


def test_each_fit_in_a_process_of_multiprocessing_s_is_one_complete_run(
    script: Callable[..., Any], tmp_path: Any, runs: Runs
) -> None:
    done = script(PROGRAM)
    assert (done.returncode, done.stderr) == (0, "")
    mine = json.loads(done.stdout)
    fitbook.set_tracking_uri(tmp_path / "fitbook-runs")
    found = {float(run.data.params["alpha"]): run for run in runs()}
    forked = {100, 101, 102, 103, 199}
    assert set(found) == {0, *forked, 201, 202, 303}
    assert len(runs()) == len(found)
    assert found[0].info.run_id == mine
    for alpha, run in found.items():
        assert run.info.status == "FINISHED"
        assert "training_score" in run.data.metrics
        parent = run.data.tags.get("mlflow.parentRunId")
        assert parent == (mine if alpha in forked else None)


DIES = """
import os, sys
import fitbook, joblib
from sklearn.linear_model import Ridge

class Dies(Ridge):
    def fit(self, X, y):
        os.kill(os.getpid(), 9)

fitbook.autolog(log_plots=False)
try:
    joblib.Parallel(n_jobs=2)(joblib.delayed(kind().fit)([[0], [1]], [0, 1]) for kind in (Ridge, Dies))
except Exception as error:
    print(type(error).__name__)
"""


def test_the_run_of_a_worker_that_was_killed_fails_when_its_lease_ends(
    script: Callable[..., Any], tmp_path: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = script("import os\nos.environ['FITBOOK_RUN_LEASE'] = '1'\n" + DIES)
    assert (done.stdout, done.stderr) == ("TerminatedWorkerError\n", "")
    fitbook.set_tracking_uri(tmp_path / "fitbook-runs")
    deadline = time.monotonic() + 60
    while any(run.info.status == "RUNNING" for run in runs()) and time.monotonic() < deadline:
        with patience(10):
            current().store.end_dead_runs()
    assert {run.data.tags["estimator_name"]: run.info.status for run in runs()}["Dies"] == "FAILED"


INTERRUPTED = """
import os, signal, sys
import fitbook
from sklearn.linear_model import Ridge

class Waits(Ridge):
    def fit(self, X, y):
        if sys.argv[1:] == ["exit"]:
            sys.exit(5)
        signal.raise_signal(signal.SIGINT)

fitbook.autolog(log_plots=False)
Waits(alpha=3).fit([[0], [1]], [0, 1])
"""


@pytest.mark.parametrize(("how", "code"), [("", -signal.SIGINT), ("exit", 5)])
def test_a_fit_that_is_interrupted_is_a_run_that_was_killed(
    script: Callable[..., Any], tmp_path: Any, runs: Runs, how: str, code: int
) -> None:
    done = script(INTERRUPTED.replace("sys.argv[1:]", f"[{how!r}]"))
    assert done.returncode == code
    fitbook.set_tracking_uri(tmp_path / "fitbook-runs")
    (run,) = runs()
    assert (run.info.status, run.data.params["alpha"]) == ("KILLED", "3")
    assert run.data.tags["fitbook.data.shape"] == "2 x 1"
    assert run.info.end_time is not None


def test_a_fit_in_a_forked_child_of_a_fit_is_no_run(on: None, runs: Runs) -> None:
    from sklearn.linear_model import Ridge

    class Forks(Ridge):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Forks:
            child = os.fork()
            if child == 0:
                try:
                    Ridge().fit(X, y)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            super().fit(X, y)
            return self

    Forks().fit([[0], [1]], [0, 1])
    assert [run.data.tags["estimator_name"] for run in runs()] == ["Forks"]
