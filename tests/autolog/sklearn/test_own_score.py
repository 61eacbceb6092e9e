import pytest
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV

from fitbook.autolog.sklearn._own_score import own_score
from fitbook.autolog.sklearn._report import training_report

X, y = make_classification(400, 6, n_informative=4, flip_y=0.2, random_state=0)
D, d = load_diabetes(return_X_y=True)


def report(model, X, y, sample_weight=None):
    return training_report(model, X, y, sample_weight, fit_seconds=10.0, budget_ms=1000.0)


@pytest.mark.parametrize(
    ("scoring", "metric", "sign"),
    [
        (None, "training_accuracy_score", 1),
        ("accuracy", "training_accuracy_score", 1),
        ("f1_weighted", "training_f1_score", 1),
        ("neg_log_loss", "training_log_loss", -1),
    ],
)
def test_a_search_is_scored_by_its_scorer(scoring, metric, sign):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, scoring=scoring, cv=2).fit(X, y)
    found = report(search, X, y)
    assert found.metrics["training_score"] == sign * found.metrics[metric]
    assert found.metrics["training_score"] == pytest.approx(search.score(X, y), rel=1e-12)


def test_scores_that_would_cost_a_pass_are_skipped_with_a_note():
    for model in (
        GridSearchCV(LogisticRegression(), {"C": [1]}, scoring="roc_auc", cv=2).fit(X, y),
        PoissonRegressor().fit(D, d),
    ):
        found = report(model, *((X, y) if hasattr(model, "best_score_") else (D, d)))
        assert "training_score" not in found.metrics
        assert any("training_score" in note for note in found.notes)


def test_the_score_of_a_search_is_never_weighted():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(X, y)
    assert own_score(search, {"accuracy_score": 0.5}, "accuracy_score", weighted=False) == 0.5
    assert own_score(search, {"accuracy_score": 0.5}, "accuracy_score", weighted=True) is None
