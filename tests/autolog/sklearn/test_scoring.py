from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.cluster import KMeans
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, f1_score, roc_auc_score, roc_curve
from sklearn.metrics import confusion_matrix as imported_before_autolog
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fitbook
from fitbook._log import FitbookWarning
from fitbook.entities import Run
from fitbook.errors import StoreBusy
from fitbook.tracking._run import RunHandle

Runs = Callable[[], list[Run]]


@pytest.fixture
def fitted(data: Any, on: None) -> LogisticRegression:
    return LogisticRegression().fit(*data)


@pytest.fixture
def after(runs: Runs) -> Callable[[], dict[str, float]]:
    """The metrics that were recorded after the first fit."""

    def read() -> dict[str, float]:
        known = ("training_", "fit_duration", "fitbook")
        return {k: v for k, v in runs()[0].data.metrics.items() if not k.startswith(known)}

    return read


def _read(run: Run, path: str) -> str:
    return Path(fitbook.tracking.MlflowClient().download_artifacts(run.info.run_id, path)).read_text()


def test_score_lands_on_the_model_s_run_under_the_data_s_name(data: Any, fitted: Any, after: Any) -> None:
    X_test, y_test = data[0][:30], data[1][:30]
    value = fitted.score(X_test, y_test)
    assert after() == {"LogisticRegression_score_X_test": value}


def test_metrics_of_a_prediction_do_too_however_they_were_imported(data: Any, fitted: Any, after: Any) -> None:
    X_test, y_test = data[0][:30], data[1][:30]
    p = fitted.predict(X_test)
    values = {
        "accuracy_score_X_test": accuracy_score(y_test, p),
        "f1_score_X_test": f1_score(y_pred=p, y_true=y_test, average="macro"),
        "balanced_accuracy_score_X_test": sklearn.metrics.balanced_accuracy_score(y_test, p),
        "roc_auc_score_X_test": roc_auc_score(y_test, fitted.predict_proba(X_test)[:, 1]),
        "log_loss_X_test": sklearn.metrics.log_loss(y_test, fitted.predict_proba(X_test)),
    }
    assert after() == values


@pytest.mark.parametrize(
    "same", [lambda p: p.copy(), lambda p: p.tolist(), lambda p: p[:20], lambda p: p[::2], lambda p: pd.Series(p)]
)
def test_copies_views_and_lists_of_a_prediction_count(data: Any, fitted: Any, after: Any, same: Any) -> None:
    X_test = data[0]
    predicted = same(fitted.predict(X_test))
    value = accuracy_score(data[1][: len(predicted)], predicted)
    assert after() == {"accuracy_score_X_test": value}


def test_other_values_do_not_count(data: Any, fitted: Any, after: Any) -> None:
    fitted.predict(data[0])
    accuracy_score(data[1], 1 - data[1])
    accuracy_score(data[1], np.zeros(60))
    assert after() == {}


def test_the_same_value_once_and_another_one_numbered(data: Any, fitted: Any, after: Any) -> None:
    X_test, y = data
    p = fitted.predict(X_test)
    for _ in range(3):
        first = accuracy_score(y, p)
    second = accuracy_score(1 - y, p)
    assert after() == {"accuracy_score_X_test": first, "accuracy_score-2_X_test": second}


def test_inside_a_function_the_data_has_its_name_there(data: Any, fitted: Any, after: Any) -> None:
    def evaluate(model: Any, held_out: Any, truth: Any) -> float:
        return float(accuracy_score(truth, model.predict(held_out)))

    value = evaluate(fitted, *data)
    assert after() == {"accuracy_score_held_out": value}
    fitted.score(data[0] + 0, data[1])
    assert "LogisticRegression_score_unknown_dataset" in after()


def test_locals_that_the_caller_holds_are_left_alone(data: Any, fitted: Any) -> None:
    def program(X_test: Any) -> dict[str, Any]:
        mine = locals()
        fitted.predict(X_test)
        return mine

    assert program(data[0])["X_test"] is data[0]


def test_what_is_no_number_is_a_file(data: Any, fitted: Any, runs: Runs) -> None:
    X_test, y = data
    p = fitted.predict(X_test)
    matrix = imported_before_autolog(y, p)
    report = classification_report(y, p)
    curve = roc_curve(y, fitted.predict_proba(X_test)[:, 1])
    (run,) = runs()
    assert json.loads(_read(run, "confusion_matrix_X_test.json")) == matrix.tolist()
    assert _read(run, "classification_report_X_test.txt") == report
    assert [len(part) for part in json.loads(_read(run, "roc_curve_X_test.json"))] == [len(part) for part in curve]


