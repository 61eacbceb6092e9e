"""What an estimator is, told from its class alone: nothing of the user's is called."""

from __future__ import annotations

import weakref
from typing import Any

from fitbook.autolog._guard import package_of

_MIXINS = {
    "ClassifierMixin": "classifier",
    "RegressorMixin": "regressor",
    "ClusterMixin": "clusterer",
    "OutlierMixin": "outlier_detector",
    "DensityMixin": "density_estimator",
}

# Data preparation rather than learning: a run for each would bury the runs that matter.
_PREPARATION = (
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.feature_extraction",
    "sklearn.feature_selection",
    "sklearn.kernel_approximation",
    "sklearn.random_projection",
)
_PREPARATION_CLASSES = frozenset({"ColumnTransformer", "FeatureUnion"})
_MODELS_NONETHELESS = frozenset({"SequentialFeatureSelector"})  # hundreds of fits and a cross-validation
_BASES = ("sklearn.base", "sklearn.utils", "sklearn.callback", "sklearn._")


def estimator_type(estimator: object) -> str:
    """What kind of estimator this is.

    Returns
    -------
    str
        ``"classifier"``, ``"regressor"``, ``"clusterer"``, ``"outlier_detector"``, ``"density_estimator"``,
        ``"search"`` for a search over something that is none of these, ``"transformer"`` or ``"other"``.
    """
    return _type_of(estimator, 0)


def _type_of(estimator: object, depth: int) -> str:
    names = sklearn_bases(type(estimator))
    inner = _delegate(estimator, names)
    if inner is not None and depth < 20:
        kind = _type_of(inner, depth + 1)
        return "search" if "BaseSearchCV" in names and kind in ("transformer", "other") else kind
    for mixin, kind in _MIXINS.items():
        if mixin in names:
            return kind
    declared = getattr(type(estimator), "_estimator_type", None)
    if declared in _MIXINS.values():
        return str(declared)
    if names & {"BaseMixture", "KernelDensity"}:
        return "density_estimator"
    return "transformer" if hasattr(type(estimator), "transform") else "other"


def is_model(estimator: object) -> bool:
    """Whether fitting this estimator is worth a run of its own.

    Classifiers, regressors, clusterers, outlier and density estimators, decompositions, searches and whatever can
    predict (so RFE, too) are models, and so is sequential feature selection. Scalers, encoders, imputers, vectorizers,
    other feature selectors and containers of these are not. A pipeline is what its last step is.
    """
    cls = type(_at_the_end(estimator))
    home = next((c for c in cls.__mro__ if _is_sklearn(c) and not c.__module__.startswith(_BASES)), None)
    if home is not None and (home.__name__ in _PREPARATION_CLASSES or home.__module__.startswith(_PREPARATION)):
        return hasattr(cls, "predict") or home.__name__ in _MODELS_NONETHELESS
    return home is not None or hasattr(cls, "predict") or estimator_type(estimator) in _MIXINS.values()


def predicts(estimator: object) -> bool:
    """Whether an estimator, or the last step of a pipeline, predicts anything: decompositions and the like don't."""
    cls = type(_at_the_end(estimator))
    return hasattr(cls, "predict") or hasattr(cls, "fit_predict")


def _at_the_end(estimator: object) -> object:
    for _ in range(20):
        if "Pipeline" not in sklearn_bases(type(estimator)):
            break
        estimator = last_step(estimator)
    return estimator


def last_step(pipeline: Any) -> object:
    """The last step's estimator of a pipeline (None if there is none)."""
    try:
        return pipeline.steps[-1][1]
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def unwrap(estimator: object) -> tuple[object, list[object]]:
    """The estimator that does the predicting, behind fitted searches and pipelines.

    Returns
    -------
    model : object
        The innermost estimator.
    before : list of object
        The pipelines that were passed on the way in, outermost first.
    """
    before: list[object] = []
    for _ in range(20):
        names = sklearn_bases(type(estimator))
        if "BaseSearchCV" in names:
            inner = vars(estimator).get("best_estimator_")
        elif "Pipeline" in names:
            inner = last_step(estimator)
            before.append(estimator)
        else:
            break
        if inner is None or isinstance(inner, str):
            break
        estimator = inner
    return estimator, before


def _delegate(estimator: Any, names: frozenset[str]) -> object | None:
    if "Pipeline" in names:
        return last_step(estimator)
    if names & {"BaseSearchCV", "FrozenEstimator", "RFE"}:
        fitted = vars(estimator).get("best_estimator_")
        inner: object | None = vars(estimator).get("estimator") if fitted is None else fitted
        return inner
    return None


def sklearn_bases(cls: type) -> frozenset[str]:
    """Names of the classes of scikit-learn's that a class is or derives from."""
    known = _bases.get(cls)
    if known is None:
        known = _bases[cls] = frozenset(c.__name__ for c in cls.__mro__ if _is_sklearn(c))
    return known


# A fit asks many times; classes of a user's own go when nobody else has them.
_bases: weakref.WeakKeyDictionary[type, frozenset[str]] = weakref.WeakKeyDictionary()


def _is_sklearn(cls: type) -> bool:
    return package_of(getattr(cls, "__module__", None)) == "sklearn"
