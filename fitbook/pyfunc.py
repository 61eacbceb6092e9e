"""Models of any kind behind one ``predict``, and models made of the user's own Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fitbook.flavors import PyFuncModel, PythonModel, PythonModelContext
from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["PyFuncModel", "PythonModel", "PythonModelContext", "load_model", "log_model", "save_model"]

FLAVOR = "python_function"


def log_model(
    artifact_path: str | None = None,
    *,
    python_model: Any,
    artifacts: Any = None,
    registered_model_name: str | None = None,
    signature: Any = None,
    input_example: Any = None,
    code_paths: Any = None,
    name: str | None = None,
    **options: Any,
) -> ModelInfo:
    """Save a `PythonModel` (or a plain function) into the active run (one is begun if there is none).

    Parameters
    ----------
    artifact_path, name : str, optional
        Where in the run; ``"model"`` if neither is given.
    python_model : PythonModel, callable or path
        What to save. A path is that of a script, which calls `fitbook.models.set_model`.
    artifacts : dict of str to path, optional
        Local files that the model needs; it finds them again in its context.
    registered_model_name : str, optional
        Make it a version of this registered model.
    signature : ModelSignature, optional
        Inferred from ``input_example`` if not given.
    input_example : array, DataFrame, list or dict, optional
        Saved with the model.
    code_paths : list of path, optional
        The user's own modules and packages; they are saved with the model and importable where it is loaded.
    infer_code_paths : bool, default False
        Find those that the model's pickle names.
    freeze_environment : bool, default False
        Write down all that is installed, into ``requirements-frozen.txt``.
    conda_env, pip_requirements, extra_pip_requirements, metadata, model_config
        As in MLflow.

    Raises
    ------
    ModelError
        The model can't be pickled; says what is in the way.
    """
    return models.log_model(
        FLAVOR,
        python_model,
        models.model_path(artifact_path, name),
        registered_model_name,
        artifacts=artifacts,
        signature=signature,
        input_example=input_example,
        code_paths=code_paths,
        **options,
    )


def save_model(
    path: str | Path,
    *,
    python_model: Any,
    artifacts: Any = None,
    signature: Any = None,
    input_example: Any = None,
    code_paths: Any = None,
    **options: Any,
) -> None:
    """Save a `PythonModel` into a local folder, which must be new or empty; parameters as for `log_model`."""
    models.save_model(
        FLAVOR,
        python_model,
        path,
        artifacts=artifacts,
        signature=signature,
        input_example=input_example,
        code_paths=code_paths,
        **options,
    )


def load_model(
    model_uri: str | Path,
    suppress_warnings: bool = False,
    dst_path: str | None = None,
    model_config: Mapping[str, Any] | str | None = None,
    *,
    trusted: Iterable[str] = (),
) -> PyFuncModel:
    """Load a model of any flavor behind one ``predict``.

    Parameters
    ----------
    model_uri : str or Path
        Any model URI; see `fitbook.sklearn.load_model`.
    suppress_warnings : bool, default False
        Say nothing of packages that are here in other versions than the model was saved with.
    dst_path : str, optional
        Accepted for MLflow's sake and unused.
    model_config : dict or path of a YAML file, optional
        Settings that replace those that a `PythonModel` was saved with, one by one.
    trusted : iterable of str, optional
        As there.

    Raises
    ------
    NotFound
        There is no such model.
    UntrustedModel
        Loading it could run code that nobody trusts; the message names it.
    ModelError
        It can't be loaded, or none of its flavors is known here.
    """
    return models.load_model(  # type: ignore[no-any-return]
        model_uri, suppress_warnings=suppress_warnings, model_config=model_config, trusted=trusted
    )
