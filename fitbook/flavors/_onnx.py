"""ONNX's flavor: graphs, and estimators that skl2onnx turns into graphs; readable by ``mlflow.onnx``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue, ModelError, SchemaMismatch
from fitbook.flavors._base import Snapshot
from fitbook.flavors._library import Frozen, LibraryFlavor, Predict, accepted, loading, located, named, needed, saying
from fitbook.models._infer import is_frame

FILE = "model.onnx"
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")

# numpy's names of the types whose names in ONNX are others.
_DTYPES = {"float": "float32", "double": "float64", "string": "object"}
# What an MLmodel file may ask of ONNX Runtime. It comes from anywhere, so what would write files or load libraries is left out.
_OPTIONS = ("inter_op_num_threads", "intra_op_num_threads")


class OnnxFlavor(LibraryFlavor):
    """``onnx.ModelProto``, and fitted estimators with an example of their input."""

    name = "onnx"

    def snapshot(self, model: Any, *, input_example: Any = None, **options: Any) -> Snapshot:
        """Freeze a graph; an estimator is turned into one, for inputs like ``input_example``."""
        if not isinstance(model, needed("onnx", "onnx").ModelProto):
            model = converted(model, input_example)
        return super().snapshot(model, input_example=input_example, **options)

    def freeze(
        self,
        model: Any,
        *,
        onnx_execution_providers: list[str] | None = None,
        onnx_session_options: dict[str, Any] | None = None,
    ) -> Frozen:
        """Save a graph, and how ONNX Runtime is to run it."""
        onnx = needed("onnx", "onnx")
        if any(_is_external(onnx, tensor) for tensor in _tensors(onnx, model)):
            raise ModelError(
                "Some of the graph's tensors are in other files; load it with onnx.load() before saving it."
            )
        onnx.checker.check_model(model)
        return Frozen(
            files={FILE: model.SerializeToString()},
            data=FILE,
            config={
                "data": FILE,
                "onnx_session_options": onnx_session_options,
                "onnx_version": onnx.__version__,
                "providers": list(onnx_execution_providers or PROVIDERS),
            },
            modules=("onnx", "onnxruntime", "numpy"),
            loader="mlflow.onnx",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the graph, with the tensors that MLflow keeps in files beside it."""
        onnx = needed("onnx", "onnx")
        path = located(folder, config, "data")
        with loading(path):
            model = onnx.load_model(str(path), load_external_data=False)
            for tensor in _tensors(onnx, model):
                if _is_external(onnx, tensor):
                    located(path.parent, {entry.key: entry.value for entry in tensor.external_data}, "location")
                    onnx.external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
                    tensor.ClearField("data_location")
                    del tensor.external_data[:]
            onnx.checker.check_model(model)
        return model

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Predict:
        """Run the graph: a DataFrame, an array or a dict of arrays goes in; see `_outcome` for what comes out."""
        runtime = needed("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        for name in _OPTIONS:
            if (value := (config.get("onnx_session_options") or {}).get(name)) is not None:
                setattr(options, name, int(value))
        wanted = config.get("providers") or PROVIDERS
        providers = [name for name in runtime.get_available_providers() if name in wanted]
        with saying("ONNX Runtime can't run the graph"):
            session = runtime.InferenceSession(
                model.SerializeToString(), options, providers=providers or ["CPUExecutionProvider"]
            )
        inputs, outputs = session.get_inputs(), [output.name for output in session.get_outputs()]

        def predict(data: Any, params: dict[str, Any]) -> Any:
            accepted(None, params)
            feed = _feed(data, inputs)
            with saying("ONNX Runtime can't predict for this input"):
                values = session.run(outputs, feed)
            return _outcome(dict(zip(outputs, values, strict=True)), data)

        return predict


def converted(model: Any, example: Any) -> Any:
    """Turn a fitted estimator into a graph by skl2onnx.

    Parameters
    ----------
    model : estimator
    example : array or DataFrame
        A few rows of its input. An array, or a DataFrame of numbers, becomes one input of the graph, as MLflow expects
        it; any other DataFrame one input for each column.

    Raises
    ------
    InvalidValue
        It is no estimator, or the example is missing.
    ModelError
        skl2onnx is not installed, or does not know the estimator.
    """
    if not hasattr(model, "get_params"):
        raise InvalidValue(f"This is neither a graph (onnx.ModelProto) nor an estimator, but a {named(type(model))}.")
    if example is None:
        raise InvalidValue("An estimator is turned into ONNX for a kind of input: give an input_example.")
    skl2onnx = needed("skl2onnx", "onnx")
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    if is_frame(example) and all(getattr(dtype, "kind", "?") in "iufb" for dtype in example.dtypes):
        # Whoever selects columns by name needs them as inputs; it is told only by trying.
        try:
            return skl2onnx.to_onnx(model, example.to_numpy()[:1], options=options)
        except Exception:
            pass
    with saying(f"skl2onnx can't turn the {named(type(model))} into ONNX"):
        return skl2onnx.to_onnx(model, example[:1], options=options)


def _tensors(onnx: Any, message: Any) -> Iterator[Any]:
    """Every tensor of a graph, those of nested graphs and functions included."""
    for _, value in message.ListFields():
        for part in [value] if hasattr(value, "ListFields") else value if hasattr(value, "add") else ():
            if isinstance(part, onnx.TensorProto):
                yield part
            else:
                yield from _tensors(onnx, part)


def _is_external(onnx: Any, tensor: Any) -> bool:
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def _feed(data: Any, inputs: list[Any]) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

    names = [each.name for each in inputs]
    if not isinstance(data, dict):
        if len(inputs) == 1:
            data = {names[0]: data.to_numpy() if is_frame(data) else np.asarray(data)}
        elif not is_frame(data):
            raise SchemaMismatch(f"The graph has the inputs {names}: give a DataFrame or a dict with them.")
    missing = [name for name in names if name not in data]
    if missing:
        raise SchemaMismatch(f"The graph has the inputs {names}, and {missing} are not in the data.")
    feed = {}
    for each in inputs:
        kind = each.type.removeprefix("tensor(").removesuffix(")")
        array = np.asarray(data[each.name])
        if array.ndim == 1 and len(each.shape) == 2:
            array = array.reshape(-1, 1)
        try:
            feed[each.name] = array.astype(_DTYPES.get(kind, kind), casting="same_kind", copy=False)
        except TypeError as error:
            raise SchemaMismatch(f"The graph's input {each.name!r} needs {kind}: {error}") from error
    return feed


def _outcome(values: dict[str, Any], data: Any) -> Any:
    """As MLflow: a dict of arrays by output; for a DataFrame a DataFrame, if each output has one value for each row."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    arrays = {name: np.asarray(value) for name, value in values.items()}
    if not is_frame(data) or any(array.size != len(data) for array in arrays.values()):
        return arrays
    return pd.DataFrame({name: array.reshape(-1) for name, array in arrays.items()})
