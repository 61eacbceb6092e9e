"""Many processes write to one SQLite file, from the moment on that it does not exist yet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.store import open_store
from fitbook.testing.invariants import problems

FULL_LENGTH = bool(os.environ.get("FITBOOK_TEST_FAULTS"))

# Each waits for the word, so that all begin at the same moment.
WRITER = """
import sys
import fitbook
fitbook.set_tracking_uri(sys.argv[1])
import fitbook.store, fitbook.registry  # what else takes time at the first run
me, runs = int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(runs):
    with fitbook.start_run(run_name=f"{me}-{number}"):
        fitbook.log_params({f"p{i}": me * i for i in range(10)})
        fitbook.log_metrics({f"m{i}": number + i / 10 for i in range(10)})
        fitbook.set_tags({"a": me, "b": number, "c": "x"})
"""

# Opens the store for the first time, again and again, in places that it is told.
OPENER = """
import sys
import fitbook
from fitbook.store import open_store
print("ready", flush=True)
for folder in sys.stdin:
    try:
        store = open_store(folder.strip())
        store.create_experiment(sys.argv[1])
        store.close()
        print("done", flush=True)
    except BaseException as error:
        print(type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


@contextmanager
def processes(script: str, arguments: Iterator[tuple[Any, ...]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each of the arguments, and wait until all are ready."""
    here = str(Path(fitbook.__file__).parents[1])
    found = [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, words)],
            env={**os.environ, "PYTHONPATH": here},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in arguments
    ]
    try:
        assert [process.stdout.readline() for process in found] == ["ready\n"] * len(found)  # type: ignore[union-attr]
        yield found
    finally:
        for process in found:
            process.kill()
            process.communicate()


def tell(process: subprocess.Popen[str], line: object) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


@pytest.mark.timeout(1800)
def test_many_write_and_nothing_is_lost(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    writers, runs = (8, 1000) if FULL_LENGTH else (8, 25)
    folder = tmp_path / "store"
    with processes(WRITER, ((folder, me, runs) for me in range(writers))) as found:
        began = time.perf_counter()
        for process in found:
            tell(process, "go")
        ended = [(process.wait(), process.stderr.read()) for process in found]  # type: ignore[union-attr]
        rate = writers * runs / (time.perf_counter() - began)
    record_property("runs_per_second", rate)
    print(f"{writers} processes x {runs} runs: {rate:.0f} runs/s")
    assert ended == [(0, "")] * writers
    assert problems(folder) == []
    store = open_store(folder)
    with store.database.read() as connection:
        count = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("experiments", "runs", "params", "metrics", "metric_points")
        }
        names = set(connection.exec_driver_sql("SELECT name FROM runs WHERE status = 'FINISHED'").scalars())
    store.close()
    total = writers * runs
    ten = 10 * total
    assert count == {"experiments": 1, "runs": total, "params": ten, "metrics": ten, "metric_points": ten}
    assert names == {f"{me}-{number}" for me in range(writers) for number in range(runs)}


@pytest.mark.timeout(1800)
def test_many_make_the_store_at_once(tmp_path: Path) -> None:
    openers, rounds = (32, 100) if FULL_LENGTH else (16, 3)
    with processes(OPENER, ((f"of {me}",) for me in range(openers))) as found:
        for number in range(rounds):
            folder = tmp_path / str(number)
            for process in found:
                tell(process, folder)
            said = [process.stdout.readline() for process in found]  # type: ignore[union-attr]
            assert said == ["done\n"] * openers, f"round {number}"
            store = open_store(folder)
            assert len(store.search_experiments()) == openers + 1
            store.close()
            assert problems(folder) == []
