"""What a fitted estimator says about its own training data, within a budget of time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fitbook.autolog.sklearn._kinds import unwrap
from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

T = TypeVar("T")

PROBE_ROWS, QUICK_PROBE_ROWS = 10, 100
MIN_ROWS = 200
_MAX_GROWTH = 8
_WORTH_TRYING = 2e-3
_ESTIMATES_ARE_HIGH = 1.5
_NO_PROBE_ROWS = 300
# So much of what a row seems to cost is its own at least, whatever two trials say: they are noisy.
_SHARE_OF_ROWS = 0.1
_SHARE_OF_FIT = 0.06

# Classes of scikit-learn's whose ``predict`` is by its code the first maximum of ``predict_proba``.
_IS_ARGMAX = frozenset(
    {"DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier"}
    | {"BaggingClassifier", "CalibratedClassifierCV", "LabelPropagation", "LabelSpreading"}
)

# Classes whose ``predict`` is the maximum of scores of which the probabilities are a rising function. Rounding can
# make probabilities equal whose scores are not; then ``predict`` is asked.
_IS_ARGMAX_UNLESS_TIED = frozenset(
    {"LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "MLPClassifier", "LinearDiscriminantAnalysis"}
    | {"GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB", "AdaBoostClassifier"}
    | {"GradientBoostingClassifier", "HistGradientBoostingClassifier", "QuadraticDiscriminantAnalysis"}
)

# Classes without probabilities whose ``predict`` is, for two classes, the sign of ``decision_function``.
_LINEAR = frozenset({"LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron", "PassiveAggressiveClassifier"})
_IS_SIGN = _LINEAR | {"SVC", "NuSVC"}

# Classes that predict a row far faster than they learn from it: no need to try on a few rows first.
_QUICK = (_IS_ARGMAX_UNLESS_TIED | _IS_ARGMAX | _LINEAR | {"LinearRegression", "Ridge", "Lasso", "ElasticNet"}) - {
    "BaggingClassifier",
    "CalibratedClassifierCV",
    "LabelPropagation",
    "LabelSpreading",
}
_QUICK |= {"RandomForestRegressor", "ExtraTreesRegressor", "GradientBoostingRegressor", "HistGradientBoostingRegressor"}


@dataclass(frozen=True, slots=True)
class ClassifierOutput:
    """Predictions of a classifier; ``score`` grows with the probability of the second class of two."""

    labels: Any
    proba: NDArray[Any] | None
    score: NDArray[Any] | None


def classify(estimator: Any, X: Any, n_classes: int) -> ClassifierOutput:
    """Labels and probabilities (or decision values) with as few passes over the data as is exact.

    Parameters
    ----------
    estimator : fitted classifier
    X : its input
    n_classes : int
        0 for several outputs.

    Returns
    -------
    ClassifierOutput
        ``labels`` are either predicted labels or, with dtype intp, codes into ``classes_``: `labels_in` and `codes_in` tell.
    """
    model, _ = unwrap(estimator)
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(X)) if n_classes else None
        if proba is None or proba.ndim != 2 or proba.shape[1] != n_classes:
            return ClassifierOutput(np.asarray(estimator.predict(X)), None, None)
        codes = _codes_of(model, proba)
        labels = Codes(codes) if codes is not None else np.asarray(estimator.predict(X))
        return ClassifierOutput(labels, proba, proba[:, 1] if n_classes == 2 else None)
    if n_classes == 2 and hasattr(estimator, "decision_function"):
        score = np.asarray(estimator.decision_function(X))
        if score.ndim == 1:
            sign = _belongs(model, _IS_SIGN) and score.all()  # libsvm decides a zero the other way
            labels = Codes((score > 0).astype(np.intp)) if sign else np.asarray(estimator.predict(X))
            return ClassifierOutput(labels, None, score)
    return ClassifierOutput(np.asarray(estimator.predict(X)), None, None)


@dataclass(frozen=True, slots=True)
class Codes:
    """Labels by their positions among the classes."""

    codes: NDArray[np.intp]


def labels_in(labels: Any, classes: Any) -> NDArray[Any]:
    """The labels themselves, given them or codes into ``classes``."""
    return np.asarray(classes)[labels.codes] if isinstance(labels, Codes) else np.asarray(labels)


def codes_in(labels: Any, classes: NDArray[Any]) -> NDArray[np.intp]:
    """Position of each label in ``classes``, -1 for a label that is not there.

    Parameters
    ----------
    labels : array-like of shape (n,), or ``ClassifierOutput.labels``
    classes : ndarray of shape (n_classes,)
        As in ``classes_``: unique, in rising order.
    """
    if isinstance(labels, Codes):
        return labels.codes
    labels = np.asarray(labels).reshape(-1)
    if labels.dtype.kind in "biuf" and classes.dtype.kind in "biuf":
        found = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        return np.where(classes[found] == labels, found, -1)
    positions = {label: i for i, label in enumerate(classes.tolist())}
    return np.fromiter((positions.get(label, -1) for label in labels.tolist()), dtype=np.intp, count=len(labels))


def within_budget(
    call: Callable[[Any], T],
    X: Any,
    n_rows: int,
    *,
    seconds: float,
    per_row: float,
    quick: float | None,
    sampling: bool = True,
) -> tuple[T, int] | None:
    """Call on as many evenly spaced rows as a budget allows.

    Parameters
    ----------
    call : callable
        Takes rows of ``X``.
    X : sliceable data
    n_rows : int
    seconds : float
        The whole budget, trial calls included.
    per_row : float
        Seconds that each row will cost afterwards.
    quick : float or None
        An estimate in seconds of a call on all rows, if there is one: saves the trial call.
    sampling : bool
        Give a result for some of the rows if the budget does not allow for all.

    Returns
    -------
    (result, step) or None
        The result for ``every(X, step)``; None if not even 200 rows fit into the budget, or not all without sampling.
    """
    is_quick = quick is not None and quick + per_row * n_rows <= _ESTIMATES_ARE_HIGH * seconds
    if n_rows <= _NO_PROBE_ROWS or seconds == math.inf or is_quick:
        return call(X), 1
    if seconds < _WORTH_TRYING:
        return None
    start = time.perf_counter()
    # What is quick for each row costs most for the call itself, so few rows would tell too little.
    rows, tried = PROBE_ROWS if quick is None else QUICK_PROBE_ROWS, False
    before: tuple[int, float] | None = None
    while True:
        step = -(-n_rows // rows)
        rows = -(-n_rows // step)
        begun = time.perf_counter()
        result = call(every(X, step))
        now = time.perf_counter()
        took, left = now - begun, seconds - (now - start)
        # A call has a fixed part, which fewer rows before have shown; without them, this never promises too much.
        cost = took / rows if before is None else max(_SHARE_OF_ROWS * took / rows, _slope(before, (rows, took)))
        fitting = rows + int((0.9 * left - took - per_row * rows) / (cost + per_row))
        # Except for memory: what many rows need may no longer fit into the caches, so that is found out step by step.
        if fitting >= n_rows <= _MAX_GROWTH * rows:
            return call(X), 1
        if fitting >= 2 * rows:
            before, rows = (rows, took), min(fitting, _MAX_GROWTH * rows)
        elif fitting < MIN_ROWS and not tried and 3 * took < seconds:
            tried = True  # once more: the first call of a process may have paid for starting threads
        else:
            return (result, step) if rows >= MIN_ROWS and sampling else None


def _slope(one: tuple[int, float], two: tuple[int, float]) -> float:
    """Seconds for each further row, by two trials."""
    return (two[1] - one[1]) / (two[0] - one[0]) if two[0] > one[0] else two[1] / two[0]


def estimate(model: object, fit_seconds: float) -> float | None:
    """Seconds of predicting all training rows, for classes known to predict much faster than they fit."""
    return _SHARE_OF_FIT * fit_seconds if _belongs(model, _QUICK) else None


def every(data: Any, step: int) -> Any:
    """Each ``step``-th row, as a view where the container has views; None stays None."""
    if step == 1 or data is None:
        return data
    if hasattr(data, "iloc"):
        return data.iloc[::step]
    return data[::step]


def bytes_copied(part: Any, whole: Any) -> int:
    """How much memory the rows that `every` has taken need of their own."""
    if part is whole or hasattr(part, "iloc") or getattr(part, "base", None) is not None:
        return 0
    if hasattr(part, "nnz"):
        parts = (getattr(part, name, None) for name in ("data", "indices", "indptr"))
        return sum(array.nbytes for array in parts if array is not None)
    return int(getattr(part, "nbytes", 8 * len(part)))


def count_rows(X: Any) -> int:
    """Number of rows of data that has a shape or a length."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape else len(X)


def _codes_of(model: object, proba: NDArray[Any]) -> NDArray[np.intp] | None:
    if type(model).__name__ == "KNeighborsClassifier" and getattr(model, "weights", "") != "uniform":
        return None
    if _belongs(model, _IS_ARGMAX | {"KNeighborsClassifier"}):
        best: NDArray[np.intp] = np.argmax(proba, axis=1)
        return best
    if not _belongs(model, _IS_ARGMAX_UNLESS_TIED):
        return None
    codes: NDArray[np.intp] = np.argmax(proba, axis=1)
    if proba.shape[1] == 2:
        return None if (proba[:, 0] == proba[:, 1]).any() or np.isnan(proba).any() else codes
    top = proba[np.arange(len(proba)), codes]
    unique = np.count_nonzero(proba == top[:, None]) == len(proba)  # NaN equals nothing
    return codes if unique else None


def _belongs(model: object, names: frozenset[str]) -> bool:
    return type(model).__name__ in names and type(model).__module__.startswith("sklearn.")
