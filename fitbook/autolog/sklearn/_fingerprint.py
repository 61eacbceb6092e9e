"""What data a fit saw: a digest of its content, its shape and its schema, within a few milliseconds.

Equal data has an equal digest in every process and on every machine of one byte order; the order of rows and columns
counts. Up to 16 MB every byte is read. Beyond that evenly spaced blocks are, and the fingerprint says so.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

FULL_BYTES = 16 * 2**20
_FULL_BYTES_ON_DISK = 2**20  # a memory map may lie on a slow disk: touch few pages
_BLOCK_BYTES = 64 * 2**10
_MAX_OBJECTS = 50_000
_MAX_OBJECT_BYTES = 8 * 2**20
_MAX_SCHEMA_COLUMNS = 2_000
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a data set.

    Attributes
    ----------
    digest : str
        16 hexadecimal digits over content, types, shape and column names, or ``"unknown"``.
    n_rows, n_features : int or None
        None where the data does not tell. One-dimensional data has one feature.
    dtypes : tuple of str
        One for each column of a table, else one for the array.
    schema_json, profile_json : str or None
        In the layouts of MLflow's data sets.
    feature_names : tuple of str or None
        Column names of a table.
    sampled : bool
        Not every byte was read.
    kind : str
        Where the data's class comes from, e.g. ``"pandas.DataFrame"``.
    """

    digest: str
    n_rows: int | None
    n_features: int | None
    dtypes: tuple[str, ...]
    schema_json: str | None
    profile_json: str | None
    feature_names: tuple[str, ...] | None
    sampled: bool
    kind: str


def fingerprint(X: Any, y: Any = None) -> Fingerprint:
    """Fingerprint training data; neither is changed, copied as a whole, or made dense.

    Parameters
    ----------
    X : ndarray, DataFrame, Series, scipy sparse, polars DataFrame or list
        Anything else has the digest ``"unknown"``.
    y : array-like, optional
        The target; its content is part of the digest.
    """
    content = _Content()
    try:
        content.add(X)
        if y is not None:
            content.label("target")
            content.add(y)
        digest = content.digest()
    except Exception:  # data that can't be read costs its digest, nothing else
        digest = UNKNOWN
    try:
        return _described(X, y, digest, content.sampled)
    except Exception:
        return Fingerprint(digest, None, None, (), None, None, None, content.sampled, _kind(X))


def digest_of(value: Any) -> str:
    """The digest alone."""
    try:
        content = _Content()
        content.add(value)
        return content.digest()
    except Exception:
        return UNKNOWN


