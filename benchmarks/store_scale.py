"""What searching costs in stores of 1,000 to 100,000 runs (or 1,000,000), beside the same questions in bare SQL."""

from __future__ import annotations

import importlib
import random
import sqlite3
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool

SIZES = (1_000, 10_000, 100_000)
PEER_RUNS = 10_000  # filling a larger store of the peer's, and searching in it, takes too long
PAGE = 100
PAGES = 100

# Name, title, filter, order, the same in bare SQL (None if there is no need), whether the peer can answer it.
_JOINED = "SELECT r.id FROM runs r JOIN metrics o ON o.run = r.id AND o.key = 'm1'"
_ORDERED = "ORDER BY o.value DESC, r.start_time DESC LIMIT 100"
SEARCHES: tuple[tuple[str, str, str, list[str] | None, str, bool], ...] = (
    ("newest", "newest 100", "", None, "SELECT id FROM runs ORDER BY start_time DESC, id DESC LIMIT 100", True),
    (
        "filters",
        "2 filters, by a metric",
        "metrics.m0 > 0.5 AND params.p1 = '3'",
        ["metrics.m1 DESC"],
        f"{_JOINED} JOIN params p ON p.run = r.id AND p.key = 'p1' JOIN metrics m ON m.run = r.id AND m.key = 'm0' "
        f"WHERE p.value = '3' AND m.value > 0.5 {_ORDERED}",
        True,
    ),
    (
        "or",
        "OR and IN, by a metric",
        "params.p0 IN ('1', '2') OR metrics.m2 > 0.9",
        ["metrics.m1 DESC"],
        f"{_JOINED} JOIN params p ON p.run = r.id AND p.key = 'p0' JOIN metrics m ON m.run = r.id AND m.key = 'm2' "
        f"WHERE p.value IN ('1', '2') OR m.value > 0.9 {_ORDERED}",
        False,
    ),
    (
        "rare",
        "4 filters that few runs pass, by a metric",
        "params.p1 = '3' AND params.p2 = '4' AND params.p3 = '5' AND params.p4 = '6'",
        ["metrics.m1 DESC"],
        "",
        True,
    ),
)


def cases(runs: int, tool: Tool, effort: Effort) -> list[Measure]:
    """Fill a store, and ask it everything."""
    if tool.is_peer and runs > PEER_RUNS:
        return []
    directory = Path.cwd() / f"scale-{runs}"
    directory.mkdir()
    tool.use(directory)
    experiment, filled = (_fill_peer if tool.is_peer else _fill)(directory, runs)
    client = importlib.import_module(f"{tool.name}.tracking").MlflowClient()
    rounds, scale = effort.rounds(15), f" of {runs:,} runs"
    measures = []
    if not tool.is_peer:
        measures.append(_whole(f"scale-{runs}-fill", f"each run when filling {runs:,}", [filled / runs]))
    for name, title, text, order_by, sql, peer_too in SEARCHES:
        if tool.is_peer and not peer_too:
            continue
        search = partial(client.search_runs, [experiment], text, max_results=PAGE, order_by=order_by)
        goal = _goal(name, runs)
        plain = None if tool.is_peer or not sql else _bare(directory / "fitbook-runs" / "fitbook.db", sql, rounds)
        measures.append(_whole(f"scale-{runs}-{name}", title + scale, _clocked(search, rounds), goal, plain))
        token, number = _token(search, 1 if name == "rare" else min(PAGES, runs // PAGE // 10))
        if token and name != "rare":
            later = partial(search, page_token=token)
            title = f"{title}{scale}, page {number}"
            measures.append(_whole(f"scale-{runs}-{name}-page", title, _clocked(later, rounds), goal))
    if runs <= PEER_RUNS:
        to_frame = partial(tool.module.search_runs, [experiment], max_results=runs)
        goal = Goal(1.5) if runs == PEER_RUNS else None
        times = _clocked(to_frame, effort.rounds(5))
        measures.append(_whole(f"scale-{runs}-frame", f"{runs:,} runs to a DataFrame", times, goal))
    return measures


def _goal(name: str, runs: int) -> Goal | None:
    limits = {"newest": (0.010, 0.015), "filters": (0.030, 0.100), "or": (0.030, 0.100)}
    return Goal(limits[name][runs > PEER_RUNS]) if name in limits and runs in (10_000, 100_000) else None


def _whole(name: str, title: str, times: list[float], goal: Goal | None = None, plain: Spread | None = None) -> Measure:
    return Measure(name, title, Spread.of(times), plain, goal, whole=True)


def _clocked(call: Callable[[], object], rounds: int) -> list[float]:
    call()
    return [clock(call) for _ in range(rounds)]


def _token(search: Callable[..., Any], wanted: int) -> tuple[str | None, int]:
    """The token of a later page, or of the last if there are not so many; and its number."""
    token: str | None = None
    for number in range(1, wanted):
        following = search(page_token=token).token
        if following is None:
            return token, number
        token = following
    return token, wanted


def _bare(file: Path, sql: str, rounds: int) -> Spread:
    connection = sqlite3.connect(file)

    def ask() -> None:
        found = [row[0] for row in connection.execute(sql)]
        places = ", ".join("?" * len(found))
        for table in ("params", "metrics", "tags"):
            connection.execute(f"SELECT run, key, value FROM {table} WHERE run IN ({places})", found).fetchall()
        connection.execute(f"SELECT * FROM runs WHERE id IN ({places})", found).fetchall()

    try:
        return Spread.of(_clocked(ask, rounds))
    finally:
        connection.close()


def _fill(directory: Path, runs: int) -> tuple[str, float]:
    from benchmarks.fill import fill
    from fitbook.store import open_store

    store = open_store(directory / "fitbook-runs")
    seconds = fill(store, runs)
    found = store.get_experiment_by_name("filled")
    store.close()
    assert found is not None
    return found.experiment_id, seconds


def _fill_peer(directory: Path, runs: int) -> tuple[str, float]:
    """The same contents, written into MLflow's tables, for which its own way would take an hour."""
    from benchmarks.fill import METRICS, PARAMS, TAGS

    tracking = importlib.import_module("mlflow.tracking")
    experiment = tracking.MlflowClient().create_experiment("filled")
    draw, now = random.Random(0), time.time_ns() // 1_000_000
    connection = sqlite3.connect(directory / "mlflow.db")
    for number in range(runs):
        run, start = uuid.uuid4().hex, now - 1000 * (runs - number)
        connection.execute(
            "INSERT INTO runs (run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, "
            "experiment_id) VALUES (?, ?, 'fill', 'FINISHED', ?, ?, 'active', '', ?)",
            (run, f"filled-{number}", start, start, int(experiment)),
        )
        digits, letters = draw.choices("0123456789", k=len(PARAMS)), draw.choices("abcdefgh", k=len(TAGS))
        params = [(run, *pair) for pair in zip(PARAMS, digits, strict=True)]
        tags = [
            (run, "mlflow.runName", f"filled-{number}"),
            *((run, *pair) for pair in zip(TAGS, letters, strict=True)),
        ]
        points = [(run, key, draw.random(), start) for key in METRICS]
        connection.executemany("INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", params)
        connection.executemany("INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", tags)
        for table in ("metrics", "latest_metrics"):
            insert = f"INSERT INTO {table} (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, 0, 0)"
            connection.executemany(insert, points)
    connection.commit()
    connection.close()
    return str(experiment), 0.0


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {f"scale-{runs}": partial(cases, runs) for runs in SIZES}
MILLION: dict[str, Callable[[Tool, Effort], list[Measure]]] = {"scale-1000000": partial(cases, 1_000_000)}
