"""From data to a `Schema`: by dtypes, without copying; where only the values tell, by a bounded sample of them."""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from fitbook.models._schema import (
    ColSpec,
    ColumnType,
    DataType,
    ParamSchema,
    ParamSpec,
    Schema,
    TensorSpec,
    array_of,
    object_of,
)

SAMPLE = 200
"""How many values of an object column or list are looked at."""
NULL_SAMPLE = 500
"""How many rows are searched for missing values."""


class Undescribable(Exception):
    """The data has no MLflow schema; the message says why. Never leaves this package."""


def schema_of(data: Any) -> Schema:
    """Describe a model's input or output.

    Parameters
    ----------
    data : array, sparse matrix, DataFrame, Series, list, dict or scalar

    Raises
    ------
    Undescribable
        There is no specification for such data.
    """
    if is_frame(data):
        return _frame_schema(data)
    if is_polars(data):
        return _polars_schema(data)
    if is_series(data):
        missing = bool(data.iloc[:NULL_SAMPLE].isna().any())
        return Schema([ColSpec(_column_type(data), _plain(data.name), required=not missing)])
    if hasattr(data, "dtype") and hasattr(data, "shape") and (_is_numpy(data) or is_sparse(data)):
        return Schema([_tensor(data)])
    if isinstance(data, dict):
        return _dict_schema(data)
    if isinstance(data, list):
        return _list_schema(data)
    kind = _value_type(data)
    if kind is DataType.any:
        raise Undescribable(
            f"a {_type_name(data)} is not a table, array, list, dict or scalar that MLflow's format knows"
        )
    return Schema([ColSpec(kind)])


def params_of(params: dict[str, Any]) -> ParamSchema:
    """Describe the parameters of ``predict`` by their default values: scalars, lists of scalars, or dicts.

    Raises
    ------
    Undescribable
        A default is none of these.
    """
    specs = []
    for name, default in params.items():
        is_list = isinstance(default, (list, tuple)) or (_is_numpy(default) and default.ndim == 1)
        value = [_plain(v) for v in default] if is_list else _plain(default)
        kind = _common_type(value) if is_list else _value_type(value)
        if kind in (DataType.any, DataType.binary) or (is_list and not isinstance(kind, DataType)):
            raise Undescribable(
                f"the default of parameter {name!r}, {default!r}, is no scalar, list of scalars or dict"
            )
        specs.append(ParamSpec(str(name), kind, value, (-1,) if is_list else None))
    return ParamSchema(specs)


def is_frame(data: Any) -> bool:
    """Whether it is a pandas DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_series(data: Any) -> bool:
    """Whether it is a pandas Series, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series)


def is_polars(data: Any) -> bool:
    """Whether it is a polars DataFrame or Series, without importing polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(data, (polars.DataFrame, polars.Series))


def is_sparse(data: Any) -> bool:
    """Whether it is a scipy sparse matrix or array, without importing scipy."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(data))


