"""What an estimator's ``score`` would return, where that is one of the metrics that are known already."""

from __future__ import annotations

from typing import Any

from fitbook.autolog.sklearn._kinds import unwrap

# A search's own score is its scorer's. These scorers' values are among the metrics already (with this sign).
_SCORERS = {
    "accuracy": ("accuracy_score", 1.0),
    "precision_weighted": ("precision_score", 1.0),
    "recall_weighted": ("recall_score", 1.0),
    "f1_weighted": ("f1_score", 1.0),
    "neg_log_loss": ("log_loss", -1.0),
    "r2": ("r2_score", 1.0),
    "neg_mean_squared_error": ("mean_squared_error", -1.0),
    "neg_mean_absolute_error": ("mean_absolute_error", -1.0),
}
# Methods that compute accuracy or R².
_PLAIN_SCORES = frozenset(
    {"ClassifierMixin.score", "RegressorMixin.score", "DummyClassifier.score", "DummyRegressor.score"}
    | {"KNeighborsClassifier.score", "RadiusNeighborsClassifier.score", "LogisticRegressionCV.score"}
    | {"RANSACRegressor.score", "MultiOutputClassifier.score"}
)


def own_score(estimator: Any, metrics: dict[str, float], plain: str, *, weighted: bool) -> float | None:
    """The value of ``estimator.score`` without another pass over the data.

    Parameters
    ----------
    estimator : fitted estimator
        Of a known library.
    metrics : dict of str to float
        Under MLflow's names, without prefix.
    plain : str
        The metric that the estimator's kind is scored by unless it says otherwise.
    weighted : bool
        The metrics are weighted; a search's score never is.

    Returns
    -------
    float or None
        None if the score is not among the metrics.
    """
    name, sign = plain, 1.0
    scoring = None
    if "best_estimator_" in vars(estimator):
        scoring, refit = getattr(estimator, "scoring", None), getattr(estimator, "refit", None)
        if isinstance(scoring, (list, tuple, set)) and refit in scoring:
            scoring = refit
        if weighted:
            return None
    if scoring is not None:
        name, sign = _SCORERS.get(scoring, ("", 1.0)) if isinstance(scoring, str) else ("", 1.0)
    elif not _scores_plainly(unwrap(estimator)[0]):
        return None
    return sign * metrics[name] if name in metrics else None


def _scores_plainly(model: Any) -> bool:
    if type(model).__name__ == "LogisticRegressionCV" and getattr(model, "scoring", None) is not None:
        return False
    return getattr(getattr(type(model), "score", None), "__qualname__", "") in _PLAIN_SCORES
