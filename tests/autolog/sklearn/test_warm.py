from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import fitbook
from fitbook.autolog.sklearn import _warm
from fitbook.autolog.sklearn._warm import WarmFit
from fitbook.entities import Metric, Run
from fitbook.tracking._writer import writer

Runs = Callable[[], list[Run]]
Files = Callable[[str], set[str]]

pytestmark = pytest.mark.usefixtures("on")


def history(run: Run, name: str) -> list[Metric]:
    return fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, name)


def test_fits_that_go_on_are_one_run(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(log_plots=False, registered_model_name="forest")
    forest = RandomForestClassifier(2, warm_start=True, random_state=0, max_depth=1)
    statuses = []
    for n in (2, 4, 6):
        forest.set_params(n_estimators=n, max_depth=None if n == 6 else 1).fit(*data)
        statuses.append(runs()[0].info.status)
    assert statuses == ["FINISHED"] * 3
    (run,) = runs()
    assert run.data.params["n_estimators"] == "2"
    assert [(point.step, point.value) for point in history(run, "n_estimators")] == [(2, 4), (3, 6)]
    assert run.data.tags["fitbook.param.max_depth"] == "None"
    assert [point.step for point in history(run, "training_accuracy_score")] == [1, 2, 3]
    assert {"model", "feature_importances.csv", "estimator.html"} <= files(run.info.run_id)
    kept = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert len(kept.estimators_) == 6
    (version,) = fitbook.tracking.MlflowClient().search_model_versions("name='forest'")
    assert len(fitbook.sklearn.load_model(f"models:/forest/{version.version}").estimators_) == 6


def test_a_run_that_goes_on_is_running_meanwhile(data: Any, runs: Runs) -> None:
    seen: list[str] = []

    class Watched(RandomForestClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            super().fit(X, y)
            seen.append(runs()[0].info.status)
            return self

    forest = Watched(2, warm_start=True)
    for n in (2, 3, 4):
        forest.set_params(n_estimators=n).fit(*data)
        if n == 3:
            runs()  # waits until the run has ended
    assert seen == ["RUNNING"] * 3
    assert [run.info.status for run in runs()] == ["FINISHED"]


def test_what_does_not_go_on_is_a_run_of_its_own(data: Any, runs: Runs) -> None:
    forest = RandomForestClassifier(2, warm_start=True).fit(*data)
    forest.set_params(warm_start=False).fit(*data)
    forest.fit(*data)
    assert len(runs()) == 3
    forest.set_params(warm_start=True, n_estimators=3).fit(*data)
    RandomForestClassifier(2, warm_start=True).fit(*data)
    assert len(runs()) == 5
    pipe = make_pipeline(RandomForestClassifier(2, warm_start=True))
    pipe.fit(*data)
    pipe.set_params(randomforestclassifier__n_estimators=3).fit(*data)
    assert len(runs()) == 7
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_in_the_user_s_run(data: Any, runs: Runs) -> None:
    forest = RandomForestClassifier(1, warm_start=True)
    with fitbook.start_run() as outer:
        for n in (1, 2):
            forest.set_params(n_estimators=n).fit(*data)
        other = RandomForestClassifier(1, warm_start=True)
        for n in (1, 2):
            other.set_params(n_estimators=n).fit(*data)
    forest.set_params(n_estimators=3).fit(*data)
    first, second, third = runs()
    assert first.info.run_id == outer.info.run_id
    assert second.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert [point.step for point in history(first, "training_accuracy_score")] == [1, 2]
    assert [point.step for point in history(second, "training_accuracy_score")] == [1, 2]
    assert [point.step for point in history(third, "training_accuracy_score")] == [1]
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_a_fit_that_fails_ends_the_run(data: Any, runs: Runs) -> None:
    forest = RandomForestClassifier(2, warm_start=True).fit(*data)
    with pytest.raises(ValueError, match="n_estimators"):
        forest.set_params(n_estimators=1).fit(*data)
    (run,) = runs()
    assert (run.info.status, len(history(run, "training_accuracy_score"))) == ("FAILED", 1)
    forest.set_params(n_estimators=3).fit(*data)
    assert [run.info.status for run in runs()] == ["FAILED", "FINISHED"]


def test_curves_go_on(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_plots=False, budget_ms=None)
    boosting = GradientBoostingClassifier(n_estimators=3, warm_start=True, random_state=0)
    network = MLPClassifier((2,), max_iter=3, warm_start=True, random_state=0)
    for n in (3, 5):
        boosting.set_params(n_estimators=n).fit(*data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(*data)
    boosted, trained = runs()
    for name in ("training_loss", "training_accuracy_staged"):
        assert [point.step for point in history(boosted, name)] == [1, 2, 3, 4, 5]
    assert [point.value for point in history(boosted, "training_loss")] == boosting.train_score_.tolist()
    assert [point.step for point in history(trained, "training_loss")] == list(range(1, len(network.loss_curve_) + 1))
    assert [point.step for point in history(trained, "training_n_iter")] == [1, 2]


def test_curves_that_begin_anew_are_behind_what_is_there() -> None:
    fit = WarmFit({}, 1)
    assert fit.new_points({"a": [(1, 5.0), (2, 4.0)], "n": [(0, 7.0)]}) == {"a": [(1, 5.0), (2, 4.0)], "n": [(1, 7.0)]}
    fit.number = 2
    assert fit.new_points({"a": [(1, 5.0), (2, 4.0), (3, 3.0)]}) == {"a": [(3, 3.0)]}
    assert fit.new_points({"a": [(1, 9.0), (2, 8.0)]}) == {"a": [(4, 9.0), (5, 8.0)]}
    assert fit.new_points({"a": [(1, 9.0), (2, 8.0), (3, 7.0)], "n": [(0, 1.0)]}) == {"a": [(6, 7.0)], "n": [(2, 1.0)]}
    assert fit.new_points({"a": [(1, 9.0), (2, 8.0), (3, 7.0)]}) == {}
    assert WarmFit({}).new_points({"n": [(0, 7.0)]}) == {"n": [(0, 7.0)]}


def test_nothing_is_kept_alive(data: Any) -> None:
    X, y = np.copy(data[0]), data[1]
    forest = RandomForestClassifier(2, warm_start=True).fit(X, y)
    alive = [weakref.ref(forest), weakref.ref(X), weakref.ref(forest.estimators_[0])]
    del forest, X
    writer.flush()
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3
    assert _warm._going_on == {}
