"""The two tools that are compared, behind the few verbs that the measurements need; both speak MLflow's API."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("fitbook", "mlflow")


class Tool:
    """fitbook or MLflow, with its default settings: everything that its autologging records is on.

    Both keep their records below the current directory unless told otherwise: fitbook in ``fitbook-runs/``,
    MLflow in ``mlflow.db`` (SQLite, its default since 3.7) and ``mlruns/``.
    """

    def __init__(self, name: str) -> None:
        if name not in NAMES:
            raise ValueError(f"No such tool: {name!r}; there are {', '.join(NAMES)}.")
        self.name = name
        self.is_peer = name != "fitbook"

    @property
    def module(self) -> ModuleType:
        """The tool itself."""
        return importlib.import_module(self.name)

    @property
    def sklearn(self) -> ModuleType:
        """Its scikit-learn flavor."""
        return importlib.import_module(f"{self.name}.sklearn")

    @property
    def prelude(self) -> str:
        """The line at the top of a user's script."""
        return f"import {self.name}; {self.name}.{'sklearn.' if self.is_peer else ''}autolog()"

    def on(self) -> None:
        """Record every fit from now on."""
        self.sklearn.autolog()

    def off(self) -> None:
        """Back to plain scikit-learn."""
        self.sklearn.autolog(disable=True)

    def flush(self) -> None:
        """Wait until everything is written. MLflow writes before it returns, so there is nothing to wait for."""
        if not self.is_peer:
            importlib.import_module("fitbook.tracking").flush()

    def use(self, directory: Path) -> None:
        """Keep records from now on where a script that runs in this directory keeps them."""
        uri = f"sqlite:///{directory / 'mlflow.db'}" if self.is_peer else str(directory / "fitbook-runs")
        self.module.set_tracking_uri(uri)

    def save_model(self, model: object, folder: Path, **options: Any) -> None:
        """Write a model as autologging would: MLflow by cloudpickle too, whose other format refuses forests."""
        self.sklearn.save_model(model, str(folder), **options, **self._format)

    def log_model(self, model: object) -> None:
        """Write a model into the active run."""
        self.sklearn.log_model(model, name="model", **self._format)

    @property
    def _format(self) -> dict[str, str]:
        return {"serialization_format": "cloudpickle"} if self.is_peer else {}

    def count_runs(self) -> int:
        """Number of runs in the current store."""
        self.flush()
        return len(self.module.search_runs(search_all_experiments=True))

    def load_last_model(self) -> object:
        """Load the model that the last fit has left behind."""
        run_id = self.module.last_active_run().info.run_id
        return self.sklearn.load_model(f"runs:/{run_id}/model")


def environment() -> dict[str, str]:
    """The environment of every process that is measured: nobody's settings, this source tree, no telemetry."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FITBOOK_", "MLFLOW_"))}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        # One line per run and a paragraph per model would only hide what the benchmark prints.
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
