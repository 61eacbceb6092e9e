"""One small program with autologging, to be run under faults: what the user sees of it, and what is kept."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import fitbook
from fitbook._log import FitbookWarning
from fitbook.entities import Run
from fitbook.store import open_store

FULL_LENGTH = bool(os.environ.get("FITBOOK_TEST_FAULTS"))
"""Whether every place is tried (``make faults``), or a share of them."""


@dataclass
class Seen:
    """What a user's program sees."""

    result: dict[str, Any]
    output: str
    warned: list[str]


@dataclass
class Kept:
    """What a store has of a program: nothing that differs from time to time."""

    runs: list[tuple[Any, ...]]
    files: set[str]
    statuses: set[str]


@pytest.fixture(autouse=True)
def _one_core() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def full_length() -> bool:
    return FULL_LENGTH


@pytest.fixture
def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] + 0.3 * rng.normal(size=60) > 0).astype(int)


@pytest.fixture
def program(data: tuple[Any, Any]) -> Callable[[Path | None], Seen]:
    """Run the program with its record in a folder, or without a record."""
    X, y = data

    def run(folder: Path | None) -> Seen:
        out, caught = io.StringIO(), list[str]()
        result: dict[str, Any] = {}
        with warnings.catch_warnings(record=True) as raised, redirect_stdout(out), redirect_stderr(out):
            warnings.simplefilter("always")
            if folder is not None:
                fitbook.set_tracking_uri(folder)
                fitbook.autolog(log_plots=False)
            search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)
            result["returned"] = search.fit(X, y) is search
            result["cv_results"] = {k: repr(v) for k, v in search.cv_results_.items() if "_time" not in k}
            result["best"] = (search.best_params_, search.best_score_, search.best_index_)
            predicted = search.predict(X)
            result["predicted"] = predicted.tobytes()
            result["scores"] = (search.score(X, y), accuracy_score(y, predicted))
            with pytest.raises(ValueError, match="shape") as failed:
                LogisticRegression().fit(X.ravel(), y)
            result["raised"] = str(failed.value)
            if folder is not None:
                fitbook.flush()
                fitbook.autolog(disable=True)
        for warning in raised:
            assert warning.category is FitbookWarning, warning.message
            caught.append(str(warning.message))
        return Seen(result, out.getvalue(), caught)

    return run


@pytest.fixture
def kept() -> Callable[[Path], Kept]:
    """Read what a folder has, with a store of its own."""

    def read(folder: Path) -> Kept:
        if not (folder / "fitbook.db").exists():
            return Kept([], set(), set())
        store = open_store(folder)
        found = [store.get_run(run.info.run_id) for run in store.search_runs(["0"])]
        store.close()
        root = folder / "artifacts" / "0"
        files = {
            f"{run.data.tags.get('estimator_name')}/{file.relative_to(root / run.info.run_id).as_posix()}"
            for run in found
            for file in (root / run.info.run_id).rglob("*")
            if file.is_file()
        }
        return Kept(sorted(map(_essence, found)), files, {run.info.status for run in found})

    return read


def _essence(run: Run) -> tuple[Any, ...]:
    data = run.data
    return (
        data.tags.get("fitbook.candidate", ""),
        data.tags.get("estimator_name", ""),
        tuple(sorted(data.params.items())),
        tuple(sorted(data.metrics)),
        tuple(sorted(data.tags.keys() - {"fitbook.dropped"})),
        tuple(dataset.dataset.digest for dataset in run.inputs.dataset_inputs),
    )
