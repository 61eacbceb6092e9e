"""scikit-learn's flavor, readable by ``mlflow.sklearn`` and ``mlflow.pyfunc``."""

from __future__ import annotations

import copy
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fitbook.flavors._base import Snapshot, read
from fitbook.flavors._pickling import dumps
from fitbook.flavors._skops import dump_skops, load_skops
from fitbook.flavors._trust import loads
from fitbook.models._infer import is_frame, is_series
from fitbook.models._signature import ModelSignature, signature_of_example

PICKLE = "model.pkl"
SKOPS = "model.skops"


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
        serialization_format : {"pickle", "cloudpickle", "skops"}, optional
            Plain pickle where it can, cloudpickle where it must. "skops" needs that library, and writes no pickle.
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
        if serialization_format == "skops":
            data, used_format, file = dump_skops(model), "skops", SKOPS
        else:
            (data, used_format), file = dumps(model, serialization_format), PICKLE
        if signature is None and input_example is not None:
            signature = signature_of_example(input_example, getattr(model, pyfunc_predict_fn, None))
        return Snapshot(
            files={file: data},
            pickled=PICKLE if file == PICKLE else None,
            flavors=_flavors(used_format, file, pyfunc_predict_fn if hasattr(model, pyfunc_predict_fn) else None),
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
            data, source = read(folder, config, "pickled_model", "model_path")
            return load_skops(data, source=source)
        data, source = read(folder, config, "pickled_model", "model_path")
        return loads(data, source=source)


def _flavors(serialization_format: str, file: str, predict_fn: str | None) -> dict[str, dict[str, Any]]:
    flavors: dict[str, dict[str, Any]] = {}
    if predict_fn is not None:
        flavors["python_function"] = {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": file,
            "predict_fn": predict_fn,
            "python_version": platform.python_version(),
        }
    flavors["sklearn"] = {
        "code": None,
        "pickled_model": file,
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
        *((serialization_format,) if serialization_format != "pickle" else ()),
        *(("pandas",) if needs_pandas else ()),
    )


@cache
def _sklearn_version() -> str:
    return version("scikit-learn")
