"""ONNX graphs: log, save, load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["load_model", "log_model", "save_model"]

FLAVOR = "onnx"


def log_model(onnx_model: Any, artifact_path: str | None = None, **options: Any) -> ModelInfo:
    """Save a model into the active run (one is begun if there is none).

    Parameters
    ----------
    onnx_model : onnx.ModelProto, or a fitted estimator
    artifact_path : str, optional
        Where in the run; ``"model"`` if not given.
    **options
        As for `fitbook.sklearn.log_model`; an estimator, which skl2onnx turns into a graph, needs an
        ``input_example``. Besides, ``onnx_execution_providers`` (list of str) and ``onnx_session_options`` (dict;
        ``intra_op_num_threads`` and ``inter_op_num_threads`` are heeded), which `fitbook.pyfunc` predicts with.

    Raises
    ------
    InvalidValue
        The model is of another library.
    ModelError
        The library is not installed, or can't write the model.
    """
    return models.log_flavored(FLAVOR, onnx_model, artifact_path, **options)


def save_model(onnx_model: Any, path: str | Path, **options: Any) -> None:
    """Save a model into a local folder, which must be new or empty; options as for `log_model`."""
    models.save_flavored(FLAVOR, onnx_model, path, **options)


def load_model(model_uri: str | Path, dst_path: str | None = None) -> Any:
    """Load a graph, an ``onnx.ModelProto``; model URIs and errors as for `fitbook.sklearn.load_model`."""
    return models.load_model(model_uri, FLAVOR)
