"""What writing costs, committed when the call returns, beside the least that SQLite could do: single calls, batches, crowds."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool, environment

SURVIVORS = 50
BATCH = 1000
WRITERS = 8

# One of several processes: writes its runs when it gets the word.
_WRITER = """
import sys, {tool} as tool
tool.set_tracking_uri({uri!r})
print("ready", flush=True)
sys.stdin.readline()
for number in range({runs}):
    with tool.start_run(run_name=f"{{number}}"):
        tool.log_params({{f"p{{i}}": i for i in range(10)}})
        tool.log_metrics({{f"m{{i}}": i / 10 for i in range(10)}})
        tool.set_tags({{"a": 1, "b": number, "c": "x"}})
"""


class Floor:
    """A bare SQLite table in WAL mode: what is below every figure here."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(Path(tempfile.mkdtemp(dir=Path.cwd())) / "floor.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE metrics (step INTEGER PRIMARY KEY, value REAL)")
        self._steps = itertools.count()

    def commit(self, rows: int = 1) -> None:
        """Insert and commit."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO metrics VALUES (?, ?)", [(step, 1.0) for step in itertools.islice(self._steps, rows)]
        )
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextlib.contextmanager
def floor() -> Iterator[Floor]:
    """Give a floor for as long as the block lasts."""
    made = Floor()
    try:
        yield made
    finally:
        made.close()


def in_turns(call: Callable[[int], object], plain: Callable[[], object], blocks: int, block: int) -> tuple[Any, Any]:
    """Time single calls and what they are compared with, in blocks that take turns."""
    calls: list[float] = []
    commits: list[float] = []
    numbers = itertools.count()
    call(next(numbers))  # the first is not like the others
    for _ in range(blocks):
        for number in itertools.islice(numbers, block):
            start = time.perf_counter()
            call(number)
            calls.append(time.perf_counter() - start)
        for _ in range(block):
            start = time.perf_counter()
            plain()
            commits.append(time.perf_counter() - start)
    return calls, commits


def log_metric(tool: Tool, effort: Effort) -> list[Measure]:
    """One value per call; the spread is that of single calls."""
    check_durable(tool)
    with floor() as bare, tool.module.start_run():
        log = tool.module.log_metric
        calls, commits = in_turns(
            lambda step: log("loss", 1.0 / (step + 1), step=step), bare.commit, effort.rounds(60, quick=10), 50
        )
    slow = Spread(_p95(calls), _p95(calls), max(calls), len(calls))
    slow_floor = Spread(_p95(commits), _p95(commits), max(commits), len(commits))
    return [
        Measure(
            "log-metric", "`log_metric`, committed", Spread.of(calls), Spread.of(commits), Goal(1.5e-4), whole=True
        ),
        Measure("log-metric-p95", "same, 95th percentile", slow, slow_floor, whole=True),
    ]


def verbs(tool: Tool, effort: Effort) -> list[Measure]:
    """The other verbs, one call after the other."""
    module = tool.module
    many = {f"m{i}": i / 7 for i in range(BATCH)}

    def start_and_end(number: int) -> None:
        with module.start_run(run_name=f"run {number}", nested=True):
            pass

    single: tuple[tuple[str, str, Callable[[int], object], int, float, int], ...] = (
        ("log-param", "`log_param`, committed", lambda n: module.log_param(f"p{n}", n), 1, 2e-4, 50),
        ("set-tag", "`set_tag`, committed", lambda n: module.set_tag(f"t{n % 100}", n), 1, 2e-4, 50),
        ("log-1000-metrics", "`log_metrics` of 1,000", lambda n: module.log_metrics(many, step=n), BATCH, 1e-2, 1),
        ("start-end", "`start_run` and its end", start_and_end, 1, 1.5e-3, 10),
    )
    found = []
    with floor() as bare, module.start_run():
        for name, title, call, rows, goal, block in single:
            calls, commits = in_turns(call, lambda rows=rows: bare.commit(rows), effort.rounds(30, quick=5), block)  # type: ignore[misc]
            found.append(Measure(name, title, Spread.of(calls), Spread.of(commits), Goal(goal), whole=True))
    return found


def history(tool: Tool, effort: Effort) -> list[Measure]:
    """A million points of one metric in batches of 1,000, and 1,000 of them read at even distances."""
    client = tool.module.MlflowClient()
    metric = importlib.import_module(f"{tool.name}.entities").Metric
    batches = effort.rounds(1000, quick=20)
    with floor() as bare, tool.module.start_run() as run:
        run_id = run.info.run_id

        def write(number: int) -> None:
            steps = range(number * BATCH, (number + 1) * BATCH)
            client.log_batch(run_id, metrics=[metric("loss", 1.0 / (step + 1), step, step) for step in steps])

        calls, commits = in_turns(write, lambda: bare.commit(BATCH), batches, 1)
    points = (batches + 1) * BATCH
    title = f"{points:,} points of one metric, each batch of 1,000"
    found = [Measure("points", title, Spread.of(calls), Spread.of(commits), Goal(2e-2), whole=True)]
    if not tool.is_peer:  # whose users read everything

        def read() -> None:
            assert len(client.get_metric_history(run_id, "loss", max_points=1000)) == 1000

        reads = Spread.of([clock(read) for _ in range(effort.rounds(9))])
        found.append(Measure("points-read", "1,000 of them read, evenly spread", reads, None, Goal(0.2), whole=True))
    return found


def writers(tool: Tool, effort: Effort) -> list[Measure]:
    """8 processes begin at once on a store that is not there yet; a run is begun, filled with 23 values, and ended."""
    runs = 20 if tool.is_peer else effort.rounds(1000, quick=25)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    uri = f"sqlite:///{folder / 'mlflow.db'}" if tool.is_peer else str(folder / "fitbook-runs")
    if tool.is_peer:
        tool.use(folder)
        tool.count_runs()  # its processes do not always agree on who makes the store
    code = _WRITER.format(tool=tool.name, uri=uri, runs=runs)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(WRITERS)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    start = time.perf_counter()
    for process in processes:
        process.communicate("go\n")
    seconds = (time.perf_counter() - start) / (WRITERS * runs)
    tool.use(folder)
    failed = sum(process.returncode != 0 for process in processes)
    kept = tool.count_runs()
    if failed or kept != WRITERS * runs:
        raise RuntimeError(f"{failed} of {WRITERS} processes failed; {kept} of {WRITERS * runs} runs were written.")
    title = f"{WRITERS} processes × {runs:,} runs into one file, each run"
    return [Measure("writers", title, Spread.of([seconds]), None, Goal(5e-3), whole=True)]


def check_durable(tool: Tool) -> None:
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


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {
    "log-metric": log_metric,
    "verbs": verbs,
    "history": history,
    "writers": writers,
}