class _Content:
    """A running hash over data, and whether parts of the data were left out."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.sampled = False

    def digest(self) -> str:
        return self._sha.hexdigest()[:16]

    def label(self, *parts: object) -> None:
        self._sha.update(repr(parts).encode("utf-8", "surrogatepass"))

    def add(self, data: Any) -> None:
        kind = _kind(data)
        if kind == "numpy.ndarray":
            self._array(data)
        elif kind == "pandas.DataFrame":
            self._frame(data)
        elif kind == "pandas.Series":
            self.label("series", str(data.name), str(data.dtype))
            self._column(data, _MAX_OBJECTS)
        elif kind == "polars.DataFrame":
            self.label("polars", data.shape, data.columns, [str(t) for t in data.dtypes])
            for column in data.get_columns():
                self._polars(column, _MAX_OBJECTS // max(1, data.shape[1]))
        elif kind == "polars.Series":
            self.label("polars", data.name, str(data.dtype))
            self._polars(data, _MAX_OBJECTS)
        elif kind.startswith("scipy.sparse"):
            self._sparse(data)
        elif kind == "list":
            self.label("list", len(data))
            self._objects(data, _MAX_OBJECTS)
        else:
            raise TypeError(kind)

    def _array(self, array: Any) -> None:
        on_disk = isinstance(array, np.memmap)
        array = np.asarray(array)
        self.label("array", array.dtype.str, array.shape)
        if array.dtype == object:
            self._objects(array.ravel(), _MAX_OBJECTS)
        elif array.dtype.hasobject:
            raise TypeError(f"records with objects: {array.dtype}")
        elif array.size and array.dtype.itemsize:
            self._raw(array.reshape(1) if array.ndim == 0 else array, on_disk)

    def _raw(self, array: Any, on_disk: bool = False) -> None:
        if array.nbytes <= (_FULL_BYTES_ON_DISK if on_disk else FULL_BYTES):
            if array.flags.c_contiguous:
                self._sha.update(array.reshape(-1).view(np.uint8).data)
                return
            blocks = _row_blocks(array.shape[0], max(1, 4 * _BLOCK_BYTES * array.shape[0] // array.nbytes))
        else:
            self.sampled = True
            blocks = _spread_blocks(array.shape[0], array.nbytes, 16 if on_disk else 128)
        for rows in blocks:
            part = array[rows]
            if part.nbytes > 8 * _BLOCK_BYTES:  # a few gigantic rows
                self.sampled = True
                part = part.reshape(-1)[:: part.nbytes // _BLOCK_BYTES] if part.flags.c_contiguous else part[..., :1]
            self._sha.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)

    def _frame(self, frame: Any) -> None:
        self.label("frame", frame.shape, [str(c) for c in frame.columns], _dtype_names(frame))
        plain: dict[Any, list[int]] = {}
        special: list[int] = []
        for position, dtype in enumerate(list(frame.dtypes)):
            if isinstance(dtype, np.dtype) and not dtype.hasobject:
                plain.setdefault(dtype, []).append(position)
            else:
                special.append(position)
        n_rows = frame.shape[0]
        nbytes = sum(dtype.itemsize * len(where) for dtype, where in plain.items()) * n_rows
        if nbytes <= FULL_BYTES:
            blocks: Iterator[slice] = iter([slice(0, n_rows)])
        else:
            self.sampled = True
            blocks = _spread_blocks(n_rows, nbytes, 32)
        for rows in blocks:
            part = frame.iloc[rows] if self.sampled else frame
            for where in plain.values():
                group = part if len(where) == frame.shape[1] else part.iloc[:, where]
                self._raw(group.to_numpy())
        if len(special) > 500:
            self.sampled, special = True, special[:: -(-len(special) // 500)]
        for position in special:
            self._column(frame.iloc[:, position], max(100, _MAX_OBJECTS // len(special)))

    def _column(self, column: Any, max_objects: int) -> None:
        dtype = column.dtype
        if isinstance(dtype, np.dtype):
            self._array(column.to_numpy())
        elif hasattr(column, "cat"):
            self._array(column.cat.codes.to_numpy())
            self._objects(column.cat.categories.to_numpy(dtype=object), max_objects)
        elif str(dtype).startswith("datetime64"):
            self._array(column.array.asi8)
        else:
            column = self._every(column.iloc, len(column), max_objects)
            self._objects(column.to_numpy(dtype=object, na_value=None), max_objects)

    def _polars(self, column: Any, max_objects: int) -> None:
        if column.dtype.is_numeric() and column.null_count() == 0:
            self._array(column.to_numpy())
        else:
            self._objects(self._every(column, len(column), max(100, max_objects)).to_list(), max_objects)

    def _sparse(self, matrix: Any) -> None:
        self.label("sparse", matrix.format, matrix.shape, matrix.nnz)
        parts = {"coo": ("data", "row", "col"), "dia": ("data", "offsets")}
        for name in parts.get(matrix.format, ("data", "indices", "indptr")):
            self._array(getattr(matrix, name))

    def _every(self, data: Any, n: int, at_most: int) -> Any:
        step = max(1, -(-n // max(1, at_most)))
        self.sampled |= step > 1
        return data[::step]

    def _objects(self, values: Any, at_most: int) -> None:
        """Hash Python objects by value; ``values`` is a list or an array of objects."""
        n = len(values)
        probe = _encoded(_listed(values[:: -(-n // 50) or 1]))
        typical = max(1, len(probe) // max(1, min(n, 50)))
        values = _listed(self._every(values, n, min(at_most, max(50, _MAX_OBJECT_BYTES // typical))))
        self._sha.update(_encoded(values))


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


# Version 2 writes values only. Later versions write references to repeated objects, and pickle does too, so that
# equal data would have unequal bytes depending on which equal strings happen to be one object.
_MARSHAL = 2
_READABLE = frozenset(
    {"builtins", "numpy", "pandas", "datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo"}
)


def _encoded(values: list[Any]) -> bytes:
    try:
        return marshal.dumps(values, _MARSHAL)
    except ValueError:
        return "\x1f".join(map(_spelled, values)).encode("utf-8", "surrogatepass")


def _spelled(value: Any) -> str:
    cls = type(value)
    if cls.__module__.partition(".")[0] not in _READABLE:
        raise TypeError(f"cells of {cls.__qualname__} have no bytes that are known to be theirs")
    if cls in (list, tuple):
        return f"{cls.__name__}({','.join(map(_spelled, value))})"
    if cls.__module__ == "numpy" and hasattr(value, "ndim") and value.ndim > 0:
        return f"ndarray{value.shape}({','.join(map(_spelled, value.ravel().tolist()))})"
    spelled = f"{cls.__name__}:{value!r}"
    if re.search(r" at 0x[0-9a-f]+", spelled):
        raise TypeError(f"cells of {cls.__qualname__} are known by address only")
    return spelled


def _row_blocks(n: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n, size))


def _spread_blocks(n: int, nbytes: int, count: int) -> Iterator[slice]:
    """``count`` blocks of rows from the first to the last, 8 MB in all."""
    size = max(1, (128 // count) * _BLOCK_BYTES * n // nbytes)
    count = min(count, -(-n // size))
    return (slice(start, start + size) for start in (i * (n - size) // max(1, count - 1) for i in range(count)))


def _kind(data: Any) -> str:
    for cls in type(data).__mro__:
        top, name = cls.__module__.partition(".")[0], cls.__name__
        if top == "numpy" and name == "ndarray":
            return "numpy.ndarray"
        if top in ("pandas", "polars") and name in ("DataFrame", "Series"):
            return f"{top}.{name}"
        if cls.__module__.startswith("scipy.sparse") and hasattr(data, "format"):
            return f"scipy.sparse.{data.format}"
        if cls in (list, tuple):
            return "list"
    return f"{type(data).__module__}.{type(data).__qualname__}"


def _described(X: Any, y: Any, digest: str, sampled: bool) -> Fingerprint:
    kind = _kind(X)
    shape = _shape(X)
    names = dtypes = None
    if kind.endswith("DataFrame"):
        names, dtypes = tuple(str(c) for c in X.columns), _dtype_names(X)
        schema: Any = {"mlflow_colspec": _colspec(X, dtypes, kind, sampled)}
    else:
        dtype = getattr(X, "dtype", None)
        dtypes = (str(dtype),) if dtype is not None else ()
        targets = _tensorspec(y)
        features = _tensorspec(X)
        schema = {"mlflow_tensorspec": {"features": features, "targets": targets}} if features else None
    profile: dict[str, Any] = {}
    if shape:
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        profile = {"num_rows": shape[0], "num_elements": size, "features_shape": list(shape), "features_size": size}
        if hasattr(X, "nbytes"):
            profile["features_nbytes"] = int(X.nbytes)
        if y is not None and _shape(y):
            profile["targets_shape"] = list(_shape(y))
    if sampled:
        profile["digest_sampled"] = True
    n_features = None if not shape else shape[1] if len(shape) > 1 else 1
    return Fingerprint(
        digest,
        shape[0] if shape else None,
        n_features,
        dtypes,
        json.dumps(schema) if schema else None,
        json.dumps(profile) if profile else None,
        names,
        sampled,
        kind,
    )


def _shape(data: Any) -> tuple[int, ...]:
    found = getattr(data, "shape", None)
    if isinstance(found, tuple):
        return tuple(int(n) for n in found)
    if isinstance(data, (list, tuple)):
        inner = data[0] if data else None
        wide = isinstance(inner, (list, tuple)) or getattr(inner, "ndim", 0) == 1
        return (len(data), len(inner)) if wide else (len(data),)  # type: ignore[arg-type]
    return ()


def _tensorspec(data: Any) -> str | None:
    """MLflow's schema of one tensor: JSON within JSON, rows left open."""
    dtype = getattr(data, "dtype", None)
    shape = _shape(data)
    if dtype is None or not shape or not isinstance(dtype, np.dtype):
        return None
    name = "str" if dtype.kind == "U" else "bytes" if dtype.kind == "S" else dtype.name
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": name, "shape": [-1, *shape[1:]]}}])


