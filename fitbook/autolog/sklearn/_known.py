"""Whose code would run if this estimator predicted: only known libraries', or also the user's?

fitbook calls ``predict`` and the like on its own initiative. That is harmless for a library it knows, and none of its
business for a class or function of the user's, which may be slow, count its calls, or talk to the world.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from fitbook.autolog._guard import package_of
from fitbook.autolog.sklearn._boosters import prints_when_predicting

LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "imblearn"})

# Data, not behaviour of the user's: objects of these packages may sit in an estimator. ``builtins`` holds functions
# too (``eval``), but nobody's own.
_HARMLESS = LIBRARIES | {"builtins", "numpy", "scipy", "pandas", "polars", "pyarrow", "joblib", "threadpoolctl"}
_HARMLESS |= {"collections", "datetime", "decimal", "fractions", "functools", "numbers", "operator", "math", "pathlib"}
_HARMLESS |= {"re", "uuid", "zoneinfo", "array", "random", "types", "copyreg", "enum", "itertools", "string", "_thread"}

_HARMLESS |= {"_catboost", "ctypes"}  # where a booster keeps its trees

_OPAQUE = frozenset({"pandas", "polars", "pyarrow"})  # tables: large inside, and all data

# Attributes that take part in fitting only. Walking them would only blame predictions for a callback or a splitter.
_FIT_ONLY = frozenset(
    {
        "cv",
        "_checked_cv_orig",
        "best_params_",
        "scoring",
        "scorer_",
        "cv_results_",
        "memory",
        "random_state",
        "random_state_",
        "callbacks",
        "verbose",
    }
    | {"refit", "param_grid", "param_distributions", "error_score", "monitor", "_skl_callbacks", "_callbacks"}
    | {"eval_metric"}
)

# Classes of scikit-learn's that draw when they predict or transform, and the parameter that makes them.
_DRAWS: dict[str, tuple[str, tuple[object, ...]]] = {
    "DummyClassifier": ("strategy", ("stratified", "uniform")),
    "IterativeImputer": ("sample_posterior", (True,)),
}


_SCALARS = frozenset({str, int, float, bool, complex, bytes, type(None), type(Ellipsis), range, slice})
_MAX_DEPTH = 30


def is_known_class(cls: type) -> bool:
    """Whether a class belongs to a library of which fitbook calls methods."""
    return package_of(getattr(cls, "__module__", None)) in LIBRARIES


def is_harmless(cls: type) -> bool:
    """Whether a class is one of a known library's, or of those that hold data."""
    return package_of(getattr(cls, "__module__", None)) in _HARMLESS


def is_data(values: Iterable[Any]) -> bool:
    """Whether values hold nothing but data and objects of known libraries."""
    return _look_all(values, {}, 0) is None


def unknown_part(estimator: object) -> str | None:
    """The first part of an estimator that no known library wrote.

    Parameters
    ----------
    estimator : object
        A fitted estimator; pipelines, ensembles, searches and callables among the parameters are looked into.

    Returns
    -------
    str or None
        Name of the class or function of the user's, or None if predicting runs code of known libraries only.
    """
    if not is_known_class(type(estimator)):
        return type(estimator).__qualname__
    return _look(estimator, {}, 0)


def _look(value: Any, seen: dict[int, Any], depth: int) -> str | None:
    cls = type(value)
    if cls in _SCALARS or id(value) in seen:
        return None
    if depth > _MAX_DEPTH:
        return "a structure nested too deeply to be looked through"
    seen[id(value)] = value  # and so alive: its id can't become another's
    if isinstance(value, type):
        return None if package_of(value.__module__) in _HARMLESS else value.__qualname__
    home = package_of(getattr(cls, "__module__", None))
    if cls in (FunctionType, BuiltinFunctionType) or home.startswith("_cython"):
        return _function(value)
    if cls is MethodType:
        return _function(value) or _look(value.__self__, seen, depth + 1)
    if cls is functools.partial:
        return _look_all((value.func, value.args, value.keywords), seen, depth + 1)
    if home not in _HARMLESS:
        # scikit-learn 1.5 says "_loss" of what is in its sklearn._loss._loss.
        is_loss = getattr(sys.modules.get("sklearn._loss._loss"), cls.__name__, None) is cls
        return None if is_loss else str(cls.__qualname__)
    if isinstance(value, Mapping):
        return _look_all(value.values(), seen, depth + 1)
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return _look_all(value, seen, depth + 1)
    if home == "numpy" and hasattr(value, "ndim") and value.ndim > 0 and value.dtype.kind == "O":
        return _look_all(value.ravel().tolist(), seen, depth + 1)
    if cls.__name__ in _DRAWS and cls.__module__.startswith("sklearn.") and _draws(value):
        return f"{cls.__name__}, which draws random numbers when it predicts"
    if prints_when_predicting(value):
        return f"{cls.__name__}, which prints what it does when it predicts"
    if cls.__module__ == "sklearn.tree._classes":
        return None  # numbers and arrays; a forest has hundreds
    if home not in _OPAQUE and hasattr(value, "__dict__"):
        return _look_all((v for k, v in vars(value).items() if k not in _FIT_ONLY), seen, depth + 1)
    return None


def _look_all(values: Iterable[Any], seen: dict[int, Any], depth: int) -> str | None:
    values = list(values)
    if _SCALARS.issuperset(map(type, values)):
        return None
    return next((found for v in values if (found := _look(v, seen, depth))), None)


def _draws(estimator: Any) -> bool:
    """Whether predicting would advance a random state that is the user's, or the global one."""
    name, at_random = _DRAWS[type(estimator).__name__]
    return getattr(estimator, name, None) in at_random and type(estimator.random_state) is not int


def _function(function: Any) -> str | None:
    if package_of(type(getattr(function, "__self__", None)).__module__) == "numpy":
        return "a method of a random state"
    if package_of(getattr(function, "__module__", None) or "builtins") in _HARMLESS:
        return None
    return str(getattr(function, "__qualname__", "a function"))
