"""A hash over data of any container: by value, bounded in time, independent of how the data lies in memory."""

from __future__ import annotations

import hashlib
import marshal
import re
from collections.abc import Iterator
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


class Content:
    """A running hash over data, whether parts of the data were left out, and how much was copied to be read."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.sampled, self.bytes_copied = False, 0

    def digest(self) -> str:
        return self._sha.hexdigest()[:16]

    def label(self, *parts: object) -> None:
        self._sha.update(repr(parts).encode("utf-8", "surrogatepass"))

    def add(self, data: Any) -> None:
        kind = kind_of(data)
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
            if not part.flags.c_contiguous:
                part, self.bytes_copied = np.ascontiguousarray(part), self.bytes_copied + part.nbytes
            self._sha.update(part.reshape(-1).view(np.uint8).data)

    def _frame(self, frame: Any) -> None:
        self.label("frame", frame.shape, [str(c) for c in frame.columns], dtype_names(frame))
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


def kind_of(data: Any) -> str:
    """Name the kind of container that data is in, subclasses by the class that is known."""
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


def dtype_names(frame: Any) -> tuple[str, ...]:
    """Naming a dtype takes microseconds, and thousands of columns share a few."""
    dtypes = list(frame.dtypes)
    names = {dtype: str(dtype) for dtype in set(dtypes)}
    return tuple(map(names.__getitem__, dtypes))
