from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, f1_score, make_scorer, roc_auc_score, roc_curve
from sklearn.metrics import confusion_matrix as imported_before_autolog
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fitbook
from fitbook.entities import Run

Runs = Callable[[], list[Run]]


@pytest.fixture
def fitted(data: Any, on: None) -> LogisticRegression:
    return LogisticRegression().fit(*data)


@pytest.fixture
def after(runs: Runs) -> Callable[[], dict[str, float]]:
    """The metrics that were recorded after the first fit."""

    def read() -> dict[str, float]:
        known = ("training_", "fit_duration", "fitbook_")
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
        "f1_score_macro_X_test": f1_score(y_pred=p, y_true=y_test, average="macro"),
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
        lambda m, X, y: make_scorer(accuracy_score)(m, X, y),
        lambda m, X, y: sklearn.metrics.RocCurveDisplay.from_estimator(m, X, y),
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
