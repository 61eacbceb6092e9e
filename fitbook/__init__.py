"""fitbook: the lab book of every fit.

``fitbook.autolog()`` at the top of a script, and every scikit-learn fit, search and score is recorded. The rest of the
API has MLflow's names: ``import fitbook as mlflow`` runs most scripts as they are.

Importing this package loads none of the libraries that it works with: each name below is looked up when it is used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if os.name != "posix":
    raise ImportError("fitbook runs on Linux and macOS; on Windows, in WSL (Windows Subsystem for Linux).")

from fitbook._absent import advice
from fitbook._version import __version__
from fitbook.autolog import autolog

if TYPE_CHECKING:
    from fitbook import artifacts, data, entities, errors, exceptions, models, pyfunc, sklearn, tracking
    from fitbook import catboost as catboost
    from fitbook import lightgbm as lightgbm
    from fitbook import onnx as onnx
    from fitbook import pytorch as pytorch
    from fitbook import statsmodels as statsmodels
    from fitbook import xgboost as xgboost
    from fitbook._log import FitbookWarning
    from fitbook.autolog._guard import autolog_disabled
    from fitbook.entities import RunStatus, ViewType
    from fitbook.errors import FitbookError
    from fitbook.exceptions import MlflowException
    from fitbook.models import ModelSignature, infer_signature
    from fitbook.tracking import (
        ActiveRun,
        Client,
        Image,
        MlflowClient,
        active_run,
        compare,
        correct_param,
        create_experiment,
        delete_artifacts,
        delete_experiment,
        delete_experiment_tag,
        delete_run,
        delete_tag,
        download_artifacts,
        end_run,
        flush,
        flush_artifact_async_logging,
        flush_async_logging,
        get_artifact_uri,
        get_experiment,
        get_experiment_by_name,
        get_parent_run,
        get_registry_uri,
        get_run,
        get_tracking_uri,
        is_tracking_uri_set,
        last_active_run,
        list_experiments,
        list_run_infos,
        load_table,
        log_artifact,
        log_artifacts,
        log_dict,
        log_figure,
        log_image,
        log_input,
        log_inputs,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        log_stream,
        log_table,
        log_text,
        promote,
        register_model,
        rename_experiment,
        restore_experiment,
        restore_run,
        search_experiments,
        search_model_versions,
        search_registered_models,
        search_runs,
        set_experiment,
        set_experiment_tag,
        set_experiment_tags,
        set_model_version_tag,
        set_registry_uri,
        set_tag,
        set_tags,
        set_tracking_uri,
        start_run,
    )

__all__ = [
    "ActiveRun",
    "Client",
    "FitbookError",
    "FitbookWarning",
    "Image",
    "MlflowClient",
    "MlflowException",
    "ModelSignature",
    "RunStatus",
    "ViewType",
    "__version__",
    "active_run",
    "artifacts",
    "autolog",
    "autolog_disabled",
    "compare",
    "correct_param",
    "create_experiment",
    "data",
    "delete_artifacts",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_run",
    "delete_tag",
    "download_artifacts",
    "end_run",
    "entities",
    "errors",
    "exceptions",
    "flush",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_parent_run",
    "get_registry_uri",
    "get_run",
    "get_tracking_uri",
    "infer_signature",
    "is_tracking_uri_set",
    "last_active_run",
    "list_experiments",
    "list_run_infos",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "log_stream",
    "log_table",
    "log_text",
    "models",
    "promote",
    "pyfunc",
    "register_model",
    "rename_experiment",
    "restore_experiment",
    "restore_run",
    "search_experiments",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_model_version_tag",
    "set_registry_uri",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "sklearn",
    "start_run",
    "tracking",
]

# Names that only the flavors have are no part of `__all__`: `from fitbook import *` must not hide the libraries themselves.
_MODULES = frozenset(
    {
        *("artifacts", "data", "entities", "errors", "exceptions", "models", "pyfunc", "sklearn", "store", "tracking"),
        *("catboost", "lightgbm", "onnx", "pytorch", "statsmodels", "xgboost"),
    }
)
_HOMES = {
    "FitbookError": "fitbook.errors",
    "FitbookWarning": "fitbook._log",
    "MlflowException": "fitbook.exceptions",
    "ModelSignature": "fitbook.models",
    "RunStatus": "fitbook.entities",
    "ViewType": "fitbook.entities",
    "autolog_disabled": "fitbook.autolog._guard",
    "infer_signature": "fitbook.models",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fitbook.{name}")
    if name not in __all__:
        raise AttributeError(advice("module 'fitbook'", name))
    value = getattr(importlib.import_module(_HOMES.get(name, "fitbook.tracking")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