@pytest.mark.parametrize(
    "inside",
    [
        lambda m, X, y: cross_val_score(m, X, y, cv=2),
        lambda m, X, y: permutation_importance(m, X, y, n_repeats=2),
    ],
)
def test_scores_that_scikit_learn_computes_inside_are_no_metrics(
    data: Any, fitted: Any, after: Any, inside: Any
) -> None:
    inside(fitted, *data)
    assert after() == {}


def test_score_does_not_record_the_metric_that_it_calls(data: Any, on: None, after: Any) -> None:
    X, y = data
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    model.score(X, y)
    assert list(after()) == ["Pipeline_score_X"]


def test_a_search_and_its_best_estimator_share_a_run(data: Any, on: None, runs: Runs) -> None:
    X, y = data
    search = GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=2).fit(X, y)
    search.score(X, y)
    search.best_estimator_.score(X, y)
    (top,) = (run for run in runs() if "mlflow.parentRunId" not in run.data.tags)
    assert {"GridSearchCV_score_X", "LinearRegression_score_X"} <= set(top.data.metrics)


def test_a_refit_model_s_scores_go_to_the_newer_run(data: Any, fitted: Any, runs: Runs) -> None:
    X, y = data
    fitted.fit(X, 1 - y)
    fitted.score(X, 1 - y)
    assert ["LogisticRegression_score_X" in run.data.metrics for run in runs()] == [False, True]


def test_turned_off_nothing_more_is_recorded(data: Any, fitted: Any, after: Any) -> None:
    fitbook.autolog(log_post_training_metrics=False, log_plots=False)
    fitted.score(*data)
    accuracy_score(data[1], fitted.predict(data[0]))
    fitbook.autolog(disable=True)
    fitted.score(*data)
    accuracy_score(data[1], fitted.predict(data[0]))
    assert after() == {}


