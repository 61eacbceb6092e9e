"""Which run a fitted estimator, and a prediction of it, belong to; nothing is attached to the user's objects."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._copies import Copies, as_array
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.tracking._run import RunHandle

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a prediction came from: the run of its model, and what the user calls the data."""

    run: RunHandle
    data_name: str


_runs: dict[int, tuple[weakref.ref[Any], RunHandle]] = {}
_by_identity: dict[int, tuple[weakref.ref[Any], Prediction]] = {}
_copies = Copies()


def link(estimator: Any, run: RunHandle) -> None:
    """Note the run of an estimator; the estimator is not kept alive by it."""
    remember(_runs, estimator, run)


def run_of(estimator: Any) -> RunHandle | None:
    """Give the run of the last recorded fit of an estimator."""
    found: RunHandle | None = recall(_runs, estimator)
    return found


def note_prediction(values: Any, prediction: Prediction, classes: Any = None) -> None:
    """Remember where predicted values came from, by the object and by what is in it.

    Parameters
    ----------
    values : array-like
        What the model gave.
    prediction : Prediction
        Where it came from.
    classes : ndarray, optional
        What the columns of ``values`` stand for.
    """
    if isinstance(values, (tuple, list)) and len(values) and isinstance(values[0], np.ndarray):
        # Means with standard deviations, or the probabilities of several targets: each is a prediction.
        for part in values:
            note_prediction(part, prediction)
        return
    remember(_by_identity, values, prediction)
    _copies.note(values, prediction, classes if isinstance(classes, np.ndarray) else None)


def find_prediction(values: Any, *, by_content: bool = True) -> Prediction | None:
    """Tell where values came from: the object itself, what it is a view of, or (if wanted) what it is a copy of."""
    if not by_content:
        return _source_of(values)
    found = _source_of(values)
    if found is None and not isinstance(values, np.ndarray):
        values = as_array(values)  # that of a column may be a view of what was predicted
        found = _source_of(values)
    return found if found is not None or values is None else _copies.find(values)


def forget_copies() -> None:
    """Let go of all that predictions are known by but the arrays themselves."""
    _copies.forget()


def _source_of(values: Any) -> Prediction | None:
    while values is not None:
        found: Prediction | None = recall(_by_identity, values)
        if found is not None:
            return found
        # Only an array is asked: anybody else's attribute could run code of the user's.
        values = values.base if isinstance(values, np.ndarray) else None
    return None


def remember(table: dict[int, tuple[weakref.ref[Any], Any]], key: Any, value: Any) -> None:
    """Note a value for an object in a table, for as long as the object lives."""
    number = id(key)
    try:
        reference = weakref.ref(key, lambda _: table.pop(number, None))
    except TypeError:  # lists, scalars and classes with slots can't be referred to weakly
        return
    table[number] = (reference, value)


def recall(table: dict[int, tuple[weakref.ref[Any], Any]], key: Any) -> Any:
    """Give what was noted for an object; None if nothing was."""
    entry = table.get(id(key))
    return entry[1] if entry is not None and entry[0]() is key else None
