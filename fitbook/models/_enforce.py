"""Hold a prediction's input against the model's schema: cast what loses nothing, refuse the rest by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fitbook.errors import SchemaMismatch
from fitbook.models._enforce_arrays import enforce_arrays, listed, lossless
from fitbook.models._infer import Undescribable, is_frame, is_polars, is_series, is_sparse, says_little, schema_of
from fitbook.models._schema import (
    NUMPY_NAME,
    ColSpec,
    ColumnType,
    DataType,
    ParamSchema,
    ParamSpec,
    Schema,
)


def enforce_schema(data: Any, schema: Schema) -> Any:
    """Return ``data`` as the model wants it.

    A schema of arrays returns arrays (sparse stays sparse); a schema of columns returns a DataFrame with exactly
    these columns in this order, except that lists and Series for a schema of one column stay what they are. Columns
    that the schema does not know are left out. Data that fits already is returned itself, not a copy.

    Raises
    ------
    SchemaMismatch
        Something is missing, has the wrong shape, or can't be cast without changing values.
    """
    if schema.is_tensor_spec():
        return enforce_arrays(data, schema)
    if len(schema) == 1 and not isinstance(data, dict) and not is_frame(data):
        alone = _enforce_single(data, schema.inputs[0])
        if alone is not None:
            return alone
    return _enforce_columns(_as_frame(data, schema), schema)


def enforce_list(data: Any, schema: Schema) -> Any:
    """Check a list of instances against the one type that a type hint gave them; pydantic models check themselves.

    Raises
    ------
    SchemaMismatch
        It is no list, or an instance is of another type.
    """
    wanted: ColumnType = schema.inputs[0].type
    if not isinstance(data, list):
        raise SchemaMismatch(f"The model needs a list of {_show(wanted)}, and got a {type(data).__name__}.")
    for number, item in enumerate(data):
        came = _value_type(item)
        built = hasattr(type(item), "model_fields")  # a pydantic model: it has checked itself
        if not built and (not _widens(came, wanted) or came is DataType.any is not wanted):
            raise SchemaMismatch(
                f"The model needs a list of {_show(wanted)}, and item {number} is {item!r:.100}{_keys(came, wanted)}."
            )
    return data


def _keys(came: ColumnType, wanted: ColumnType) -> str:
    """Which keys of an object are not as they should be, in words."""
    if isinstance(came, DataType) or isinstance(wanted, DataType) or not (_is_object(came) and _is_object(wanted)):
        return ""
    ours, theirs = wanted["properties"], came["properties"]
    wrong = [
        *(f"{key!r} is missing" for key, kind in ours.items() if kind.get("required", True) and key not in theirs),
        *(f"{key!r} is not known" for key in theirs if key not in ours),
        *(
            f"{key!r} must be {_show(_nested(ours[key]))}"
            for key, kind in theirs.items()
            if key in ours and not _widens(_nested(kind), _nested(ours[key]))
        ),
    ]
    return f": {', '.join(wrong)}" if wrong else ""


def enforce_params(params: dict[str, Any] | None, schema: ParamSchema) -> dict[str, Any]:
    """Return all parameters of ``predict``: the given ones, checked, and the defaults of the others.

    Raises
    ------
    SchemaMismatch
        A name is unknown, or a value has the wrong type.
    """
    given = dict(params or {})
    known = {spec.name: spec for spec in schema}
    for name in given:
        if name not in known:
            raise SchemaMismatch(f"The model has no parameter {name!r}; it has: {', '.join(known)}.")
    return {name: _param(given[name], spec) if name in given else spec.default for name, spec in known.items()}


def _param(value: Any, spec: ParamSpec) -> Any:
    values = list(value) if spec.shape is not None and isinstance(value, (list, tuple)) else [value]
    is_list = spec.shape is not None
    for item in values:
        came = _value_type(item)
        no_type = came is DataType.any is not spec.type and item is not None
        if no_type or (is_list and not isinstance(value, (list, tuple))) or not _widens(came, spec.type):
            wanted = f"a list of {spec.type}" if is_list else _show(spec.type)
            raise SchemaMismatch(f"The parameter {spec.name!r} needs {wanted}, and got {value!r}.")
    if spec.type in (DataType.float, DataType.double):
        values = [v if v is None else float(v) for v in values]
    return values if is_list else values[0]


_NULLABLE = {DataType.integer: "Int32", DataType.long: "Int64"}
_LADDER = (DataType.integer, DataType.long, DataType.float, DataType.double)


def _widens(came: ColumnType, wanted: ColumnType) -> bool:
    """Whether a value of one type may stand where the other is wanted."""
    if isinstance(came, DataType) and isinstance(wanted, DataType):
        if came in _LADDER and wanted in _LADDER:
            same_kind = (came in _LADDER[2:]) == (wanted in _LADDER[2:])
            return same_kind or wanted in _LADDER[2:]
        return wanted in (came, DataType.any) or came is DataType.any
    if wanted is DataType.any or came is DataType.any:
        return True
    if isinstance(came, DataType) or isinstance(wanted, DataType) or came["type"] != wanted["type"]:
        return wanted != came and not isinstance(wanted, DataType) and wanted["type"] == "map" and _is_object(came)
    if came["type"] == "array":
        return _widens(_nested(came["items"]), _nested(wanted["items"]))
    ours, theirs = wanted.get("properties", {}), came.get("properties", {})
    return all(k in theirs or not p.get("required", True) for k, p in ours.items()) and all(
        k in ours and _widens(_nested(p), _nested(ours[k])) for k, p in theirs.items()
    )


def _is_object(kind: ColumnType) -> bool:
    return not isinstance(kind, DataType) and kind["type"] == "object"


def _nested(spec: dict[str, Any]) -> ColumnType:
    return DataType(spec["type"]) if spec["type"] in DataType.__members__ else spec


def _value_type(value: Any) -> ColumnType:
    try:
        return schema_of({"value": value}).inputs[0].type
    except Undescribable:
        return DataType.any


# -- columns --------------------------------------------------------------------------------------------------------


def _enforce_single(data: Any, spec: Any) -> Any:
    """One column given as a list, Series, 1-D array or scalar; None when it is none of these."""
    if is_series(data):
        return _cast_column(data, spec)
    is_flat_array = getattr(data, "ndim", None) == 1 and not is_sparse(data)
    if not is_flat_array and (isinstance(data, (list, tuple)) and data and isinstance(data[0], dict)):
        return None
    if is_flat_array or isinstance(data, (list, str, bytes, int, float)):
        came = _single_type(data)
        if not _widens(came, spec.type):
            raise SchemaMismatch(f"{_column(spec)} needs {_show(spec.type)}, and got {_show(came)}.")
        return data
    return None


def _single_type(data: Any) -> ColumnType:
    try:
        found = schema_of(data.tolist() if hasattr(data, "tolist") else data).inputs[0].type
    except Undescribable as reason:
        raise SchemaMismatch(f"The input does not fit: {reason}.") from reason
    if isinstance(data, list) and not data:
        return DataType.any
    return found


def _as_frame(data: Any, schema: Schema) -> Any:
    import pandas as pd  # noqa: PLC0415

    if is_frame(data):
        return data
    if is_polars(data):
        return _pandas_of(data)
    names = schema.input_names()
    if isinstance(data, dict):
        # Values that are all lists or arrays of one length are columns; otherwise the dict is one row.
        nested = any(not isinstance(spec.type, DataType) for spec in schema)
        columns = not nested and all(isinstance(v, (list, tuple)) or getattr(v, "ndim", 0) == 1 for v in data.values())
        return pd.DataFrame(data if columns else [data])
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return pd.DataFrame(data)
    if is_sparse(data):
        raise SchemaMismatch(f"The model needs the columns {listed(names)}, and got a sparse matrix.")
    try:
        frame = pd.DataFrame(data)
    except (ValueError, TypeError) as error:
        raise SchemaMismatch(f"The model needs the columns {listed(names)}; this is no table: {error}") from error
    if frame.shape[1] != len(names):
        raise SchemaMismatch(
            f"The model needs {len(names)} columns ({listed(names)}), and the {type(data).__name__} has "
            f"{frame.shape[1]}."
        )
    frame.columns = pd.Index(names)
    return frame.infer_objects() if object in frame.dtypes.tolist() else frame


def _pandas_of(data: Any) -> Any:
    """A polars table as the pandas one that the model's signature speaks of; without pyarrow, which `to_pandas` wants."""
    import pandas as pd  # noqa: PLC0415

    columns = [data] if hasattr(data, "to_frame") else data.get_columns()
    nullable = {"Int64", "Int32", "Int16", "Int8", "UInt8", "UInt16", "UInt32", "UInt64", "Boolean"}
    found: dict[str, Any] = {}
    for column in columns:
        kind = str(column.dtype.base_type())
        if kind in nullable and column.null_count():
            found[column.name] = pd.array(column.to_list(), dtype=kind.lower() if kind == "Boolean" else kind)
        elif kind in ("Date", "Datetime"):
            found[column.name] = pd.to_datetime(pd.Series(column.to_list()))
        else:
            found[column.name] = column.to_numpy() if column.dtype.is_numeric() else column.to_list()
    return pd.DataFrame(found)