def _dtype_names(frame: Any) -> tuple[str, ...]:
    """Naming a dtype takes microseconds, and thousands of columns share a few."""
    dtypes = list(frame.dtypes)
    names = {dtype: str(dtype) for dtype in set(dtypes)}
    return tuple(map(names.__getitem__, dtypes))


def _colspec(frame: Any, dtypes: tuple[str, ...], kind: str, sampled: bool) -> list[dict[str, Any]]:
    columns = list(frame.columns)[:_MAX_SCHEMA_COLUMNS]
    whole = None if sampled else frame.null_count().row(0) if kind.startswith("polars") else frame.isna().any().tolist()
    types = {dtype: _mlflow_type(dtype) for dtype in set(dtypes)}
    return [
        {"type": types[dtype], "name": str(name), "required": whole is not None and not whole[i]}
        for i, (name, dtype) in enumerate(zip(columns, dtypes, strict=False))
    ]


def _mlflow_type(dtype: str) -> str:
    name = dtype.lower()
    if name.startswith("bool"):
        return "boolean"
    if name.startswith(("datetime", "date")):
        return "datetime"
    if name in ("float64", "double"):
        return "double"
    if name.startswith("float"):
        return "float"
    if name in ("int8", "int16", "int32", "uint8", "uint16"):
        return "integer"
    if name.startswith(("int", "uint")):
        return "long"
    return "string"
