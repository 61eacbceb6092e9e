"""Some rows of training data as numbers, from any container that is known; equal cells are equal numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._content import kind_of
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._predict import count_rows, every

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

_MAX_COLUMNS = 5_000
_MAX_MIXED_COLUMNS = 100
_MISSING = 0x7FF8_0000_0000_0001


class Rows:
    """Rows of a table, an array or a list of up to 5,000 columns (100, if some are not numbers); made by `rows_of`.

    Attributes
    ----------
    n_rows, n_columns : int
    is_table : bool
        Not one-dimensional.
    is_plain : bool
        All cells are numbers, so that reading them costs next to nothing.
    """

    def __init__(self, data: Any, n_columns: int | None, *, is_plain: bool) -> None:
        self.data, self.n_rows, self.is_table, self.is_plain = data, count_rows(data), n_columns is not None, is_plain
        self.n_columns = 1 if n_columns is None else min(n_columns, _MAX_COLUMNS if is_plain else _MAX_MIXED_COLUMNS)

    def name(self, column: int) -> str:
        """What the column is called in a sentence."""
        names = getattr(self.data, "columns", None)
        return f"column {column}" if names is None else repr(str(names[column]))

    def values(
        self, at_most: int, columns: Sequence[int] | None = None, *, at_random: bool = False
    ) -> NDArray[np.float64]:
        """Some rows; which ones depends on how many there are only.

        Parameters
        ----------
        at_most : int
            How many.
        columns : sequence of int, optional
            Which columns; all if not given.
        at_random : bool
            Drawn, rather than evenly spaced.
        """
        if at_random and at_most < self.n_rows:
            part = self._drawn(at_most)
        else:
            part = every(self.data, -(-self.n_rows // at_most) or 1)
        chosen: Any = slice(self.n_columns) if columns is None else list(columns)
        if not self.is_table:
            return _numbers(part)
        if isinstance(part, (list, tuple)):
            return _numbers([row[chosen] if columns is None else [row[c] for c in columns] for row in part])
        return _numbers(part.iloc[:, chosen] if hasattr(part, "iloc") else part[:, chosen])

    def _drawn(self, at_most: int) -> Any:
        drawn = np.unique(np.random.default_rng(self.n_rows).integers(0, self.n_rows, at_most))
        if isinstance(self.data, (list, tuple)):
            return [self.data[row] for row in drawn.tolist()]
        return self.data.iloc[drawn] if hasattr(self.data, "iloc") else self.data[drawn]


def rows_of(data: Any) -> Rows | None:
    """Make rows of data accessible; None for what has none that are known (sparse matrices, for one)."""
    kind = kind_of(data)
    if kind == "numpy.ndarray":
        if data.ndim not in (1, 2) or data.dtype.kind in "VS":
            return None
        return Rows(data, data.shape[1] if data.ndim == 2 else None, is_plain=data.dtype.kind in "biuf")
    if kind in ("pandas.Series", "polars.Series"):
        return Rows(data, None, is_plain=_is_plain(data.dtype))
    if kind == "pandas.DataFrame":
        return Rows(data, data.shape[1], is_plain=all(_is_plain(dtype) for dtype in set(data.dtypes)))
    if kind == "list" and data:
        is_table = isinstance(data[0], (list, tuple)) or getattr(data[0], "ndim", 0) == 1
        return Rows(data, len(data[0]) if is_table else None, is_plain=False)
    return None


@dataclass(frozen=True, slots=True)
class Hashes:
    """What rows are recognised by.

    Attributes
    ----------
    values : ndarray of uint64
        One for each of some rows; equal rows have equal ones.
    n_rows : int
        How many rows there are.
    repeat_by_nature : bool
        Rows are equal because there are few values that they are made of.
    """

    values: NDArray[np.uint64]
    n_rows: int
    repeat_by_nature: bool

    @property
    def share(self) -> float:
        """How many of the rows have been hashed."""
        return len(self.values) / self.n_rows

    def count(self, others: Hashes) -> int:
        """How many of the other rows are among these."""
        return int(np.count_nonzero(np.isin(others.values, self.values)))


def hashes(rows: Rows) -> Hashes:
    """Hash up to 100,000 values of some rows, at least 100 rows, in a way that is the same in every container."""
    step = -(-rows.n_columns // 400)
    columns = None if step <= 1 else list(range(0, rows.n_columns, step))
    n_columns = rows.n_columns if columns is None else len(columns)
    at_most = max(100, 100_000 // max(1, n_columns)) if rows.is_plain else 500
    numbers = rows.values(min(at_most, 10_000), columns, at_random=True) + 0.0  # minus zero is zero
    is_missing = np.isnan(numbers)
    bits = np.ascontiguousarray(numbers).view(np.uint64)
    bits[is_missing] = _MISSING
    # Small whole numbers differ in their high bits only, which a multiplication alone would push out.
    bits ^= bits >> np.uint64(40)
    factors = np.random.default_rng(0).integers(1, 2**63, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    mixed: NDArray[np.uint64] = (bits * factors).sum(axis=1, dtype=np.uint64)
    repeats = len(np.unique(mixed)) < 0.95 * len(mixed)
    if repeats:  # unless they do so beside a column of many values, as when rows are drawn with replacement
        some = np.sort(bits[:200], axis=0)
        repeats = not ((some[1:] != some[:-1]).sum(axis=0) > len(some) / 2).any()
    return Hashes(mixed, rows.n_rows, repeats)


def _numbers(part: Any) -> NDArray[np.float64]:
    """Cells as numbers: two-dimensional, not to be written to."""
    if hasattr(part, "dtypes") and part.ndim == 2:
        plain = [i for i, dtype in enumerate(part.dtypes) if _is_plain(dtype)]
        if len(plain) < part.shape[1]:
            return _mixed(part, plain)
    if str(getattr(part, "dtype", "")) == "category":
        part = part.astype(object)
    array = np.asarray(part.to_numpy() if hasattr(part, "to_numpy") else part)
    if array.dtype.kind in "mM":
        array = array.view(np.int64)
    elif array.dtype.kind not in "biuf":
        flat = [_number(cell) for cell in array.ravel().tolist()]
        array = np.array(flat, dtype=np.float64).reshape(array.shape)
    numbers: NDArray[np.float64] = array.astype(np.float64, copy=False)
    return numbers.reshape(len(numbers), -1)


def _mixed(frame: Any, plain: list[int]) -> NDArray[np.float64]:
    numbers = np.empty(frame.shape)
    if plain:
        numbers[:, plain] = frame.iloc[:, plain].to_numpy()
    for column in set(range(frame.shape[1])) - set(plain):
        numbers[:, column] = _numbers(frame.iloc[:, column])[:, 0]
    return numbers


def _is_plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _number(cell: Any) -> float:
    """A number that is the same for equal cells, as far as that can be told without calling code of the user's."""
    if type(cell) in (int, float, bool) or isinstance(cell, np.generic):
        return float(cell)
    if isinstance(cell, str):
        return float(hash(str.__str__(cell)) >> 11)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return float("nan")
    return float(id(cell))
