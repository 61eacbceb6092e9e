"""One way to predict with every saved model, whatever library made it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from fitbook._log import FitbookWarning
from fitbook.errors import ModelError, NotFound
from fitbook.flavors._base import Predicting
from fitbook.flavors._importable import make_importable
from fitbook.flavors._lookup import flavor_named, flavor_names
from fitbook.flavors._python_model import LOADERS, BoundPythonModel
from fitbook.flavors._seal import own_digests
from fitbook.flavors._trust import owning
from fitbook.models._hints import instances, is_list_hint
from fitbook.models._infer import is_frame
from fitbook.models._installed import warn_of_differences
from fitbook.models._mlmodel import Model
from fitbook.models._schema import DataType
from fitbook.models._script import read_settings
from fitbook.models._signature import ModelSignature

# The methods of an estimator that an MLmodel file may ask for; it comes from anywhere, so it can't name any other.
_PREDICT_METHODS = (
    *("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba"),
    *("decision_function", "score_samples", "transform"),
)


class PyFuncModel:
    """A loaded model that predicts.

    Parameters
    ----------
    metadata : Model
        What its MLmodel file says.
    raw_model : object
        The library's own object.
    predict_fn : callable
        Called with the checked input, and params or None.
    """

    def __init__(
        self, metadata: Model, raw_model: object, predict_fn: Callable[[Any, dict[str, Any] | None], Any]
    ) -> None:
        self._metadata = metadata
        self._raw_model = raw_model
        self._predict_fn = predict_fn

    @property
    def metadata(self) -> Model:
        """What the MLmodel file says."""
        return self._metadata

    @property
    def loader_module(self) -> str | None:
        """What MLflow would load it with; fitbook decides by the flavors' names."""
        return self._metadata.flavors.get("python_function", {}).get("loader_module")

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict.

        Parameters
        ----------
        data : array, sparse matrix, DataFrame, Series, list, dict or scalar
            Checked against the model's signature, if it has one.
        params : dict, optional
            Parameters, for models that take some.

        Raises
        ------
        fitbook.errors.SchemaMismatch
            The data or a parameter does not fit the signature.
        """
        signature = self._metadata.signature
        if signature is not None:
            data = signature.enforce(data)
        return self._predict_fn(data, params)

    def unwrap_python_model(self) -> Any:
        """The `PythonModel` object.

        Raises
        ------
        ModelError
            The model is of another flavor.
        """
        if isinstance(self._raw_model, BoundPythonModel):
            return self._raw_model.python_model
        raise ModelError(f"This is no PythonModel; get_raw_model() returns the {type(self._raw_model).__name__}.")

    def get_raw_model(self) -> Any:
        """The library's own object: the estimator, or the `PythonModel`."""
        return self._raw_model.python_model if isinstance(self._raw_model, BoundPythonModel) else self._raw_model

    def __repr__(self) -> str:
        lines = ["fitbook.pyfunc.loaded_model:"]
        if self._metadata.artifact_path:
            lines.append(f"  artifact_path: {self._metadata.artifact_path}")
        lines.append(f"  flavor: {self.loader_module or ', '.join(self._metadata.flavors)}")
        if self._metadata.run_id:
            lines.append(f"  run_id: {self._metadata.run_id}")
        return "\n".join(lines)


@contextmanager
def opened(folder: Path, *, check: bool = True) -> Iterator[Model]:
    """Read a model's MLmodel file; what it describes is loaded inside of the block.

    The user's own code in the folder becomes importable, and packages of other versions than the model was saved with
    are told in one warning, unless ``check`` is False.

    Raises
    ------
    NotFound
        There is no model in the folder.
    ModelError
        It is damaged, or of a format newer than this reader.
    """
    described = Model.load(folder)
    described.check_readable()
    if check:
        warn_of_differences(folder, described)
    own = cache(lambda: own_digests(folder))
    make_importable(folder, described, own=own)
    with owning(own):
        yield described


