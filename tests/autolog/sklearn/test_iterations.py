from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import FactorAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

import fitbook
from fitbook.autolog.sklearn._iterations import Curves, iteration_curves, thinned
from fitbook.entities import Run

Runs = Callable[[], list[Run]]


class Own(BaseEstimator):  # type: ignore[misc]
    """A class of the user's, which minds being looked at."""

    def __init__(self) -> None:
        self.loss_curve_ = [3.0, 2, np.float32(1.5)]
        self.scores_ = [1.0, 2.0]
        self.validation_scores_ = ["a", object()]
        self.n_iter_ = True

    @property
    def lower_bounds_(self) -> list[float]:
        raise AssertionError("nobody asked for it")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("nobody asked for it")

    def staged_predict(self, X: Any) -> Any:
        raise AssertionError("nobody asked for it")


class Slots:
    """Has no ``__dict__``."""

    __slots__ = ()


def read(model: Any, data: Any = (None, None), seconds: float = 60.0, notes: list[str] | None = None) -> Curves:
    return iteration_curves(
        model, *data, deadline=time.perf_counter() + seconds, notes=notes if notes is not None else []
    )


def steps(curve: list[tuple[int, float]]) -> list[int]:
    return [step for step, _ in curve]


def values(curve: list[tuple[int, float]]) -> list[float]:
    return [value for _, value in curve]


def test_gradient_boosting(data: Any) -> None:
    model = GradientBoostingClassifier(n_estimators=4, subsample=0.5, random_state=0).fit(*data)
    found = read(model, data)
    assert set(found) == {"training_loss", "oob_improvement", "oob_loss", "training_accuracy_staged"}
    assert values(found["training_loss"]) == model.train_score_.tolist()
    assert values(found["oob_loss"]) == model.oob_scores_.tolist()
    assert steps(found["training_loss"]) == [1, 2, 3, 4]
    assert found["training_accuracy_staged"] == [
        (i, (p == data[1]).mean()) for i, p in enumerate(model.staged_predict(data[0]), start=1)
    ]
    regressor = GradientBoostingRegressor(n_estimators=3).fit(data[0], data[0][:, 0])
    staged = read(regressor, (data[0], data[0][:, 0]))["training_r2_staged"]
    assert staged[-1][1] == pytest.approx(regressor.score(data[0], data[0][:, 0]))


def test_histogram_boosting_begins_before_the_first_tree(data: Any) -> None:
    settings: dict[str, Any] = {"max_iter": 4, "early_stopping": True, "n_iter_no_change": 9, "random_state": 0}
    model = HistGradientBoostingClassifier(**settings).fit(*data)
    found = read(model, data)
    assert set(found) == {"training_loss", "validation_loss", "training_accuracy_staged"}
    assert found["validation_loss"] == list(enumerate((-model.validation_score_).tolist()))
    assert values(found["training_loss"])[-1] < values(found["training_loss"])[0]
    scored = HistGradientBoostingRegressor(**settings, scoring="r2").fit(data[0], data[0][:, 0])
    found = read(scored)
    assert set(found) == {"training_score_staged", "validation_score"}
    assert found["training_score_staged"] == list(enumerate(scored.train_score_.tolist()))
    assert "training_loss" not in read(HistGradientBoostingRegressor(max_iter=2).fit(*data))


def test_others(data: Any) -> None:
    X, y = data
    network = MLPClassifier((2,), max_iter=5, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(X, y)
        found = read(network)
        assert values(found["training_loss"]) == network.loss_curve_
        assert values(found["validation_score"]) == network.validation_scores_
        assert found["training_n_iter"] == [(0, 5.0)]
        quasi = MLPClassifier((2,), max_iter=5, solver="lbfgs").fit(X, y)
        assert read(quasi)["training_loss"] == [(0, quasi.loss_)]
    mixture = GaussianMixture(2, random_state=0).fit(X)
    if hasattr(mixture, "lower_bounds_"):  # since 1.7
        assert read(mixture)["training_lower_bound"][-1][1] == mixture.lower_bounds_[-1]
    assert values(read(FactorAnalysis(2).fit(X))["training_log_likelihood"])
    ridge = BayesianRidge(compute_score=True).fit(X, y)
    assert read(ridge)["log_marginal_likelihood"] == list(enumerate(ridge.scores_.tolist()))
    logistic = LogisticRegression().fit(X, y)
    assert read(logistic) == {"training_n_iter": [(0, float(logistic.n_iter_.max()))]}
    forest = RandomForestClassifier(50, oob_score=True, random_state=0).fit(X, y)
    assert read(forest) == {"oob_score": [(0, forest.oob_score_)]}
    assert read(SelectKBest(k=2).fit(X, y)) == {}


@pytest.mark.filterwarnings("ignore:The SAMME.R algorithm")  # the default of older versions
def test_adaptive_boosting_that_stops_before_has_only_the_errors_that_it_made(data: Any) -> None:
    X = np.column_stack([data[1], data[0]])
    model = AdaBoostClassifier(n_estimators=9).fit(X, data[1])
    assert len(model.estimators_) == 1
    assert read(model, (X, data[1]))["estimator_error"] == [(1, 0.0)]
    regressor = AdaBoostRegressor(n_estimators=3, random_state=0).fit(*data)
    found = read(regressor, data)
    assert steps(found["estimator_error"]) == steps(found["training_r2_staged"]) == [1, 2, 3]


def test_pipelines_and_searches_are_seen_through(data: Any) -> None:
    boosting = GradientBoostingClassifier(n_estimators=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), "passthrough", boosting).fit(*data)
    search = GridSearchCV(make_pipeline(None, boosting), {}, cv=2).fit(*data)
    for model, inner in ((pipeline, pipeline[-1]), (search, search.best_estimator_[-1])):
        found = read(model, data)
        assert values(found["training_loss"]) == inner.train_score_.tolist()
        assert found["training_accuracy_staged"][-1] == (3, model.score(*data))


