"""Which run a fitted estimator, and a prediction of it, belong to; nothing is attached to the user's objects."""

from __future__ import annotations

import math
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fitbook.autolog.sklearn._content import kind_of
from fitbook.autolog.sklearn._fingerprint import UNKNOWN, digest_of
from fitbook.tracking._run import RunHandle

_MAX_CONTENTS = 512
_MAX_HASHED_ELEMENTS = 1_000_000
_MAX_HASHED_STRINGS = 50_000


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a prediction came from: the run of its model, and what the user calls the data."""

    run: RunHandle
    data_name: str


_lock = threading.Lock()
_runs: dict[int, tuple[weakref.ref[Any], RunHandle]] = {}
_by_identity: dict[int, tuple[weakref.ref[Any], Prediction]] = {}
_by_content: OrderedDict[str, Prediction] = OrderedDict()


def link(estimator: Any, run: RunHandle) -> None:
    """Note the run of an estimator; the estimator is not kept alive by it."""
    _remember(_runs, estimator, run)


def run_of(estimator: Any) -> RunHandle | None:
    """Give the run of the last recorded fit of an estimator."""
    found: RunHandle | None = _recall(_runs, estimator)
    return found


def note_prediction(values: Any, prediction: Prediction) -> None:
    """Remember where predicted values came from, by the object and by what is in it."""
    import numpy as np  # noqa: PLC0415

    if isinstance(values, (tuple, list)) and len(values) and isinstance(values[0], np.ndarray):
        # Means with standard deviations, or the probabilities of several targets: each is a prediction.
        for part in values:
            note_prediction(part, prediction)
        return
    _remember(_by_identity, values, prediction)
    digest = _content(values)
    if digest is not None:
        with _lock:
            _by_content[digest] = prediction
            _by_content.move_to_end(digest)
            while len(_by_content) > _MAX_CONTENTS:
                _by_content.popitem(last=False)


def find_prediction(values: Any, *, by_content: bool = True) -> Prediction | None:
    """Tell where values came from: the object itself, what it is a view of, or (if wanted) a copy with the same content."""
    import numpy as np  # noqa: PLC0415

    seen = values
    while seen is not None:
        found: Prediction | None = _recall(_by_identity, seen)
        if found is not None:
            return found
        # Only an array is asked: anybody else's attribute could run code of the user's.
        seen = seen.base if isinstance(seen, np.ndarray) else None
    if not by_content or not _by_content:
        return None
    digest = _content(values)
    return None if digest is None else _by_content.get(digest)


def same_data(values: Any) -> str | None:
    """A digest that is equal for an array, its copy, its list and its column; None for what can't be read."""
    array = _as_array(values)
    digest = None if array is None else _array_digest(array)
    if digest is None:
        digest = digest_of(values)
    return None if digest == UNKNOWN else digest


def _content(values: Any) -> str | None:
    """As `same_data`, but None for what is equal to too much else by chance: constants, and a handful of values."""
    array = _as_array(values)
    if array is None or not 8 <= array.size <= _MAX_HASHED_ELEMENTS:
        return None
    digest = _array_digest(array)
    # Objects have a digest if they are strings only; nobody's own comparison is called here.
    if digest is None or digest == UNKNOWN or (array.ravel()[0] == array).all():
        return None
    return digest


def _as_array(values: Any) -> Any:
    """An array, a column or a list as an array; None for anything else."""
    import numpy as np  # noqa: PLC0415

    if isinstance(values, np.ndarray):
        return values if values.ndim else None
    if isinstance(values, (list, tuple)):
        if not values or len(values) > _MAX_HASHED_ELEMENTS:
            return None
        try:
            return np.asarray(values)
        except ValueError:  # rows of different lengths
            return None
    if kind_of(values).startswith(("pandas.", "polars.")) and hasattr(type(values), "to_numpy"):
        return values.to_numpy() if math.prod(values.shape) <= _MAX_HASHED_ELEMENTS else None
    return None


def _array_digest(array: Any) -> str | None:
    """Strings are hashed as such: as objects, or in cells of another width, equal ones have other bytes."""
    if array.dtype.kind not in "OU":
        return digest_of(array)
    cells = array.ravel()[:: -(-array.size // _MAX_HASHED_STRINGS) or 1].tolist()
    strings = [str.__str__(cell) for cell in cells if isinstance(cell, str)]
    return f"{array.shape} {digest_of(strings)}" if len(strings) == len(cells) else None


def _remember(table: dict[int, tuple[weakref.ref[Any], Any]], key: Any, value: Any) -> None:
    number = id(key)
    try:
        reference = weakref.ref(key, lambda _: table.pop(number, None))
    except TypeError:  # lists, scalars and classes with slots can't be referred to weakly
        return
    table[number] = (reference, value)


def _recall(table: dict[int, tuple[weakref.ref[Any], Any]], key: Any) -> Any:
    entry = table.get(id(key))
    return entry[1] if entry is not None and entry[0]() is key else None
