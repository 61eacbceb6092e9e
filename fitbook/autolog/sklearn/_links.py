"""Which run a fitted estimator, and a prediction of it, belong to; nothing is attached to the user's objects."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fitbook.autolog.sklearn._fingerprint import UNKNOWN, digest_of
from fitbook.tracking._run import RunHandle

_MAX_CONTENTS = 512
_MAX_HASHED_ELEMENTS = 1_000_000


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
    _remember(_by_identity, values, prediction)
    digest = _content(values)
    if digest is not None:
        with _lock:
            _by_content[digest] = prediction
            _by_content.move_to_end(digest)
            while len(_by_content) > _MAX_CONTENTS:
                _by_content.popitem(last=False)


def find_prediction(values: Any) -> Prediction | None:
    """Tell where values came from: the object itself, what it is a view of, or a copy with the same content."""
    seen = values
    while seen is not None:
        found: Prediction | None = _recall(_by_identity, seen)
        if found is not None:
            return found
        seen = getattr(seen, "base", None)
    if not _by_content:
        return None
    digest = _content(values)
    return None if digest is None else _by_content.get(digest)


def _content(values: Any) -> str | None:
    """A digest that is equal for an array, its copy, and its list."""
    import numpy as np  # noqa: PLC0415

    if not isinstance(values, (np.ndarray, list, tuple)) and not hasattr(values, "to_numpy"):
        return None
    try:
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    except ValueError:  # rows of different lengths
        return None
    if array.ndim == 0 or array.size == 0 or array.size > _MAX_HASHED_ELEMENTS or array.dtype == object:
        return None
    # A constant prediction, or a handful of values, is equal to too much else by chance.
    if array.size < 8 or (array.ravel()[0] == array).all():
        return None
    digest = digest_of(array)
    return None if digest == UNKNOWN else digest


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
