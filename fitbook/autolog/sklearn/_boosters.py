"""What XGBoost, LightGBM and CatBoost tell of a fit in ways of their own: evaluations for each iteration, importances.

A step is counted as the library counts, LightGBM from 1 and the others from 0: a best iteration is a step of its curves.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fitbook.autolog._guard import OURS, inside, package_of

_FIRST = {"xgboost": 0, "lightgbm": 1, "catboost": 0}
_KINDS = {"xgboost": ("gain", "weight", "cover"), "lightgbm": ("gain", "split")}
_ITERATIONS = ("iterations", "n_estimators", "num_boost_round", "num_trees")


def library(model: object) -> str:
    """The one of the three that the model's class is of; empty for any other, subclasses of the user's included."""
    package = package_of(getattr(type(model), "__module__", None))
    return package if package in _FIRST else ""


def evaluations(model: Any) -> dict[str, list[tuple[int, float]]]:
    """Every metric of every evaluation set by iteration, and where the best was found.

    Parameters
    ----------
    model : fitted estimator
        Of any class; what it predicts is not asked.

    Returns
    -------
    dict of str to list of (int, float)
        ``<evaluation set>-<metric>``, both as the library names them; with early stopping ``best_iteration`` and
        ``best_score``, or, where each metric has its own, ``best_score-<evaluation set>-<metric>``, at the step 0.
    """
    home = library(model)
    results = getattr(model, "evals_result_", None) if home else None
    if not isinstance(results, Mapping):
        return {}
    found: dict[str, list[tuple[int, float]]] = {}
    longest = max((len(values) for _, values in _flat(results)), default=0)
    for name, values in _flat(results):
        steps: Iterable[int] = range(_FIRST[home], _FIRST[home] + len(values))
        if home == "catboost" and _is_sparse(results, len(values), longest):
            steps = _sparse_steps(model, len(values))
        found[name] = [(step, float(value)) for step, value in zip(steps, values, strict=True)]
    best = _own(model, "best_iteration", "best_iteration_")
    if not found or best is None or best < _FIRST[home]:
        return found
    found["best_iteration"] = [(0, float(best))]
    score = _own(model, "best_score", "best_score_")
    scores = _flat(score, "best_score-") if isinstance(score, Mapping) else [("best_score", score)]
    return found | {name: [(0, float(value))] for name, value in scores if value is not None}


def importance_kinds(model: Any) -> dict[str, list[float]]:
    """How much each feature counts, by every measure that the library has beside ``feature_importances_``.

    Parameters
    ----------
    model : fitted estimator

    Returns
    -------
    dict of str to list of float
        One number for each feature: XGBoost's average ``gain``, ``weight`` and ``cover``, LightGBM's ``gain`` and
        ``split``; empty for any other class and for linear boosters.
    """
    home = library(model)
    if home == "lightgbm":
        return {kind: model.booster_.feature_importance(kind).tolist() for kind in _KINDS[home]}
    if home == "xgboost" and _own(model, "booster") != "gblinear":
        booster = model.get_booster()
        names = booster.feature_names or [f"f{i}" for i in range(booster.num_features())]
        by_name = {kind: booster.get_score(importance_type=kind) for kind in _KINDS[home]}  # of used features only
        return {kind: [float(scores.get(name, 0.0)) for name in names] for kind, scores in by_name.items()}
    return {}


def prints_when_predicting(model: Any) -> bool:
    """Whether XGBoost was told to say all that it does; that goes past Python, so nothing could keep it quiet."""
    if library(model) != "xgboost":
        return False
    told = vars(model).get("verbosity")
    if told is None:
        told = sys.modules["xgboost"].get_config().get("verbosity")
    return isinstance(told, int) and told > 2


def hook_output(original: Callable[..., None]) -> Callable[..., None]:
    """Wrap what LightGBM prints through: of predictions that fitbook makes on its own, nothing is to be seen."""

    @functools.wraps(original)
    def output(*args: Any, **kwargs: Any) -> None:
        if inside.get() != OURS:
            original(*args, **kwargs)

    return output


def _flat(results: Mapping[str, Mapping[str, Any]], before: str = "") -> list[tuple[str, Any]]:
    return [(f"{before}{data}-{metric}", value) for data, own in results.items() for metric, value in own.items()]


def _is_sparse(results: Mapping[str, Mapping[str, Any]], length: int, longest: int) -> bool:
    """Whether CatBoost has evaluated at every ``metric_period``-th iteration only: not what it stops early by."""
    return length < longest or all(len(values) == longest for _, values in _flat(results))


def _sparse_steps(model: Any, n: int) -> Iterable[int]:
    params = model.get_params()
    period = params.get("metric_period") or 1
    if period == 1:
        return range(n)
    last = next((params[name] for name in _ITERATIONS if params.get(name)), 1000) - 1
    return (min(i * period, last) for i in range(n))


def _own(model: Any, *names: str) -> Any:
    """The first of some attributes that the model has; XGBoost's raise if there was no early stopping."""
    return next((value for name in names if (value := getattr(model, name, None)) is not None), None)
