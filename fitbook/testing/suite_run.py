"""Run scikit-learn's own suite without and with autologging, and compare: ``python -m fitbook.testing.suite_run --help``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fitbook.testing.junit_diff import Difference, differences, outcomes

MODES = ("off", "full")
# One thread each, and one seed: a case must end the same way twice before it can be compared.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "PYTHONHASHSEED": "0",
    "SKLEARN_SEED": "42",
    "SKLEARN_TESTS_GLOBAL_RANDOM_SEED": "42",
}
_DRAWN = "global random numbers"
_OPTIONS = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--disable-pytest-warnings")


@dataclass(slots=True)
class Comparison:
    """What running some tests without and with autologging came to."""

    cases: int = 0
    outcomes: list[Difference] = field(default_factory=list)
    states: dict[str, dict[str, tuple[str | None, str | None]]] = field(default_factory=dict)
    swallowed: list[list[str]] = field(default_factory=list)
    warned: list[list[str]] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    cpu_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MODES, 0.0))

    @property
    def is_equal(self) -> bool:
        """Whether nothing ended differently, was left differently, or was swallowed, and no run was left open."""
        return not (self.outcomes or self.states or self.swallowed or self.runs["RUNNING"])

    def __str__(self) -> str:
        off, full = (self.cpu_seconds[mode] for mode in MODES)
        runs = ", ".join(f"{count:,} {status}" for status, count in sorted(self.runs.items())) or "none"
        return "\n".join(
            [
                *(f"outcome: {one}" for one in self.outcomes),
                *(f"left behind: {case}: {changes}" for case, changes in self.states.items()),
                *(f"swallowed: {' | '.join(one)}" for one in self.swallowed),
                f"cases: {self.cases:,}",
                f"outcomes changed: {len(self.outcomes)}",
                f"errors swallowed: {len(self.swallowed)}",
                f"cases that left the process in another state: {len(self.states)}",
                f"warnings of fitbook's: {len(self.warned)}",
                f"runs recorded: {runs}",
                f"CPU seconds: {off:,.0f} without, {full:,.0f} with fitbook, {full / max(off, 0.01):.2f} times as many",
            ]
        )


def folders_of(package: str = "sklearn") -> list[str]:
    """Name every folder of tests that a package ships, from the folder that the package is in."""
    root = _root(package)
    return sorted({str(file.parent.relative_to(root)) for file in (root / package).rglob("tests/test_*.py")})


def start(tests: str, mode: str, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Begin to run tests; results are ``folder/mode/<tests>.xml`` and ``.json`` when it has ended.

    Parameters
    ----------
    tests : str
        A folder or file, named as `folders_of` does; options may name more of them.
    mode : {"off", "full"}
    folder : Path
    *options : str
        For pytest.
    """
    into, here = folder / mode, folder / f"{mode}-cwd"
    into.mkdir(parents=True, exist_ok=True)
    here.mkdir(exist_ok=True)
    package = tests.partition("/")[0]
    root = _root(package)
    results = into / tests.replace("/", ".")
    command = [sys.executable, "-m", "pytest", *_OPTIONS, f"--rootdir={root}", "-p", "fitbook.testing.sklearn_suite"]
    command += [f"--fitbook={mode}", f"--fitbook-summary={results}.json", f"--junitxml={results}.xml"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FITBOOK_", "PYTEST_", "MLFLOW_"))}
    with Path(f"{results}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, *(str(root / o) if o.startswith(f"{package}/") else o for o in (tests, *options))],
            cwd=here,
            env=environment | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def compare(folder: Path, parts: Iterable[str]) -> Comparison:
    """Put the results of both modes side by side; parts that one mode has no results of are left out."""
    found = Comparison()
    for name in (tests.replace("/", ".") for tests in parts):
        results = [folder / mode / name for mode in MODES]
        if not all(Path(f"{result}{kind}").exists() for result in results for kind in (".xml", ".json")):
            continue
        off, full = (json.loads(Path(f"{result}.json").read_text()) for result in results)
        before, after = (outcomes(Path(f"{result}.xml")) for result in results)
        found.cases += len(before)
        found.outcomes += differences(before, after)
        found.states |= _states(off["tests"], full["tests"])
        found.swallowed += full["swallowed"]
        found.warned += full["warned"]
        found.runs.update(full["runs"])
        for summary in (off, full):
            found.cpu_seconds[summary["mode"]] += sum(test["cpu"] for test in summary["tests"].values())
    return found


def _states(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    found = {}
    for case in before.keys() & after.keys():
        off, full = before[case]["changed"], after[case]["changed"]
        # What is left behind without fitbook only is not its doing; but it may not keep random numbers from being drawn.
        different = sorted(name for name in {*full, _DRAWN} if off.get(name) != full.get(name))
        if different:
            found[case] = {name: (off.get(name), full.get(name)) for name in different}
    return found


def _root(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed, so its tests can't be run.")
    return Path(spec.origin).parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and compare; the exit code is 0 if nothing differs, else 1."""
    parser = argparse.ArgumentParser(prog="python -m fitbook.testing.suite_run", description=__doc__)
    parser.add_argument("folder", type=Path, help="Where results go; those that are there already are not made again.")
    parser.add_argument("tests", nargs="*", help="Such as sklearn/tests/test_base.py; all if none is given.")
    parser.add_argument("--compare", action="store_true", help="Run nothing; compare what is there.")
    given = parser.parse_args(arguments)
    folder, parts = given.folder.resolve(), given.tests or folders_of()
    for number, tests in enumerate([] if given.compare else parts, 1):
        print(f"[{number} of {len(parts)}] {tests}", flush=True)  # noqa: T201
        missing = [mode for mode in MODES if not (folder / mode / f"{tests.replace('/', '.')}.json").exists()]
        for process in [start(tests, mode, folder) for mode in missing]:  # side by side
            process.wait()
    result = compare(folder, parts)
    print(result)  # noqa: T201
    return 0 if result.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