def test_metrics_fail_as_before_and_record_nothing(data: Any, fitted: Any, after: Any) -> None:
    p = fitted.predict(data[0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        accuracy_score(data[1][:5], p)
    with pytest.raises(ValueError, match="features"):
        fitted.score(data[0][:, :2], data[1])
    assert after() == {}


@pytest.mark.parametrize("name", ["confusion_matrix_at_thresholds", "d2_brier_score"])
def test_newer_metrics(data: Any, fitted: Any, runs: Runs, files: Any, name: str) -> None:
    metric = getattr(sklearn.metrics, name, None)
    if metric is None:
        return
    metric(data[1], fitted.predict_proba(data[0])[:, 1])
    (run,) = runs()
    assert any(key.startswith(name) for key in (*run.data.metrics, *files(run.info.run_id)))


def test_a_metric_of_somebody_else_s_prediction_is_not_this_model_s(data: Any, on: None, after: Any) -> None:
    X, y = data
    perfect = KNeighborsClassifier(1).fit(X, y).predict(X)
    assert (perfect == y).all()
    guess = np.random.default_rng(1).integers(0, 2, len(y))
    accuracy_score(y, guess)
    accuracy_score(y_true=y, y_pred=guess)
    sklearn.metrics.adjusted_rand_score(y, guess)
    sklearn.metrics.cohen_kappa_score(y, guess)
    accuracy_score(perfect, guess)
    confusion_matrix_labels = perfect.copy()
    f1_score(y, guess, labels=confusion_matrix_labels[:10], average="macro")
    assert after() == {}


def test_metrics_of_a_clustering_know_its_labels(data: Any, on: None, after: Any) -> None:
    X, y = data
    p = KMeans(2, n_init=1, random_state=0).fit(X).predict(X)
    assert after() == {}
    values = {
        "silhouette_score_X": sklearn.metrics.silhouette_score(X, p.copy()),
        "adjusted_rand_score_X": sklearn.metrics.adjusted_rand_score(y, p.copy()),
    }
    assert after() == values


def test_a_metric_for_a_busy_store_is_written_when_it_is_free(
    data: Any, fitted: Any, after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = data
    p = fitted.predict(X)
    after()
    asked: list[str] = []
    log_batch = RunHandle.log_batch

    def busy_at_first(self: RunHandle, metrics: Any, *args: Any, **kwargs: Any) -> None:
        asked.extend(metric.key for metric in metrics)
        if len(asked) == 1:
            raise StoreBusy("locked")
        log_batch(self, metrics, *args, **kwargs)

    monkeypatch.setattr(RunHandle, "log_batch", busy_at_first)
    with pytest.warns(FitbookWarning, match="store is busy"):
        value = accuracy_score(y, p)
    assert accuracy_score(y, p) == value
    assert after() == {"accuracy_score_X": value}
    assert asked == ["accuracy_score_X"] * 2


@pytest.mark.swallows
def test_a_metric_that_was_refused_may_come_again(
    data: Any, fitted: Any, after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = data
    p = fitted.predict(X)
    with monkeypatch.context() as broken, pytest.warns(FitbookWarning, match="recording accuracy_score failed"):  # noqa: PT031
        broken.setattr(RunHandle, "log_batch", lambda *args, **kwargs: 1 / 0)
        value = accuracy_score(y, p)
    assert after() == {}
    assert accuracy_score(y, p) == value
    assert list(after().values()) == [value]


def test_locals_can_be_gone_through_while_predicting(data: Any, fitted: Any) -> None:
    def program(model: Any, held_out: Any) -> None:
        for value in locals().values():
            model.predict(held_out)
            model.score(held_out, value[:, 0] > 0) if value is held_out else None

    program(fitted, data[0])


def test_the_data_s_name_is_read_from_the_call(data: Any, fitted: Any, after: Any) -> None:
    def names(model: Any, held_out: Any, truth: Any, weights: Any = None) -> None:
        model.score(held_out, truth, sample_weight=weights)
        model.score(y=truth, X=held_out)
        model.score(held_out[:50], truth[:50])
        model.score(held_out[:40] if len(truth) else truth, truth[:40])
        accuracy_score(truth[:30], next(map(model.predict, [held_out[:30]])))
        for part in (held_out[:20], held_out[20:40]):
            accuracy_score(truth[:20], model.predict(X=part))
        _ = (lambda: held_out)()  # a variable that an inner function shares

    names(fitted, *data)
    assert set(after()) == {
        "LogisticRegression_score_held_out",
        "LogisticRegression_score-2_held_out",
        "LogisticRegression_score_unknown_dataset",
        "LogisticRegression_score-2_unknown_dataset",
        "accuracy_score_unknown_dataset",
        "accuracy_score_part",
        "accuracy_score-2_part",
    }


@pytest.mark.parametrize("same", [lambda p: p.copy(), list, pd.Series, lambda p: pd.Series(p, dtype="category")])
@pytest.mark.parametrize("dtype", [str, object])
def test_copies_of_predicted_strings_count(data: Any, on: None, after: Any, same: Any, dtype: Any) -> None:
    X, y = data[0], np.where(data[1], "positive", "no").astype(dtype)
    value = accuracy_score(y, same(LogisticRegression().fit(X, y).predict(X)))
    assert after() == {"accuracy_score_X": value}


def test_each_array_of_a_prediction_counts(data: Any, on: None, after: Any) -> None:
    X, y = data
    mean, _ = GaussianProcessRegressor().fit(X, y).predict(X, return_std=True)
    value = sklearn.metrics.r2_score(y, mean)
    assert after() == {"r2_score_X": value}


def test_equal_values_of_different_data_are_different_evaluations(data: Any, on: None, after: Any) -> None:
    X, y = data
    model = KNeighborsClassifier(1).fit(X, y)

    def evaluate(part: Any, truth: Any) -> None:
        accuracy_score(truth, model.predict(part))
        model.score(part, truth)

    for start in (0, 20, 40, 0):
        evaluate(X[start : start + 20], y[start : start + 20])
    names = ("accuracy_score", "KNeighborsClassifier_score")
    assert after() == {f"{name}{number}_part": 1.0 for name in names for number in ("", "-2", "-3")}


def test_another_average_is_another_evaluation(data: Any, fitted: Any, after: Any) -> None:
    X, y = data
    p = fitted.predict(X)
    values = [f1_score(y, p, average=average) for average in ("macro", "weighted", "macro")]
    assert after() == {"f1_score_X": values[0], "f1_score-2_X": values[1]}


def test_labels_of_a_clusterer_are_predictions(data: Any) -> None:
    fitbook.autolog(log_plots=False)
    X, _ = data
    for n, labels_of in ((2, lambda model: model.fit_predict(X)), (3, lambda model: model.fit(X).labels_)):
        labels = labels_of(KMeans(n, n_init=1, random_state=0))
        expected = sklearn.metrics.silhouette_score(X, labels)
        run = fitbook.last_active_run()
        assert run is not None
        assert run.data.metrics["silhouette_score_training_data"] == expected
