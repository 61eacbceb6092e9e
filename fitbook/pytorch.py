"""PyTorch modules: log, save, load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fitbook.flavors import PyFuncModel, load_pyfunc
from fitbook.flavors._pytorch import WEIGHTS, load_weights
from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["load_model", "load_state_dict", "log_model", "save_model"]

FLAVOR = "pytorch"


def log_model(pytorch_model: Any, artifact_path: str | None = None, **options: Any) -> ModelInfo:
    """Save a model into the active run (one is begun if there is none).

    Parameters
    ----------
    pytorch_model : torch.nn.Module
    artifact_path : str, optional
        Where in the run; ``"model"`` if not given.
    **options
        As for `fitbook.sklearn.log_model`. The ``serialization_format`` is ``"state_dict"``, whose weights are
        loaded without unpickling, or ``"pickle"``, which MLflow loads without fitbook.

    Raises
    ------
    InvalidValue
        The model is of another library.
    ModelError
        The library is not installed, or can't write the model.
    """
    return models.log_flavored(FLAVOR, pytorch_model, artifact_path, **options)


def save_model(pytorch_model: Any, path: str | Path, **options: Any) -> None:
    """Save a model into a local folder, which must be new or empty; options as for `log_model`."""
    models.save_flavored(FLAVOR, pytorch_model, path, **options)


def load_model(
    model_uri: str | Path, dst_path: str | None = None, device: str | None = None, *, trusted: Iterable[str] = ()
) -> Any:
    """Load a module, ready to predict; model URIs, ``trusted`` and errors as for `fitbook.sklearn.load_model`.

    Parameters
    ----------
    device : str, optional
        Where to put it, as torch names it; the CPU if not given.
    """
    module = models.load_model(model_uri, FLAVOR, trusted=trusted)
    return module if device is None else module.to(device)


def load_state_dict(state_dict_uri: str | Path) -> Any:
    """Load only the weights of a model that was saved as ``"state_dict"``: nothing is unpickled or imported.

    Examples
    --------
    >>> net = Net()  # doctest: +SKIP
    >>> net.load_state_dict(fitbook.pytorch.load_state_dict("models:/digits@champion"))  # doctest: +SKIP
    """
    folder = models.local_folder(state_dict_uri)
    inner = folder / "data"
    return load_weights((inner if inner.is_dir() else folder) / WEIGHTS)


def _load_pyfunc(path: str) -> PyFuncModel:
    """What ``mlflow.pyfunc`` calls with the folder of the data."""
    return load_pyfunc(Path(path).parent)
