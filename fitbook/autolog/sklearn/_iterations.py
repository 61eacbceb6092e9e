"""What an estimator tells about its iterations once it is fitted: a loss or score for each, as curves.

A step is the number of iterations done: 0 is before the first.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._boosters import evaluations
from fitbook.autolog.sklearn._kinds import estimator_type, sklearn_bases, unwrap
from fitbook.autolog.sklearn._known import unknown_part
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._metrics import thin
from fitbook.autolog.sklearn._predict import count_rows, every
from fitbook.autolog.sklearn._trees import uncounted

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

Curves = dict[str, list[tuple[int, float]]]

_STAGED_ROWS = 500

# What is kept under these names is one value for each iteration, from this step on.
_LISTS = {
    "loss_curve_": ("training_loss", 1),
    "validation_scores_": ("validation_score", 1),
    "lower_bounds_": ("training_lower_bound", 1),
    "loglike_": ("training_log_likelihood", 1),
    "oob_improvement_": ("oob_improvement", 1),
    "oob_scores_": ("oob_loss", 1),
    "train_score_": ("training_score_staged", 1),
    "validation_score_": ("validation_score", 1),
}

# Classes of scikit-learn's in which a name means something of its own.
_LISTS_OF = {
    "BaseGradientBoosting": {"train_score_": ("training_loss", 1)},
    "BaseHistGradientBoosting": {
        "train_score_": ("training_score_staged", 0),
        "validation_score_": ("validation_score", 0),
    },
    "BaseWeightBoosting": {"estimator_errors_": ("estimator_error", 1)},
    "BayesianRidge": {"scores_": ("log_marginal_likelihood", 0)},
    "ARDRegression": {"scores_": ("log_marginal_likelihood", 1)},
    "DictionaryLearning": {"error_": ("training_loss", 1)},
    "SparsePCA": {"error_": ("training_loss", 1)},
}

# One value for the whole fit; where there are several (one for each class, say), the largest.
_NUMBERS = {
    "n_iter_": "training_n_iter",
    "t_": "training_t",
    "oob_score_": "oob_score",
    "loss_": "training_loss",
    "bound_": "training_perplexity",
    "reconstruction_err_": "training_reconstruction_error",
    "reconstruction_error_": "training_reconstruction_error",
    "kl_divergence_": "training_kl_divergence",
    "stress_": "training_stress",
}


def iteration_curves(estimator: object, X: Any, y: Any, *, deadline: float, notes: list[str]) -> Curves:
    """What the estimator at the core of pipelines and searches tells about its iterations.

    Attributes are read as they are stored; no property and no code of the user's runs, and nothing is changed.

    Parameters
    ----------
    estimator : fitted estimator
    X, y : training data
        Boosting of scikit-learn's predicts at most 500 evenly spaced rows of it after every stage.
    deadline : float
        Reading of ``time.perf_counter()`` until which such predictions may go on.
    notes : list of str
        Takes what was skipped, and why.

    Returns
    -------
    dict of str to list of (int, float)
        For each metric its steps and values; a value for the whole fit is at the step 0.
    """
    model, before = unwrap(estimator)
    names, fitted, found = sklearn_bases(type(model)), stored(model), Curves()
    for name, (metric, first) in (_LISTS | _lists_of(names)).items():
        values = _numbers(fitted.get(name))
        if values:
            found[metric] = list(enumerate(values, start=first))
    for name, metric in _NUMBERS.items():
        value = fitted.get(name)
        values = _numbers(value if hasattr(type(value), "__len__") else [value])
        if values and metric not in found:
            found[metric] = [(0, max(values))]
    _correct(names, fitted, found)
    found |= evaluations(model)
    if _has_stages(model) and X is not None and y is not None and unknown_part(estimator) is None:
        try:
            with uncounted(estimator), np.errstate(all="ignore"):
                found |= _staged(model, before, X, y, deadline, notes)
        except Exception as error:
            notes.append(f"staged predictions: {type(error).__name__}: {error}"[:300])
    return found


def _lists_of(names: frozenset[str]) -> dict[str, tuple[str, int]]:
    return {attribute: named for cls in names & _LISTS_OF.keys() for attribute, named in _LISTS_OF[cls].items()}


def thinned(found: Mapping[str, list[tuple[int, float]]], notes: list[str]) -> Curves:
    """At most 1,000 evenly spaced points of each curve, both ends included."""
    result: Curves = {}
    for name, curve in found.items():
        kept = thin(len(curve))
        result[name] = [curve[i] for i in kept]
        if len(kept) < len(curve):
            notes.append(f"{name}: {len(kept):,} of {len(curve):,} points are kept")
    return result


def stored(model: object) -> Mapping[str, Any]:
    """The attributes of an estimator as they are stored; no code of the user's runs for it."""
    try:
        found: Mapping[str, Any] = object.__getattribute__(model, "__dict__")
    except AttributeError:  # a class with slots only
        return {}
    return found


def _numbers(values: Any) -> list[float]:
    """The elements of a list or array of plain numbers; nothing for anything else."""
    if type(values) is np.ndarray:
        return values.ravel().astype(float).tolist() if values.dtype.kind in "iuf" else []
    plain = (int, float, np.integer, np.floating)
    if type(values) not in (list, tuple) or not all(isinstance(v, plain) and type(v) is not bool for v in values):
        return []
    return [float(v) for v in values]


def _correct(names: frozenset[str], fitted: Mapping[str, Any], found: Curves) -> None:
    """Mind what some classes of scikit-learn's keep in another way."""
    if "BaseGradientBoosting" in names:
        found.pop("oob_score", None)  # is the last oob_loss
    if "BaseHistGradientBoosting" in names and fitted.get("scoring") == "loss":  # a loss that it calls a score
        for name, better in (("training_score_staged", "training_loss"), ("validation_score", "validation_loss")):
            if name in found:
                found[better] = [(step, -value) for step, value in found.pop(name)]
    if "estimator_error" in found:  # has a place for every estimator asked for, also if it stopped before
        del found["estimator_error"][len(fitted.get("estimators_", ())) :]


def _has_stages(model: object) -> bool:
    cls = type(model)
    return cls.__module__.startswith("sklearn.") and inspect.isfunction(getattr(cls, "staged_predict", None))


def _staged(model: Any, before: list[Any], X: Any, y: Any, deadline: float, notes: list[str]) -> Curves:
    """Accuracy or R² after every stage; nothing if there is not the time for all stages."""
    step = -(-count_rows(X) // _STAGED_ROWS)
    rows, true = every(X, step), np.asarray(every(y, step)).reshape(-1)
    for pipeline in before:
        for _, transformer in pipeline.steps[:-1]:
            if hasattr(type(transformer), "transform"):  # else it passes through
                rows = transformer.transform(rows)
    is_classifier = estimator_type(model) == "classifier"
    spread = 0.0 if is_classifier else float(((true - true.mean()) ** 2).sum())
    curve: list[tuple[int, float]] = []
    for stage, predicted in enumerate(model.staged_predict(rows), start=1):
        if time.perf_counter() > deadline:
            notes.append("staged predictions: skipped, they would exceed the budget")
            return {}
        if is_classifier:
            curve.append((stage, float((predicted == true).mean())))
        elif spread:
            curve.append((stage, 1 - float(((true - predicted) ** 2).sum()) / spread))
    return {f"training_{'accuracy' if is_classifier else 'r2'}_staged": curve} if curve else {}
