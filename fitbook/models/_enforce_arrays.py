"""Hold an array, or a dict of arrays, against the model's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fitbook.errors import SchemaMismatch
from fitbook.models._infer import is_frame, is_sparse
from fitbook.models._schema import Schema, TensorSpec

if TYPE_CHECKING:
    import numpy as np


def enforce_arrays(data: Any, schema: Schema) -> Any:
    """Return arrays as the model wants them; sparse ones stay sparse.

    Raises
    ------
    SchemaMismatch
        One is missing, has the wrong shape, or can't be cast without changing values.
    """
    if not schema.has_input_names():
        return _enforce_tensor(data, schema.inputs[0])
    if not (isinstance(data, dict) or is_frame(data)):
        raise SchemaMismatch(f"The model needs a dict of arrays ({schema}), and got a {type(data).__name__}.")
    names = schema.input_names()
    missing = [name for name in names if name not in data]
    if missing:
        raise SchemaMismatch(f"The input lacks {listed(missing)}; it has {listed(list(data))}.")
    return {name: _enforce_tensor(data[name], spec) for name, spec in schema.input_dict().items()}


def _enforce_tensor(data: Any, spec: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    what = "The input" if spec.name is None else f"The input {spec.name!r}"
    try:
        array = data if isinstance(data, np.ndarray) or is_sparse(data) else np.asarray(data)
    except ValueError as error:
        raise SchemaMismatch(f"{what} needs to be a {spec}, and the {type(data).__name__} is none: {error}") from error
    free = spec.type == "object" and len(spec.shape) == 1
    shape_fits = len(array.shape) == len(spec.shape) and all(
        want in (-1, n) for want, n in zip(spec.shape, array.shape, strict=True)
    )
    if not free and not shape_fits:
        hint = ""
        if array.ndim == 1 and len(spec.shape) == 2 and spec.shape[1] in (-1, len(array)):
            hint = " For a single row give an array of shape (1, n): data.reshape(1, -1)."
        raise SchemaMismatch(f"{what} needs shape {_shape(spec)}, and came with {tuple(array.shape)}.{hint}")
    return _cast_array(array, spec, what)


def _cast_array(array: Any, spec: TensorSpec, what: str) -> Any:
    import numpy as np  # noqa: PLC0415

    if array.dtype.name == spec.type or spec.type in ("object", {"U": "str", "S": "bytes"}.get(array.dtype.kind)):
        return array
    wanted = np.dtype(spec.type)
    if array.dtype.kind == "O" and not is_sparse(array):
        array = np.asarray(array.tolist())  # mixed Python numbers: let numpy find their common type
        if array.dtype.kind == wanted.kind and array.dtype.kind in "US":
            return array
    if array.dtype.kind == "M" and wanted.kind == "M":
        return array
    if not lossless(array.data if is_sparse(array) else array, wanted):
        raise SchemaMismatch(
            f"{what} needs dtype {spec.type}, and {array.dtype} can't be cast to it without changing values."
        )
    return array.astype(wanted)


def lossless(values: np.ndarray[Any, Any], wanted: np.dtype[Any]) -> bool:
    """Whether casting an array of numbers or booleans to another dtype keeps every value.

    Decided by the dtypes; integers that go to a narrower type are looked at. Floats never become integers, and never
    a narrower float: that a column happens to hold round numbers today says nothing of tomorrow.
    """
    import numpy as np  # noqa: PLC0415

    came = values.dtype
    if came.kind not in "biufc" or wanted.kind not in "biufc":
        return bool(came == wanted)
    if came.kind in "iu" and wanted.kind in "iuf":
        if wanted.kind == "f":
            limit = 1 << (np.finfo(wanted).nmant + 1)
        else:
            limit = int(np.iinfo(wanted).max)
        if np.iinfo(came).max <= limit and (came.kind == "u" or wanted.kind != "u"):
            return True
        if values.size == 0:
            return True
        low = 0 if wanted.kind == "u" else -limit
        return bool(low <= int(values.min()) and int(values.max()) <= limit)
    return bool(np.can_cast(came, wanted, "safe"))


def _shape(spec: TensorSpec) -> str:
    sizes = ", ".join("any" if n == -1 else str(n) for n in spec.shape)
    return f"({sizes}{',' if len(spec.shape) == 1 else ''})"


def listed(names: list[Any], limit: int = 10) -> str:
    """Names for a message; of many only the first."""
    return ", ".join(map(repr, names[:limit])) + (f" and {len(names) - limit} more" if len(names) > limit else "")
