"""LightGBM models: log, save, load. `fitbook.autolog` records fits of its estimators."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["load_model", "log_model", "save_model"]

FLAVOR = "lightgbm"


def log_model(lgb_model: Any, artifact_path: str | None = None, **options: Any) -> ModelInfo:
    """Save a model into the active run (one is begun if there is none).

    Parameters
    ----------
    lgb_model : lightgbm.Booster or estimator of lightgbm's
    artifact_path : str, optional
        Where in the run; ``"model"`` if not given.
    **options
        As for `fitbook.sklearn.log_model`; ``serialization_format`` is for estimators.

    Raises
    ------
    InvalidValue
        The model is of another library.
    ModelError
        The library is not installed, or can't write the model.
    """
    return models.log_flavored(FLAVOR, lgb_model, artifact_path, **options)


def save_model(lgb_model: Any, path: str | Path, **options: Any) -> None:
    """Save a model into a local folder, which must be new or empty; options as for `log_model`."""
    models.save_flavored(FLAVOR, lgb_model, path, **options)


def load_model(model_uri: str | Path, dst_path: str | None = None, *, trusted: Iterable[str] = ()) -> Any:
    """Load a booster or an estimator; model URIs, ``trusted`` and errors as for `fitbook.sklearn.load_model`."""
    return models.load_model(model_uri, FLAVOR, trusted=trusted)
