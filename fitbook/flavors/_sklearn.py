"""scikit-learn's flavor, readable by ``mlflow.sklearn`` and ``mlflow.pyfunc``."""

from __future__ import annotations

import copy
import importlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fitbook.errors import ModelError
from fitbook.flavors._base import Snapshot, inside, read
from fitbook.flavors._pickling import dumps
from fitbook.flavors._trust import loads
from fitbook.models._infer import is_frame, is_series
from fitbook.models._signature import ModelSignature, signature_of_example

PICKLE = "model.pkl"


class SklearnFlavor:
    """Estimators, pipelines and searches, and whatever else has scikit-learn's interface."""

    name = "sklearn"

    def snapshot(
        self,
        model: Any,
        *,
        serialization_format: str | None = None,
        signature: ModelSignature | Literal[False] | None = None,
        input_example: Any = None,
        pyfunc_predict_fn: str = "predict",
        pip_requirements: list[str] | None = None,
        extra_pip_requirements: list[str] | None = None,
        conda_env: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Snapshot:
        """Freeze a fitted estimator.

        Parameters
        ----------
        model : object
        serialization_format : {"pickle", "cloudpickle"}, optional
            Plain pickle where it can, cloudpickle where it must.
        signature : ModelSignature or False, optional
            Inferred from ``input_example`` and the model's prediction for it, if not given; False for none.
        input_example : object, optional
            A few rows as ``predict`` takes them.
        pyfunc_predict_fn : str, default "predict"
            The method that `load_pyfunc` calls.
        pip_requirements, extra_pip_requirements : list of str, optional
            Instead of, or besides, what the pickle names.
        conda_env : dict, optional
            The content of ``conda.yaml``.
        metadata : dict, optional
            The user's own.

        Raises
        ------
        ModelError
            The model can't be pickled: names the attribute in the way.
        """
        data, used_format = dumps(model, serialization_format)
        if signature is None and input_example is not None:
            signature = signature_of_example(input_example, getattr(model, pyfunc_predict_fn, None))
        return Snapshot(
            files={PICKLE: data},
            pickled=PICKLE,
            flavors=_flavors(used_format, pyfunc_predict_fn if hasattr(model, pyfunc_predict_fn) else None),
            modules=_modules(used_format, signature, input_example),
            signature=signature or None,
            input_example=copy.deepcopy(input_example),
            metadata=copy.deepcopy(metadata),
            pip_requirements=pip_requirements,
            extra_pip_requirements=extra_pip_requirements,
            conda_env=conda_env,
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the estimator.

        Raises
        ------
        ModelError
            The file is missing, damaged, or in a format that can't be read here.
        """
        if config.get("serialization_format") == "skops":
            return _load_skops(inside(folder, config.get("pickled_model")))
        data, source = read(folder, config, "pickled_model", "model_path")
        return loads(data, source=source)


def _flavors(serialization_format: str, predict_fn: str | None) -> dict[str, dict[str, Any]]:
    flavors: dict[str, dict[str, Any]] = {}
    if predict_fn is not None:
        flavors["python_function"] = {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": PICKLE,
            "predict_fn": predict_fn,
            "python_version": platform.python_version(),
        }
    flavors["sklearn"] = {
        "code": None,
        "pickled_model": PICKLE,
        "serialization_format": serialization_format,
        "sklearn_version": _sklearn_version(),
    }
    return flavors


def _modules(serialization_format: str, signature: object, example: Any) -> tuple[str, ...]:
    named = (
        isinstance(signature, ModelSignature) and signature.inputs is not None and signature.inputs.has_input_names()
    )
    needs_pandas = named or is_frame(example) or is_series(example)
    return (
        *("sklearn", "numpy", "scipy"),
        *(("cloudpickle",) if serialization_format == "cloudpickle" else ()),
        *(("pandas",) if needs_pandas else ()),
    )


@cache
def _sklearn_version() -> str:
    return version("scikit-learn")


def _load_skops(path: Path) -> object:
    try:
        skops_io = importlib.import_module("skops.io")
    except ImportError as error:
        raise ModelError(
            f"The model {path} is in the skops format, which is MLflow's default; `pip install skops` to read it."
        ) from error
    try:
        loaded: object = skops_io.load(path)
    except Exception as error:
        raise ModelError(f"The model {path} can't be loaded by skops: {error}") from error
    return loaded
