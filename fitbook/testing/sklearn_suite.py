"""A pytest plugin that runs somebody else's suite with autologging on, and watches what fitbook does to it.

::

    python -m pytest --pyargs sklearn -p fitbook.testing.sklearn_suite --fitbook=full --fitbook-summary=on.json

With ``--fitbook=off`` it only watches: two summaries compare (`fitbook.testing.suite_run`), for in both each test begins
with the same global random numbers, and with nothing that an earlier one has left to the background writer.
"""

from __future__ import annotations

import contextlib
import gc
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from fitbook import settings
from fitbook._log import FitbookWarning, logger
from fitbook.autolog import _guard, autolog
from fitbook.testing.fixtures import Collector
from fitbook.testing.process_state import State, changes, state
from fitbook.tracking import _active
from fitbook.tracking._writer import writer

_HOOKED_METHODS = ("fit", "fit_predict", "fit_transform", "predict", "predict_proba", "decision_function", "score")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add this plugin's options."""
    group = parser.getgroup("fitbook")
    group.addoption("--fitbook", choices=("off", "full"), default="full", help="With autologging on, or just watched.")
    group.addoption("--fitbook-summary", type=Path, help="The file to write what was seen to, as JSON.")
    group.addoption("--fitbook-sample", type=int, help="Keep no more than so many tests of each file, evenly spaced.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for."""
    most = config.getoption("--fitbook-sample")
    if most:
        files: dict[Path, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.path, []).append(item)
        items[:] = [item for found in files.values() for item in found[:: -(-len(found) // most)]]


def pytest_configure(config: pytest.Config) -> None:
    """Turn autologging on, into a store that is thrown away."""
    config.pluginmanager.register(_Watch(config), "fitbook-watch")


class _Watch:
    """Looks at the process around each test."""

    def __init__(self, config: pytest.Config) -> None:
        self._summary_path: Path | None = config.getoption("--fitbook-summary")
        self._is_on = config.getoption("--fitbook") == "full"
        self._folder = tempfile.TemporaryDirectory(prefix="fitbook-suite-")
        self._store = Path(self._folder.name)
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv(settings.TRACKING_URI.name, str(self._store))
        self._collector = Collector()
        self._tests: dict[str, dict[str, Any]] = {}
        self._outcomes: Counter[str] = Counter()
        self._current = "collection"
        self._warned: list[tuple[str, str]] = []
        self._swallowed: list[tuple[str, str, str]] = []
        self._began = time.process_time()
        if self._is_on:
            logger.addHandler(self._collector)
            self._patch.setattr(_guard, "keeps_swallowed", True)
            autolog()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Compare what the test finds with what it leaves."""
        import numpy as np

        self._current = item.nodeid
        random.seed(0)
        np.random.seed(0)
        if self._is_on:
            _guard.start_over(silent=False)  # so that a warning does not depend on the tests before
        before = state(without=self._store)
        began = time.process_time()
        try:
            return (yield)
        finally:
            if self._is_on:
                writer.flush()
            seconds = time.process_time() - began
            if {"descriptors", "threads"} & changes(before, state(without=self._store)).keys():
                gc.collect()  # what goes with the next collection is not left behind
            after = state(without=self._store) | self._ours()
            self._tests[item.nodeid] = {"cpu": round(seconds, 4), "changed": changes(before, after)}
            self._take_swallowed()
            if nextitem is None or nextitem.path != item.path:
                self._look_for_stacked_hooks()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count outcomes."""
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.outcome] += 1

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Note what fitbook warned of."""
        if issubclass(warning_message.category, FitbookWarning):
            self._warned.append((nodeid, str(warning_message.message)))

    def pytest_unconfigure(self) -> None:
        """Write the summary, and throw the store away."""
        if self._is_on:
            writer.flush()
        cpu = time.process_time() - self._began
        runs = dict(self._runs())
        if self._is_on:
            autolog(disable=True)
            logger.removeHandler(self._collector)
        summary = {
            "mode": "full" if self._is_on else "off",
            "cpu_seconds": round(cpu, 2),
            "outcomes": dict(self._outcomes),
            "runs": runs,
            "swallowed": self._swallowed,
            "warned": self._warned,
            "tests": self._tests,
        }
        if self._summary_path is not None:
            self._summary_path.write_text(json.dumps(summary, indent=0))
        self._patch.undo()
        self._folder.cleanup()

    def _ours(self) -> State:
        """What must be as nothing outside of a fit; seen only where it is not."""
        found = {"inside": _guard.inside.get(), "stack": len(_active.stack()), "fits": writer._fits}
        return {f"fitbook.{name}": str(value) for name, value in found.items() if value}

    def _take_swallowed(self) -> None:
        errors = list(_guard.swallowed)
        known = [error for _, error in errors]
        errors += [("a background write", error) for error in self._collector.errors if error not in known]
        _guard.swallowed.clear()
        self._collector.errors.clear()
        self._swallowed += [(self._current, doing, _guard.told(error)) for doing, error in errors]

    def _look_for_stacked_hooks(self) -> None:
        for cls in _estimator_classes() if self._is_on else ():
            for name in _HOOKED_METHODS:
                layers = _hooks_around(vars(cls).get(name))
                if layers > 1:
                    self._tests[self._current]["changed"][f"hooks of {cls.__qualname__}.{name}"] = str(layers)

    def _runs(self) -> Iterator[tuple[str, int]]:
        database = self._store / "fitbook.db"
        if database.exists():
            with contextlib.closing(sqlite3.connect(database)) as connection:
                yield from connection.execute("SELECT status, count(*) FROM runs GROUP BY status")


def _estimator_classes() -> Iterator[type]:
    waiting: list[type] = [sys.modules["sklearn.base"].BaseEstimator] if "sklearn.base" in sys.modules else []
    seen = set(waiting)
    while waiting:
        cls = waiting.pop()
        yield cls
        new: set[type] = set(type.__subclasses__(cls)) - seen
        seen |= new
        waiting += new


def _hooks_around(raw: Any) -> int:
    function, layers = getattr(raw, "fn", raw), 0
    while function is not None:
        layers += getattr(function, "__globals__", {}).get("__name__", "").startswith("fitbook.")
        function = getattr(function, "__wrapped__", None)
    return layers
