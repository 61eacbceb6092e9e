"""What single calls of the tracking and model API cost, beside the least that such a call could cost."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool, environment

SURVIVORS = 50


def log_metric(tool: Tool, effort: Effort) -> list[Measure]:
    """One value per call, each committed when the call returns; beside a bare SQLite insert and commit.

    Both take turns in blocks of 50 calls. The spread is that of single calls.
    """
    _check_durable(tool)
    blocks = effort.rounds(60, quick=10)
    floor = sqlite3.connect(Path(tempfile.mkdtemp(dir=Path.cwd())) / "floor.db", isolation_level=None)
    floor.execute("PRAGMA journal_mode=WAL")
    floor.execute("PRAGMA synchronous=NORMAL")
    floor.execute("CREATE TABLE metrics (step INTEGER PRIMARY KEY, value REAL)")
    calls: list[float] = []
    commits: list[float] = []
    log = tool.module.log_metric
    with tool.module.start_run():
        log("loss", 0.0, step=0)
        for block in range(blocks):
            for step in range(1 + 50 * block, 51 + 50 * block):
                start = time.perf_counter()
                log("loss", 1.0 / step, step=step)
                calls.append(time.perf_counter() - start)
            for step in range(50 * block, 50 * block + 50):
                start = time.perf_counter()
                floor.execute("INSERT INTO metrics VALUES (?, ?)", (step, 1.0))
                commits.append(time.perf_counter() - start)
    floor.close()
    slow = Spread(_p95(calls), _p95(calls), max(calls), len(calls))
    slow_floor = Spread(_p95(commits), _p95(commits), max(commits), len(commits))
    return [
        Measure("log-metric", "`log_metric`, committed", Spread.of(calls), Spread.of(commits), Goal(2e-4), whole=True),
        Measure("log-metric-p95", "same, 95th percentile", slow, slow_floor, whole=True),
    ]


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def _check_durable(tool: Tool) -> None:
    """Raise RuntimeError unless every value that was acknowledged outlives ``kill -9`` right after the last call."""
    code = f"""
import os, signal, {tool.name} as tool
tool.set_tracking_uri({tool.module.get_tracking_uri()!r})
run_id = tool.start_run().info.run_id
for step in range({SURVIVORS}):
    tool.log_metric("survivor", float(step), step=step)
print(run_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"The process that logs metrics failed:\n{done.stderr[-2000:]}")
    kept = tool.module.MlflowClient().get_metric_history(done.stdout.split()[-1], "survivor")
    if len(kept) != SURVIVORS:
        raise RuntimeError(f"{len(kept)} of {SURVIVORS} acknowledged values have outlived the process.")


def models(tool: Tool, effort: Effort) -> list[Measure]:
    """A forest of 100 trees to a folder and back; beside pickle to a file and back."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    X, y = make_classification(2000, 20, random_state=0)
    model = RandomForestClassifier(100, random_state=0).fit(X, y)
    here = Path(tempfile.mkdtemp(dir=Path.cwd()))
    results: dict[str, list[float]] = {"plain save": [], "plain load": [], "save": [], "load": []}
    for number in range(effort.rounds(15) + 1):
        bare, folder = here / f"{number}.pkl", here / f"model-{number}"
        calls: dict[str, Callable[[], object]] = {
            "plain save": partial(_dump, model, bare),
            "plain load": partial(_load, bare),
            "save": partial(tool.save_model, model, folder),
            "load": partial(tool.sklearn.load_model, str(folder)),
        }
        for call, function in calls.items():
            seconds = clock(function)
            if number:  # the first round loads libraries
                results[call].append(seconds)
    spreads = {call: Spread.of(seconds) for call, seconds in results.items()}
    return [
        Measure("save-model", "`save_model`, forest of 100", spreads["save"], spreads["plain save"], whole=True),
        Measure("load-model", "`load_model`, forest of 100", spreads["load"], spreads["plain load"], whole=True),
    ]


def _dump(model: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(model, protocol=5))


def _load(file: Path) -> object:
    return pickle.loads(file.read_bytes())


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {"log-metric": log_metric, "models": models}
