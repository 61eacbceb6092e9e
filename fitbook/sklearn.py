"""scikit-learn models: log, save, load; and autologging for scikit-learn alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fitbook.autolog import autolog_sklearn as autolog
from fitbook.tracking import ModelInfo
from fitbook.tracking import _models as models

__all__ = ["autolog", "load_model", "log_model", "save_model"]

FLAVOR = "sklearn"


def log_model(
    sk_model: Any,
    artifact_path: str | None = None,
    conda_env: Any = None,
    code_paths: Any = None,
    serialization_format: str | None = None,
    registered_model_name: str | None = None,
    signature: Any = None,
    input_example: Any = None,
    *,
    name: str | None = None,
    **options: Any,
) -> ModelInfo:
    """Save a fitted estimator into the active run (one is begun if there is none).

    Parameters
    ----------
    sk_model : estimator
        What to save.
    artifact_path, name : str, optional
        Where in the run; ``"model"`` if neither is given.
    serialization_format : {"pickle", "cloudpickle"}, optional
        Plain pickle where it can, cloudpickle where it must, if not given.
    registered_model_name : str, optional
        Make it a version of this registered model.
    signature : ModelSignature, optional
        Inferred from ``input_example`` if not given; False for none.
    input_example : array or DataFrame, optional
        A few rows as ``predict`` takes them; saved with the model.
    code_paths : list of path, optional
        The user's own modules and packages; they are saved with the model and importable where it is loaded.
    infer_code_paths : bool, default False
        Find those that the model's pickle names.
    freeze_environment : bool, default False
        Write down all that is installed, into ``requirements-frozen.txt``.
    conda_env, pip_requirements, extra_pip_requirements, metadata, pyfunc_predict_fn
        As in MLflow.

    Returns
    -------
    ModelInfo

    Raises
    ------
    ModelError
        The estimator can't be pickled; says what is in the way.
    """
    return models.log_model(
        FLAVOR,
        sk_model,
        models.model_path(artifact_path, name),
        registered_model_name,
        serialization_format=serialization_format,
        signature=signature,
        input_example=input_example,
        conda_env=conda_env,
        code_paths=code_paths,
        **options,
    )


def save_model(
    sk_model: Any,
    path: str | Path,
    conda_env: Any = None,
    code_paths: Any = None,
    serialization_format: str | None = None,
    signature: Any = None,
    input_example: Any = None,
    **options: Any,
) -> None:
    """Save a fitted estimator into a local folder, which must be new or empty; parameters as for `log_model`."""
    models.save_model(
        FLAVOR,
        sk_model,
        path,
        serialization_format=serialization_format,
        signature=signature,
        input_example=input_example,
        conda_env=conda_env,
        code_paths=code_paths,
        **options,
    )


def load_model(model_uri: str | Path, dst_path: str | None = None, *, trusted: Iterable[str] = ()) -> Any:
    """Load an estimator.

    Parameters
    ----------
    model_uri : str or Path
        ``runs:/<run_id>/<path>``, ``runs:/latest/<path>``, ``models:/<name>/<version|Stage|latest>``,
        ``models:/<name>@<alias>``, ``models:/<model_id>``, or a local folder.
    dst_path : str, optional
        Accepted for MLflow's sake and unused: nothing is downloaded.
    trusted : iterable of str, optional
        Exact names of classes and functions that the model may hold besides those that fitbook knows to be harmless, e.g.
        ``["mypackage.features.Cleaner"]``. Your own models of a local tracking directory need none.

    Raises
    ------
    NotFound
        There is no such model.
    UntrustedModel
        Loading it could run code that nobody trusts; the message names it.
    ModelError
        It is not a scikit-learn model, or is damaged.
    """
    return models.load_model(model_uri, FLAVOR, trusted=trusted)
