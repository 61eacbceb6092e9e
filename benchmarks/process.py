"""What a whole process pays: the import, the first use of a store, a script with one fit, and each further fit."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool, environment

FURTHER = 5

SCRIPT = """
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

X, y = make_classification(2000, 20, random_state=0)
for number in range({fits}):
    LogisticRegression(C=1.0 + number).fit(X, y)
"""


def python(code: str, directory: Path) -> float:
    """Seconds from the start to the end of an interpreter that runs the code in the directory."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"A measured process failed:\n{done.stderr[-2000:]}")
    return seconds


def _scratch() -> Path:
    return Path(tempfile.mkdtemp(dir=Path.cwd()))


def imports(tool: Tool, effort: Effort) -> list[Measure]:
    """``import fitbook`` in a bare interpreter."""
    here = _scratch()
    plain, added = [], []
    for number in range(effort.rounds(21, quick=5) + 1):
        bare, loaded = python("pass", here), python(f"import {tool.name}", here)
        # The first import writes byte code.
        if number:
            plain.append(bare)
            added.append(loaded - bare)
    return [Measure("import", f"`import {tool.name}`", Spread.of(added), Spread.of(plain), Goal(0.1))]


def first_use(tool: Tool, effort: Effort) -> list[Measure]:
    """The first run in a directory that doesn't exist, once per store and once per process."""

    def new_store(here: Path) -> None:
        tool.use(here)
        _empty_run(tool)

    def new_process() -> float:
        here = _scratch()
        code = f"""
import time, {tool.name} as tool
start = time.perf_counter()
with tool.start_run():
    pass
open("seconds", "w").write(repr(time.perf_counter() - start))
"""
        python(code, here)
        return float((here / "seconds").read_text())

    rounds = effort.rounds(15)
    _empty_run(tool)  # so that the libraries are loaded
    warm = Spread.of([clock(partial(new_store, _scratch())) for _ in range(rounds)])
    cold = Spread.of([new_process() for _ in range(rounds)])
    goal = Goal(0.2)
    return [
        Measure("first-use", "first run in a new tracking directory", warm, goal=goal, whole=True),
        Measure("first-use-cold", "same, first thing after the import", cold, goal=goal, whole=True),
    ]


def _empty_run(tool: Tool) -> None:
    with tool.module.start_run():
        pass


def script(tool: Tool, effort: Effort) -> list[Measure]:
    """A script with one fit and the same with six: from start to exit, so whatever is put off is counted too."""
    here = _scratch()
    recorded = {fits: tool.prelude + SCRIPT.format(fits=fits) for fits in (1, 1 + FURTHER)}
    plain = {fits: SCRIPT.format(fits=fits) for fits in (1, 1 + FURTHER)}
    rounds = effort.rounds(11, quick=2)
    fresh, one, one_plain, further, further_plain = [], [], [], [], []
    python(recorded[1], here)
    for _ in range(rounds):
        bare = python(plain[1], here)
        first = python(recorded[1], here)
        six_bare = python(plain[1 + FURTHER], here)
        six = python(recorded[1 + FURTHER], here)
        fresh.append(python(recorded[1], _scratch()) - bare)
        one.append(first - bare)
        one_plain.append(bare)
        further.append(((six - first) - (six_bare - bare)) / FURTHER)
        further_plain.append((six_bare - bare) / FURTHER)
    _expect_runs(tool, here, 1 + rounds * (2 + FURTHER))
    base, goal = Spread.of(one_plain), Goal(0.8)
    return [
        Measure("process", "whole process with one fit", Spread.of(one), base, goal, runs=1),
        Measure("process-new", "same, in a new directory", Spread.of(fresh), base, goal, runs=1),
        Measure(
            "further",
            "each further fit, exit included",
            Spread.of(further),
            Spread.of(further_plain),
            Goal(0.15),
            runs=1,
        ),
    ]


def _expect_runs(tool: Tool, directory: Path, expected: int) -> None:
    """Raise RuntimeError unless the scripts have left their runs in the directory where they ran."""
    tool.use(directory)
    found = tool.count_runs()
    tool.use(_scratch())
    if found != expected:
        raise RuntimeError(f"The scripts fitted {expected} models and left {found} runs behind.")


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {
    "import": imports,
    "first-use": first_use,
    "script": script,
}