def load_pyfunc(
    folder: str | Path, model_config: Mapping[str, Any] | str | None = None, *, suppress_warnings: bool = False
) -> PyFuncModel:
    """Load a model for prediction.

    Parameters
    ----------
    folder : str or Path
        A model's folder, written by fitbook or by MLflow.
    model_config : dict or path of a YAML file, optional
        Settings that replace those that a Python model was saved with, one by one.
    suppress_warnings : bool, default False
        Say nothing of packages that are here in other versions.

    Raises
    ------
    NotFound
        There is no model in the folder.
    ModelError
        The model is damaged, or none of its flavors is known here.
    """
    folder = Path(folder)
    with opened(folder, check=not suppress_warnings) as metadata:
        return _loaded(folder, metadata, model_config)


def _loaded(folder: Path, metadata: Model, model_config: Mapping[str, Any] | str | None) -> PyFuncModel:
    function = metadata.flavors.get("python_function", {})
    for name in metadata.flavors:
        if name == "python_function":
            continue
        try:
            flavor = flavor_named(name)
        except NotFound:
            continue
        config = metadata.flavors[name]
        raw = flavor.load(folder, config)
        if isinstance(flavor, Predicting):
            return PyFuncModel(metadata, raw, _with_params(flavor.predictor(raw, config), metadata.signature))
        return PyFuncModel(metadata, raw, _predictor(raw, function.get("predict_fn")))
    if function.get("loader_module") in LOADERS:
        settings = {**(function.get("config") or {}), **read_settings(model_config)}
        bound = flavor_named("python_function").load(folder, {**function, "config": settings})
        return PyFuncModel(metadata, bound, _bound_predictor(bound, metadata.signature))
    raise ModelError(
        f"The model in {folder} has the flavors {', '.join(metadata.flavors) or '(none)'}; "
        f"this installation knows {', '.join(flavor_names())}."
    )


def _predictor(raw: Any, method: str | None) -> Callable[[Any, dict[str, Any] | None], Any]:
    method = method or "predict"
    if method not in _PREDICT_METHODS:
        raise ModelError(f"The model asks to be called by {method!r}; allowed are {', '.join(_PREDICT_METHODS)}.")
    call = getattr(raw, method, None)
    if call is None:
        raise ModelError(f"The {type(raw).__name__} has no method {method!r}; use get_raw_model's own methods.")

    def predict(data: Any, params: dict[str, Any] | None) -> Any:
        if params:
            warnings.warn(
                f"A {type(raw).__name__} takes no params; {params} are left out.", FitbookWarning, stacklevel=3
            )
        return call(data)

    return predict


def _with_params(
    predict: Callable[[Any, dict[str, Any]], Any], signature: ModelSignature | None
) -> Callable[[Any, dict[str, Any] | None], Any]:
    if signature is None:
        return lambda data, params: predict(data, dict(params or {}))
    return lambda data, params: predict(data, signature.enforce_params(params))


def _bound_predictor(bound: Any, signature: ModelSignature | None) -> Callable[[Any, dict[str, Any] | None], Any]:
    """As MLflow does, Python models with a schema of plain columns get a DataFrame whatever the caller gave.

    Those whose ``predict`` is annotated as taking a list get a list.
    """
    if is_list_hint(bound.hint):
        return lambda data, params: bound.predict(
            instances(data, bound.hint), params if signature is None else signature.enforce_params(params) or None
        )
    if signature is None:
        return bound.predict  # type: ignore[no-any-return]
    schema = signature.inputs
    tabular = schema is not None and all(isinstance(spec.type, DataType) for spec in schema)
    names = schema.input_names() if schema is not None else []

    def predict(data: Any, params: dict[str, Any] | None) -> Any:
        if tabular and not is_frame(data):
            import pandas as pd  # noqa: PLC0415

            rows = data.to_numpy() if isinstance(data, pd.Series) else data
            data = pd.DataFrame([rows] if isinstance(rows, (str, bytes, int, float)) else rows, columns=names)
        return bound.predict(data, signature.enforce_params(params) or None)

    return predict