def test_staged_predictions_stay_within_the_budget(data: Any) -> None:
    model = GradientBoostingClassifier(n_estimators=3).fit(*data)
    notes: list[str] = []
    assert "training_accuracy_staged" not in read(model, data, -1.0, notes)
    assert notes == ["staged predictions: skipped, they would exceed the budget"]
    assert "training_loss" in read(model, data, -1.0)
    notes = []
    assert "training_accuracy_staged" not in read(model, (data[0][:, :2], data[1]), notes=notes)
    assert "staged predictions: ValueError" in notes[0]


def test_staged_predictions_are_of_few_rows() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1800, 2)), rng.integers(0, 2, 1800)
    model = GradientBoostingClassifier(n_estimators=2, max_depth=1).fit(X, y)
    predicted = list(model.staged_predict(X[::4]))
    assert read(model, (X, y))["training_accuracy_staged"] == [
        (i, (p == y[::4]).mean()) for i, p in enumerate(predicted, start=1)
    ]


def test_strangers_are_read_but_never_run(data: Any) -> None:
    assert read(Own(), data) == {"training_loss": [(1, 3.0), (2, 2.0), (3, 1.5)]}
    assert read(Slots(), data) == {}
    boosting = AdaBoostClassifier(Own(), n_estimators=1)
    assert read(boosting, data) == {}


def test_long_curves_are_thinned_with_both_ends() -> None:
    notes: list[str] = []
    curve = [(step, 1 / step) for step in range(1, 5001)]
    found = thinned({"a": curve, "b": curve[:7]}, notes)
    assert (len(found["a"]), found["a"][0], found["a"][-1]) == (1000, curve[0], curve[-1])
    assert set(found["a"]) < set(curve)
    assert found["b"] == curve[:7]
    assert notes == ["a: 1,000 of 5,000 points are kept"]


@pytest.mark.filterwarnings("error")
def test_no_estimator_changes_or_warns_when_it_is_read(data: Any) -> None:
    X, y = np.abs(data[0][:40]), data[1][:40]
    cheap = {"n_iter": 2, "max_iter": 5, "n_estimators": 2, "cv": 2, "n_components": 2, "verbose": 0}
    told: set[str] = set()
    for name, cls in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = cls()
                params = model.get_params()
                model.set_params(**{k: v for k, v in cheap.items() if k in params}).fit(X, y)
            except (TypeError, ValueError, AttributeError):  # needs other data, or another estimator
                continue
        before = pickle.dumps((model, np.random.get_state()))
        found = read(model, (X, y))
        assert pickle.dumps((model, np.random.get_state())) == before, name
        for metric, curve in found.items():
            assert steps(curve) == sorted(set(steps(curve))), (name, metric)
            assert all(type(step) is int and type(value) is float for step, value in curve), (name, metric)
        told |= {name} if found else set()
    assert len(told) > 50


def test_they_are_metrics_with_steps(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False, budget_ms=None)
    model = GradientBoostingClassifier(n_estimators=3).fit(*data)
    (run,) = runs()
    history = fitbook.tracking.MlflowClient().get_metric_history
    assert [(p.step, p.value) for p in history(run.info.run_id, "training_loss")] == list(
        enumerate(model.train_score_.tolist(), start=1)
    )
    assert run.data.metrics["training_loss"] == model.train_score_[-1]
    assert [p.step for p in history(run.info.run_id, "training_accuracy_staged")] == [1, 2, 3]
    mixture = GaussianMixture(2, random_state=0).fit(data[0])
    bounds = history(runs()[1].info.run_id, "training_lower_bound")
    has_all = hasattr(mixture, "lower_bounds_")
    assert [p.step for p in bounds] == (list(range(1, len(bounds) + 1)) if has_all else [0])
