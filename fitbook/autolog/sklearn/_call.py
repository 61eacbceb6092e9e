"""What a call of ``fit`` was given, whatever way it was given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

_names: WeakKeyDictionary[Callable[..., Any], tuple[str, ...]] = WeakKeyDictionary()

_X_NAMES = ("X", "raw_documents", "X_train", "data")
_Y_NAMES = ("y", "Y", "y_train", "target")


@dataclass(frozen=True, slots=True)
class FitCall:
    """Training data, target and sample weights of a fit; None for what was not given."""

    X: Any
    y: Any
    sample_weight: Any


def fit_call(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> FitCall:
    """Find data, target and weights among the arguments of a fitting method (``self`` not among them)."""
    given = dict(zip(_parameters(method), args, strict=False))
    given.update(kwargs)
    X = next((given[name] for name in _X_NAMES if name in given), args[0] if args else None)
    y = next((given[name] for name in _Y_NAMES if name in given), None)
    return FitCall(X, y, given.get("sample_weight"))


def _parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    names = _names.get(method)
    if names is None:
        try:
            parameters = list(inspect.signature(method).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = _names[method] = tuple(p.name for p in parameters if p.kind in plain)[1:]
    return names


def head(data: Any, rows: int) -> Any:
    """The first rows of array-like data, without copying the rest; None if it can't be sliced."""
    if data is None or not (hasattr(data, "shape") or isinstance(data, (list, tuple))):
        return None
    part = getattr(data, "iloc", data)
    try:
        return part[:rows]
    except (TypeError, IndexError, KeyError, NotImplementedError):
        return None
