from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import fitbook
from fitbook.entities import Run

Data = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@pytest.fixture(autouse=True)
def _one_core() -> Iterator[None]:
    # Small data on many threads is slow, and sums come out in another order.
    with threadpool_limits(1):
        yield


@pytest.fixture
def data() -> Data:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] + 0.3 * rng.normal(size=60) > 0).astype(int)


@pytest.fixture
def on() -> None:
    fitbook.autolog(log_plots=False)


@pytest.fixture
def runs() -> Callable[..., list[Run]]:
    """Every run of the store, the first one first."""

    def read(filter_string: str = "") -> list[Run]:
        return fitbook.search_runs(
            filter_string=filter_string,
            order_by=["attributes.start_time ASC"],
            output_format="list",
            search_all_experiments=True,
        )

    return read


@pytest.fixture
def top(runs: Callable[..., list[Run]]) -> Callable[[], list[Run]]:
    """The runs that are nobody's children."""
    return lambda: [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]


@pytest.fixture
def files() -> Callable[[str], set[str]]:
    """Everything that a run has on file; a model is its folder."""

    def read(run_id: str) -> set[str]:
        return {file.path for file in fitbook.tracking.MlflowClient().list_artifacts(run_id)}

    return read


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a process of its own, in ``tmp_path``."""

    def run(source: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(source)
        return subprocess.run(
            [sys.executable, *options, "program.py"],
            cwd=tmp_path,
            env={
                "PYTHONPATH": str(Path(fitbook.__file__).parents[1]),
                "PATH": os.environ["PATH"],
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