def _enforce_columns(frame: Any, schema: Schema) -> Any:
    names = schema.input_names()
    if not schema.has_input_names():
        if frame.shape[1] != len(names):
            raise SchemaMismatch(f"The model needs {len(names)} columns, and the input has {frame.shape[1]}.")
    elif frame.columns.tolist() != names:
        present = set(frame.columns.tolist())
        missing = [name for name in schema.required_input_names() if name not in present]
        if missing:
            extra = [name for name in frame.columns.tolist() if name not in set(names)]
            also = f" It has {listed(extra)}, which the model does not know." if extra else ""
            raise SchemaMismatch(
                f"The input lacks the {'columns' if missing[1:] else 'column'} {listed(missing)}.{also}"
            )
        frame = frame[[name for name in names if name in present]]
        if frame.shape[1] > len(present.intersection(names)):
            raise SchemaMismatch("The input has several columns of one name.")
    specs = schema.input_dict()
    result = frame
    for position, dtype in enumerate(frame.dtypes.tolist()):
        spec: Any = specs[frame.columns[position]] if schema.has_input_names() else schema.inputs[position]
        if _fits(dtype, spec.type if isinstance(spec.type, DataType) else None):
            continue
        column = _cast_column(frame.iloc[:, position], spec)
        if column.dtype != dtype:
            result = frame.copy(deep=False) if result is frame else result
            result.isetitem(position, column)
    return result


