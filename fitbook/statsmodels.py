"""Results of statsmodels: log, save, load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["load_model", "log_model", "save_model"]

FLAVOR = "statsmodels"


def log_model(statsmodels_model: Any, artifact_path: str | None = None, **options: Any) -> ModelInfo:
    """Save a model into the active run (one is begun if there is none).

    Parameters
    ----------
    statsmodels_model : what the ``fit`` of a statsmodels model returns
    artifact_path : str, optional
        Where in the run; ``"model"`` if not given.
    **options
        As for `fitbook.sklearn.log_model`, and ``remove_data``: leave out what has a value for each observation,
        which not all results can do without. The given results keep it.

    Raises
    ------
    InvalidValue
        The model is of another library.
    ModelError
        The library is not installed, or can't write the model.
    """
    return models.log_flavored(FLAVOR, statsmodels_model, artifact_path, **options)


def save_model(statsmodels_model: Any, path: str | Path, **options: Any) -> None:
    """Save a model into a local folder, which must be new or empty; options as for `log_model`."""
    models.save_flavored(FLAVOR, statsmodels_model, path, **options)


def load_model(model_uri: str | Path, dst_path: str | None = None, *, trusted: Iterable[str] = ()) -> Any:
    """Load results; model URIs, ``trusted`` and errors as for `fitbook.sklearn.load_model`."""
    return models.load_model(model_uri, FLAVOR, trusted=trusted)
