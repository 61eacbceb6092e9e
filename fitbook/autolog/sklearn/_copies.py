"""Copies of predictions, known again by what is in them: by now the array that a model gave may be gone.

So that nothing is taken for a copy by chance, a match has to be as improbable as 20 coins falling as foretold, for each
place where it could have been found.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._content import kind_of
from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

MAX_COPIES = 512
MAX_BYTES = 16 * 2**20  # of all copies
MAX_ELEMENTS = 1_000_000  # of one
_MAX_SEARCHED = 500_000  # what is looked through for one part of a prediction, the newest copies first
_BITS = 20
_SAMPLE = 1000
_MAX_COLUMNS = 100


@dataclass(slots=True, eq=False)
class _Copy:
    """What was predicted, as rows and columns."""

    values: NDArray[Any]
    is_text: bool
    classes: NDArray[Any] | None
    source: Any
    nbytes: int

    def numbers(self) -> NDArray[Any]:
        """The values as numbers; those of strings are made when they are first needed."""
        if self.values.dtype.kind in "UO":
            numbers = _numbers(self.values)
            self.values = np.empty((0, 1)) if numbers is None else numbers
        return self.values


class Copies:
    """The latest predictions and where they came from; 16 MB of them at most."""

    def __init__(self) -> None:
        self._kept: deque[_Copy] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def note(self, values: Any, source: Any, classes: Any = None) -> None:
        """Keep a copy of a prediction.

        Parameters
        ----------
        values : array-like
            What a model gave.
        source : object
            What `find` is to give for it.
        classes : ndarray, optional
            What the columns of ``values`` stand for.
        """
        array = as_array(values)
        if array is None or array.dtype.kind not in "biufUO" or array.nbytes > MAX_BYTES // 2:
            return
        if array.dtype.kind == "O" and type(array.flat[0]) is not str:
            return
        table = np.array(array).reshape(len(array), -1)
        copy = _Copy(table, table.dtype.kind in "UO", classes, source, table.nbytes)
        with self._lock:
            self._kept.append(copy)
            self._bytes += copy.nbytes
            while len(self._kept) > MAX_COPIES or self._bytes > MAX_BYTES:
                self._bytes -= self._kept.popleft().nbytes

    def find(self, values: Any) -> Any:
        """Give the source of the last prediction that ``values`` are a copy of, as a whole or in part; else None."""
        array = as_array(values) if self._kept else None
        numbers = None if array is None else _numbers(array.reshape(len(array), -1))
        if array is None or numbers is None:
            return None
        part = _Part(numbers, array.dtype.kind in "UO" and numbers.dtype.kind == "i")  # of numbers as objects, floats
        if part.bits < _BITS:
            return None
        with self._lock:
            newest = list(self._kept)[::-1]
        newest = [copy for copy in newest if len(copy.values) >= len(numbers)]
        for matches in (_is_all_of, _is_block_of, _is_chosen_from, _is_decided_by):
            left = _MAX_SEARCHED
            for copy in newest:
                if matches is not _is_all_of:
                    left -= copy.values.size
                if left < 0:
                    break
                if matches(part, copy):
                    return copy.source
        return None

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


class _Part:
    """Values that may be copied from a prediction, and how much they say."""

    def __init__(self, values: NDArray[Any], is_text: bool) -> None:
        self.values, self.is_text = values, is_text
        rows = np.arange(len(values))
        rows = rows[:: -(-len(rows) // _SAMPLE) or 1]
        _, which, counts = np.unique(values[rows, 0], return_inverse=True, return_counts=True)
        self.bits = float((counts * np.log2(len(rows) / counts)).sum())
        hardly_repeat = len(rows) >= 20 and len(counts) >= 0.9 * len(rows)
        with np.errstate(invalid="ignore"):
            self.are_fractions = hardly_repeat and bool((values[rows, 0] % 1 != 0).mean() > 0.9)
        self.probes: list[int] = rows[np.argsort(counts[which.ravel()], kind="stable")[:64]].tolist()  # rare ones first


def _is_all_of(part: _Part, copy: _Copy) -> bool:
    if len(copy.values) != len(part.values):
        return False
    return any(_is_at(part, copy.numbers(), 0, column) for column in _columns(part, copy))


def _is_block_of(part: _Part, copy: _Copy) -> bool:
    """Whether these are rows that stand beside each other in a prediction."""
    places = len(copy.values) - len(part.values) + 1
    if places < 2 or part.bits < _BITS + math.log2(places):
        return False
    for column in _columns(part, copy):
        values, few = copy.numbers()[:, column], part.probes
        possible = values[few[0] : few[0] + places] == part.values[few[0], 0]
        for row in few[1:6]:  # a mask is faster than positions as long as there are many
            if not possible.any():
                break
            possible &= values[row : row + places] == part.values[row, 0]
        starts = np.flatnonzero(possible)
        for row in few[6:]:
            if len(starts) <= 1:
                break
            starts = starts[values[starts + row] == part.values[row, 0]]
        if any(_is_at(part, copy.numbers(), start, column) for start in starts[:16].tolist()):
            return True
    return False


def _is_chosen_from(part: _Part, copy: _Copy) -> bool:
    """Whether these are rows of a prediction in any order, such as a mask gives.

    Only with fractions that hardly ever repeat: the same few labels are in every prediction.
    """
    if not part.are_fractions or part.values.shape[1] > 1:
        return False
    for column in _columns(part, copy):
        values = copy.values[:, column]
        if all((values == part.values[row, 0]).any() for row in part.probes[:8]):
            few = values[:: -(-len(values) // _SAMPLE)]
            return len(np.unique(few)) >= 0.9 * len(few) and bool(np.isin(part.values[:, 0], values).all())
    return False


def _is_decided_by(part: _Part, copy: _Copy) -> bool:
    """Whether these are the classes that have the highest of the predicted probabilities."""
    scores, few = copy.values, part.probes
    if len(scores) != len(part.values) or scores.dtype.kind != "f" or scores.shape[1] < 2 or part.values.shape[1] > 1:
        return False
    for classes in (np.arange(scores.shape[1]), copy.classes):
        if classes is None or len(classes) != scores.shape[1] or (classes.dtype.kind in "UO") != part.is_text:
            continue
        labels = _numbers(classes)
        if labels is None:
            continue
        if (labels[scores[few].argmax(axis=1)] == part.values[few, 0]).all():
            return bool((labels[scores.argmax(axis=1)] == part.values[:, 0]).all())
    return False


def _columns(part: _Part, copy: _Copy) -> range:
    """Where in a prediction the first column may be found."""
    if part.is_text != copy.is_text:
        return range(0)
    width = copy.values.shape[1]
    if part.values.shape[1] == 1:
        return range(min(width, _MAX_COLUMNS))
    return range(part.values.shape[1] == width)


def _is_at(part: _Part, whole: NDArray[Any], row: int, column: int) -> bool:
    rows, columns = part.values.shape
    found = whole[row : row + rows, column : column + columns]
    few = part.probes[:8]
    if len(found) < rows:
        return False
    return bool((found[few] == part.values[few]).all()) and bool((found == part.values).all())


def as_array(values: Any) -> Any:
    """An array, a column or a list as an array of at least one dimension; None for anything else."""
    if isinstance(values, np.ndarray):
        return np.asarray(values) if values.ndim and 0 < values.size <= MAX_ELEMENTS else None
    if isinstance(values, (list, tuple)):
        if not values or len(values) > MAX_ELEMENTS:
            return None
        try:
            return np.asarray(values)
        except ValueError:  # rows of different lengths
            return None
    if kind_of(values).startswith(("pandas.", "polars.")) and hasattr(type(values), "to_numpy"):
        return values.to_numpy() if 0 < math.prod(values.shape) <= MAX_ELEMENTS else None
    return None


def _numbers(array: NDArray[Any]) -> NDArray[Any] | None:
    """Numbers that are equal where the values are; None for values whose comparison would be somebody else's code."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind not in "UO":
        return None
    cells = array.ravel().tolist()
    types = set(map(type, cells))
    if types <= {str, np.str_}:
        return np.fromiter(map(hash, cells), np.int64, len(cells)).reshape(array.shape)
    if not types <= {int, float, bool}:
        return None
    try:
        return np.array(cells, dtype=np.float64).reshape(array.shape)
    except OverflowError:
        return None