@lru_cache(maxsize=1024)
def _fits(dtype: Any, wanted: DataType | None) -> bool:
    """Whether every column of a dtype is as the type wants it, so that no value needs a look."""
    if wanted is None:
        return False
    if wanted is DataType.any:
        return True
    kind = getattr(dtype, "kind", "?")
    if wanted in NUMPY_NAME:
        return str(dtype).lower() == {"boolean": "bool"}.get(wanted, NUMPY_NAME[wanted]) or (
            wanted is DataType.boolean and kind == "b"
        )
    if wanted is DataType.string:
        return kind == "U" or type(dtype).__name__ in ("StringDtype", "ObjectDType")
    if wanted is DataType.binary:
        return kind == "S" or type(dtype).__name__ == "ObjectDType"
    return bool(kind == "M")


def _cast_column(column: Any, spec: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    wanted: ColumnType = spec.type
    dtype = column.dtype
    if isinstance(wanted, DataType) and _fits(dtype, wanted):
        return column
    if not isinstance(wanted, DataType) or says_little(dtype):
        return _cast_by_values(column, spec)
    if wanted is DataType.datetime and _fits(dtype, DataType.string):
        return _to_datetime(column, spec)
    if wanted in NUMPY_NAME and getattr(dtype, "kind", "?") in "biuf":
        target = np.dtype(NUMPY_NAME[wanted])
        plain = isinstance(dtype, np.dtype)
        values = column.to_numpy() if plain else column.dropna().to_numpy(dtype=getattr(dtype, "numpy_dtype", None))
        if plain and dtype.kind == "f" and wanted in _NULLABLE and not spec.required and _is_whole(values, target):
            return column.astype(_NULLABLE[wanted])  # where a value is missing, integers come as floats
        if lossless(values, target):
            # Nullable columns keep their missing values, and so stay as they are.
            return column.astype(target) if plain else column
        hint = ""
        if dtype.kind == "f" and target.kind in "iu" and column.hasnans:
            hint = (
                " Missing values turn integers into floats: infer the signature from data that has some, or declare "
                "the column as double."
            )
        raise SchemaMismatch(
            f"{_column(spec)} needs {wanted}, and {dtype} can't be cast to it without changing values.{hint}"
        )
    raise SchemaMismatch(f"{_column(spec)} needs {wanted}, and came as {dtype}.")


def _is_whole(values: Any, target: Any) -> bool:
    """Whether what is there of floats are integers of a type."""
    import numpy as np  # noqa: PLC0415

    there = values[~np.isnan(values)]
    limits = np.iinfo(target)
    return bool(((there == np.floor(there)) & (there >= limits.min) & (there < -float(limits.min))).all())


def _cast_by_values(column: Any, spec: Any) -> Any:
    """A column whose dtype says little: Python objects, categories, or a nested type is wanted."""
    try:
        came = schema_of(column).inputs[0].type
    except Undescribable as reason:
        raise SchemaMismatch(f"{_column(spec)} needs {_show(spec.type)}: {reason}.") from reason
    if spec.type is DataType.datetime and came is DataType.string:
        return _to_datetime(column, spec)
    # No common type means: all values are missing, which fits, or they are a mixture, which does not.
    if not _widens(came, spec.type) or (came is DataType.any is not spec.type and column.notna().any()):
        raise SchemaMismatch(f"{_column(spec)} needs {_show(spec.type)}, and got {_show(came)}.")
    narrowed = column.infer_objects()
    return _cast_column(narrowed, spec) if narrowed.dtype != column.dtype else column


def _to_datetime(column: Any, spec: Any) -> Any:
    import pandas as pd  # noqa: PLC0415

    try:
        return pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise SchemaMismatch(f"{_column(spec)} needs datetime, and its text can't be read as such: {error}") from error


# -- words ----------------------------------------------------------------------------------------------------------


def _column(spec: ColSpec) -> str:
    return "The input" if spec.name is None else f"The column {spec.name!r}"


def _show(kind: ColumnType) -> str:
    if isinstance(kind, DataType):
        return "values without a common type" if kind is DataType.any else str(kind)
    if kind["type"] == "array" and "items" in kind:
        return f"a list of {_show(_nested(kind['items']))}"
    if kind["type"] == "map":
        return f"a dict of {_show(_nested(kind['values']))}"
    return f"a dict with the keys {listed(list(kind.get('properties', {})))}"