def _is_numpy(data: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(data, numpy.ndarray)


def _tensor(data: Any, name: str | None = None) -> TensorSpec:
    if data.ndim == 0 or data.dtype.kind == "V":
        raise Undescribable(f"an array of dtype {data.dtype} and shape {data.shape} has no tensor specification")
    return TensorSpec(data.dtype, (-1, *data.shape[1:]), name)


def _frame_schema(frame: Any) -> Schema:
    names = [_plain(name) for name in frame.columns]
    if len(set(names)) != len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise Undescribable(f"the DataFrame has two columns {twice!r}")
    if not names:
        raise Undescribable("the DataFrame has no columns")
    # A frame's columns are made into Series only where the dtype leaves a question: that is what costs time.
    dtypes = frame.dtypes.tolist()
    kinds = [_dtype_type(dtype) for dtype in dtypes]
    missing = [False] * len(names)
    if any(map(_may_miss, dtypes)):
        missing = frame.iloc[:NULL_SAMPLE].isna().to_numpy().any(axis=0).tolist()
    return Schema(
        [
            ColSpec(_column_type(frame.iloc[:, i]) if kind is None else kind, name, required=not missing[i])
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
        ]
    )


_POLARS = {
    **dict.fromkeys(("Int8", "Int16", "Int32", "UInt8", "UInt16"), DataType.integer),
    **dict.fromkeys(("Int64", "UInt32"), DataType.long),
    **dict.fromkeys(("String", "Categorical", "Enum"), DataType.string),
    **dict.fromkeys(("Date", "Datetime"), DataType.datetime),
    "Float32": DataType.float,
    "Float64": DataType.double,
    "Boolean": DataType.boolean,
    "Binary": DataType.binary,
}


def _polars_schema(data: Any) -> Schema:
    """Columns by their dtypes, which say all but for nested ones; and polars knows without a look which have nulls."""
    columns = [data] if hasattr(data, "to_frame") else data.get_columns()
    specs = []
    for column in columns:
        kind: ColumnType | None = _POLARS.get(str(column.dtype.base_type()))
        if kind is None and str(column.dtype.base_type()) in ("List", "Array", "Struct", "Object"):
            kind = _common_type(_sample(column[: SAMPLE * 5].to_list()))
        specs.append(ColSpec(kind or DataType.any, column.name or None, required=not column.null_count()))
    if not specs:
        raise Undescribable("the DataFrame has no columns")
    return Schema(specs)


def _dict_schema(data: dict[Any, Any]) -> Schema:
    if not data or not all(isinstance(key, str) for key in data):
        raise Undescribable("a dict needs at least one key, and all of them strings")
    if all(_is_numpy(value) for value in data.values()):
        return Schema([_tensor(value, name) for name, value in data.items()])
    return Schema([ColSpec(_value_type(v), name, required=not _is_missing(v)) for name, v in data.items()])


def _list_schema(data: list[Any]) -> Schema:
    sample = _sample(data)
    if not sample:
        return Schema([ColSpec(DataType.string)])  # what MLflow's readers expect of an empty list
    if all(isinstance(row, dict) for row in sample):
        names = list(dict.fromkeys(name for row in sample for name in row))
        if not names or not all(isinstance(name, str) for name in names):
            raise Undescribable("the dicts in a list need string keys")
        kinds = {name: _common_type([row[name] for row in sample if name in row]) for name in names}
        needed = {name: all(not _is_missing(row.get(name)) for row in sample) for name in names}
        return Schema([ColSpec(kinds[name], name, needed[name]) for name in names])
    kind = _common_type(sample)
    if kind is DataType.any:
        raise Undescribable("the items of the list have no common type")
    return Schema([ColSpec(kind)])


def _may_miss(dtype: Any) -> bool:
    return not (dtype.kind in "iub" and isinstance(dtype, sys.modules["numpy"].dtype))


def _column_type(column: Any) -> ColumnType:
    """The type of a pandas column."""
    kind = _dtype_type(column.dtype)
    if kind is not None:
        return kind
    categories = getattr(column.dtype, "categories", None)
    if categories is not None:
        return _dtype_type(categories.dtype) or _common_type(_sample(categories.to_numpy()))
    sample = _sample(column.array)
    return _common_type(sample) if sample else DataType.string


def says_little(dtype: Any) -> bool:
    """Whether only the values of a pandas column tell what it holds: of Python objects, categories, Arrow's nested types."""
    return getattr(dtype, "kind", "?") == "O" and type(dtype).__name__ in (
        "ObjectDType",
        "CategoricalDtype",
        "ArrowDtype",
    )


def _dtype_type(dtype: Any) -> DataType | None:
    """The column type that a dtype of numpy or pandas alone decides; None where the values must be looked at."""
    kind = getattr(dtype, "kind", "?")
    if kind == "O":
        # pandas' string dtypes call themselves objects, too; so do categories and periods, and plain Python objects.
        if type(dtype).__name__ == "StringDtype":
            return DataType.string
        return None if says_little(dtype) else DataType.any
    dtype = getattr(dtype, "subtype", dtype)  # of a pandas SparseDtype
    if kind in "iu":
        bits = 8 * dtype.itemsize + (kind == "u")  # an unsigned number needs one bit more to be held by a signed type
        return DataType.integer if bits <= 32 else DataType.long if bits <= 64 else DataType.any
    if kind == "f":
        return DataType.float if dtype.itemsize <= 4 else DataType.double if dtype.itemsize == 8 else DataType.any
    return {"b": DataType.boolean, "U": DataType.string, "S": DataType.binary, "M": DataType.datetime}.get(
        kind, DataType.any
    )


def _value_type(value: Any) -> ColumnType:
    """The column type of one Python or numpy value; ``any`` for what has none or is missing."""
    if isinstance(value, bool):
        return DataType.boolean
    if isinstance(value, str):
        return DataType.string
    if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:
        return DataType.any if _is_missing(value) else _dtype_type(value.dtype) or DataType.any
    if isinstance(value, int):
        return DataType.long
    if isinstance(value, float):
        return DataType.any if math.isnan(value) else DataType.double
    if isinstance(value, (bytes, bytearray)):
        return DataType.binary
    if isinstance(value, datetime.date):
        return DataType.any if _is_missing(value) else DataType.datetime
    if isinstance(value, dict):
        if not value or not all(isinstance(key, str) for key in value):
            return DataType.any
        return object_of({key: (_value_type(v), not _is_missing(v)) for key, v in value.items()})
    if isinstance(value, (list, tuple)) or (_is_numpy(value) and value.dtype.kind == "O"):
        return array_of(_common_type(_sample(value))) if len(value) else DataType.any
    if _is_numpy(value):
        kind: ColumnType = _dtype_type(value.dtype) or DataType.any
        for _ in range(value.ndim):
            kind = array_of(kind)
        return kind
    return DataType.any


def _common_type(values: list[Any]) -> ColumnType:
    """The column type that holds all these values."""
    classes = set(map(type, values)) - {type(None)}
    if len(classes) == 1 and classes <= {str, int, bool, bytes}:  # the usual case, without a look at each value
        return _value_type(next(value for value in values if value is not None))
    return _merged(map(_value_type, values))


def _merged(kinds: Iterable[ColumnType]) -> ColumnType:
    """The one type that holds values of all these types; ``any`` (a missing value) yields to every other."""
    merged: ColumnType = DataType.any
    for kind in kinds:
        if kind == merged or kind is DataType.any:
            continue
        if merged is DataType.any:
            merged = kind
            continue
        pair = _merged_pair(merged, kind)
        if pair is None:
            return DataType.any
        merged = pair
    return merged


_NUMBERS = (DataType.integer, DataType.long, DataType.float, DataType.double)


def _merged_pair(a: ColumnType, b: ColumnType) -> ColumnType | None:
    if isinstance(a, DataType) or isinstance(b, DataType):
        if a in _NUMBERS and b in _NUMBERS:
            return DataType.long if {a, b} <= {DataType.integer, DataType.long} else DataType.double
        return None
    if a["type"] != b["type"]:
        return None
    if a["type"] == "array":
        return array_of(_merged((_as_type(a["items"]), _as_type(b["items"]))))
    names = list(dict.fromkeys([*a["properties"], *b["properties"]]))
    properties = {}
    for name in names:
        both = [side["properties"][name] for side in (a, b) if name in side["properties"]]
        needed = len(both) == 2 and all(p.get("required", True) for p in both)
        properties[name] = (_merged(map(_as_type, both)), needed)
    return object_of(properties)


def _as_type(spec: dict[str, Any]) -> ColumnType:
    return DataType(spec["type"]) if spec["type"] in DataType.__members__ else spec


def _is_missing(value: Any) -> bool:
    # NaN and NaT are the values that differ from themselves; pandas.NA refuses to be compared as a truth value.
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, (float, datetime.date)) and value != value or type(value).__name__ == "NaTType"


def _sample(values: Sequence[Any] | Any) -> list[Any]:
    return list(values[:: math.ceil(len(values) / SAMPLE)]) if len(values) else []


def _plain(value: Any) -> Any:
    """A numpy scalar as a Python one."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _type_name(data: object) -> str:
    return f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")
