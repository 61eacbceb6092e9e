from __future__ import annotations

import gc
import pickle
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LearningCurveDisplay,
    ValidationCurveDisplay,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.autolog import _guard
from fitbook.autolog.sklearn import POINTS, Role, _inspection
from fitbook.entities import Run
from fitbook.tracking._writer import writer

Runs = Callable[..., list[Run]]
Files = Callable[[str], set[str]]
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)

# How each function is called, and what is in its run.
CALLS: dict[str, tuple[Callable[[Any, Any], Any], set[str], set[str]]] = {
    "cross_validate": (
        lambda X, y: cross_validate(TREE, X, y, cv=3, return_train_score=True),
        {
            start + name
            for start in ("", "mean_", "std_")
            for name in ("test_score", "train_score", "fit_time", "score_time")
        },
        {"folds.csv", "folds.png"},
    ),
    "cross_val_score": (
        lambda X, y: cross_val_score(TREE, X, y, cv=3),
        {"test_score", "mean_test_score", "std_test_score"},
        {"folds.csv", "folds.png"},
    ),
    "cross_val_predict": (
        lambda X, y: cross_val_predict(TREE, X, y, cv=3),
        {"cross_val_accuracy_score", "cross_val_f1_score", "cross_val_precision_score", "cross_val_recall_score"},
        {"cross_val_confusion_matrix.csv", "cross_val_confusion_matrix.png"},
    ),
    "learning_curve": (
        lambda X, y: learning_curve(TREE, X, y, cv=3, train_sizes=[0.5, 1.0]),
        {"mean_test_score", "std_test_score", "mean_train_score", "std_train_score"},
        {"learning_curve.csv", "learning_curve.png"},
    ),
    "validation_curve": (
        lambda X, y: validation_curve(TREE, X, y, param_name="max_depth", param_range=[1, 2], cv=3),
        {"mean_test_score", "std_test_score", "mean_train_score", "std_train_score", "best_mean_test_score"}
        | {"best_std_test_score"},
        {"validation_curve.csv", "validation_curve.png"},
    ),
    "permutation_test_score": (
        lambda X, y: permutation_test_score(TREE, X, y, cv=3, n_permutations=5),
        {"score", "pvalue", "permutation_score", "mean_permutation_score", "std_permutation_score"},
        {"permutation_scores.csv", "permutation_scores.png"},
    ),
    "permutation_importance": (
        lambda X, y: permutation_importance(fitted(X, y), X, y, n_repeats=3, random_state=0),
        {f"permutation_importance_x{i}" for i in range(4)},
        {"permutation_importances.csv", "permutation_importances.png"},
    ),
}
OWN_COST = {"duration_seconds", "fitbook.overhead_ms", "fitbook.bytes_copied"}

every_function = pytest.mark.parametrize("function", CALLS)


def fitted(X: Any, y: Any) -> Any:
    """A fitted model that has no run."""
    with fitbook.autolog_disabled():
        return DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)


def table(run: Run, path: str) -> pd.DataFrame:
    return pd.read_csv(fitbook.tracking.MlflowClient().download_artifacts(run.info.run_id, path))


def steps(run: Run, key: str) -> list[tuple[int, float]]:
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, key)
    return sorted((point.step, point.value) for point in history)


@every_function
def test_a_call_is_one_complete_run(data: Any, runs: Runs, files: Files, function: str) -> None:
    fitbook.autolog()
    call, metrics, expected = CALLS[function]
    call(*data)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert run.data.tags["mlflow.runName"].startswith(f"{function} DecisionTreeClassifier-")
    assert run.data.tags["fitbook.method"] == function
    assert run.data.tags["estimator_class"] == "sklearn.tree._classes.DecisionTreeClassifier"
    assert run.data.tags["fitbook.data.shape"] == "60 x 4"
    assert run.data.params["estimator"] == "DecisionTreeClassifier"
    assert run.data.params["estimator__max_depth"] == "2"
    assert "X" not in run.data.params
    assert (
        fitbook.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset.digest == run.data.tags["fitbook.data.digest"]
    )
    assert set(run.data.metrics) == metrics | OWN_COST
    assert files(run.info.run_id) == expected | {"estimator.html"}


def test_every_hooked_function_is_read() -> None:
    hooked = {point.path for point in POINTS if point.role is Role.FUNCTION}
    assert hooked == set(CALLS) == {*_inspection._READERS, "cross_val_predict"}


def results_of(call: Callable[[Any, Any], Any], data: Any) -> tuple[Any, ...]:
    """What a call returns, leaves in the global random state, and warns of."""
    np.random.seed(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*data)
    told = [(str(w.message), w.category, w.filename, w.lineno) for w in caught]
    if isinstance(result, dict):
        result = {key: values for key, values in result.items() if not str(key).endswith("_time")}
    return pickle.dumps(result), np.random.get_state()[1].tobytes(), told


@every_function
def test_results_random_state_and_warnings_are_those_without_fitbook(data: Any, function: str) -> None:
    call = CALLS[function][0]
    before = results_of(call, data)
    fitbook.autolog(log_plots=False)
    assert results_of(call, data) == before


def test_warnings_of_failing_folds_are_those_without_fitbook(data: Any, runs: Runs) -> None:
    def call(X: Any, y: Any) -> Any:
        return cross_val_score(LogisticRegression(), X, np.arange(len(y)) < 12, cv=KFold(5))

    before = results_of(call, data)
    assert before[2]
    fitbook.autolog(log_plots=False)
    assert results_of(call, data) == before
    (run,) = runs()
    assert np.isnan(pickle.loads(before[0])).tolist() == [True] + 4 * [False]
    assert run.data.tags["fitbook.failed_folds"] == "1 of 5"
    assert "no score" in run.data.tags["fitbook.notes"]


def test_folds_are_points_and_rows(data: Any, on: None, runs: Runs) -> None:
    found = cross_validate(TREE, *data, cv=4, scoring=["accuracy", "f1"])
    (run,) = runs()
    for key in ("test_accuracy", "test_f1", "fit_time"):
        assert steps(run, key) == list(enumerate(found[key]))
        assert run.data.metrics[f"mean_{key}"] == found[key].mean()
        assert run.data.metrics[f"std_{key}"] == found[key].std()
        assert table(run, "folds.csv")[key].tolist() == pytest.approx(found[key].tolist(), rel=1e-15)
    assert run.data.params["scoring"] == "['accuracy', 'f1']"


def test_curves_have_their_sizes_as_steps_and_the_best_value_is_told(data: Any, on: None, runs: Runs) -> None:
    sizes, _, test = learning_curve(TREE, *data, cv=3, train_sizes=[0.25, 0.5, 1.0])
    _, scores = validation_curve(TREE, *data, param_name="max_depth", param_range=[1, 2, 3], cv=3)
    learning, validation = runs()
    assert steps(learning, "mean_test_score") == list(zip(sizes, test.mean(axis=1), strict=True))
    assert table(learning, "learning_curve.csv")["train_size"].tolist() == sizes.tolist()
    best = int(scores.mean(axis=1).argmax())
    assert validation.data.params["best_max_depth"] == str(best + 1)
    assert validation.data.metrics["best_mean_test_score"] == scores.mean(axis=1)[best]
    assert table(validation, "validation_curve.csv")["split2_test_score"].tolist() == pytest.approx(scores[:, 2])


@pytest.mark.parametrize("shown", [LearningCurveDisplay, ValidationCurveDisplay], ids=lambda c: c.__name__)
def test_a_display_s_curve_is_one_run(data: Any, on: None, runs: Runs, shown: Any) -> None:
    options = {} if shown is LearningCurveDisplay else {"param_name": "max_depth", "param_range": [1, 2]}
    shown.from_estimator(TREE, *data, cv=2, **options)
    (run,) = runs()
    assert "mean_test_score" in run.data.metrics


def test_predictions_out_of_fold_have_all_that_they_allow(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog()
    for method in ("predict_proba", "decision_function", "predict_log_proba"):
        cross_val_predict(LogisticRegression(), *data, method=method, cv=3)
    given, decided, logs = (run.data.metrics for run in runs())
    assert "cross_val_log_loss" in given
    assert "cross_val_expected_calibration_error" in given
    names = {name for name in decided if name.startswith("cross_val")}
    assert {"cross_val_roc_auc", "cross_val_accuracy_score"} <= names
    assert "cross_val_log_loss" not in names
    assert all(logs[name] == pytest.approx(given[name]) for name in given if name.startswith("cross_val"))
    assert {"cross_val_calibration_curve.png", "cross_val_roc_curve.png"} <= files(runs()[0].info.run_id)


def test_no_row_of_the_data_is_kept_unasked(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(log_plots=False)
    cross_val_predict(Ridge(), data[0], data[0][:, 0], cv=3)
    fitbook.autolog(log_plots=False, log_input_examples=True)
    cross_val_predict(Ridge(), data[0], data[0][:, 0], cv=3)
    unasked, asked = (files(run.info.run_id) for run in runs())
    assert unasked == {"estimator.html"}
    assert "cross_val_predicted_vs_true.csv" in asked
    assert "cross_val_r2_score" in runs()[0].data.metrics


def test_later_metrics_find_the_run(data: Any, on: None, runs: Runs) -> None:
    X, y = data
    accuracy_score(y, cross_val_predict(TREE, X, y, cv=3))
    found = cross_validate(TREE, X, y, cv=2, return_estimator=True)
    for tree in found["estimator"]:
        tree.score(X, y)
    predicted, folds = runs()
    assert predicted.data.metrics["accuracy_score_cross_val_predict"] > 0.5
    assert {"DecisionTreeClassifier_score_X"} <= set(folds.data.metrics)


def test_the_run_of_the_model_that_is_inspected_is_named(data: Any, on: None, runs: Runs) -> None:
    X = pd.DataFrame(data[0], columns=list("abcd"))
    model = DecisionTreeClassifier(max_depth=2).fit(X, data[1])
    found = permutation_importance(model, X, data[1], n_repeats=2, scoring=["accuracy", "f1"], random_state=0)
    fit, inspection = runs()
    assert inspection.data.tags["fitbook.model_run"] == fit.info.run_id
    assert inspection.data.metrics["permutation_importance_f1_a"] == found["f1"]["importances_mean"][0]
    assert table(inspection, "permutation_importances_accuracy.csv")["feature"].tolist()[0] == "a"


def test_inside_a_run_of_the_user_s(data: Any, on: None, runs: Runs) -> None:
    with fitbook.start_run() as mine:
        cross_val_score(TREE, *data, cv=2)
        cross_val_score(TREE, *data, cv=3)
    first, second = runs()
    assert first.info.run_id == mine.info.run_id
    assert "mean_test_score" in first.data.metrics
    assert second.data.tags["mlflow.parentRunId"] == mine.info.run_id


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_nothing_inside_is_a_run_of_its_own_wherever_it_runs(data: Any, on: None, runs: Runs, backend: str) -> None:
    with parallel_config(backend, n_jobs=2):
        cross_validate(GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=2), *data, cv=2)
    (run,) = runs()
    assert run.data.tags["fitbook.method"] == "cross_validate"
    assert len(steps(run, "test_score")) == 2


class Refusing(ClassifierMixin, BaseEstimator):
    """Raises when it is fitted, and counts what is asked of it."""

    asked: list[str] = []

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def fit(self, X: Any, y: Any) -> Refusing:
        if self.error is not None:
            raise self.error
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        self.asked.append("predict")
        return np.zeros(len(X), dtype=int)


@pytest.mark.parametrize(("error", "status"), [(LookupError("mine"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_call_that_raises_is_a_run_too(
    data: Any, on: None, runs: Runs, files: Files, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)) as raised:
        cross_validate(Refusing(error), *data, error_score="raise", cv=2)
    frames = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert not [name for name in frames if "fitbook/autolog" in name or name.startswith("<fitbook")]
    (run,) = runs()
    assert run.info.status == status
    assert type(error).__name__ in run.data.tags["fitbook.error"]
    assert run.data.tags["fitbook.data.shape"] == "60 x 4"
    assert files(run.info.run_id) == {"traceback.txt"}


def test_a_call_that_is_refused_for_its_arguments_is_no_run(data: Any, on: None, runs: Runs) -> None:
    with pytest.raises(ValueError, match="n_jobs"):
        cross_val_score(TREE, *data, n_jobs="many")
    assert runs() == []


def test_nothing_of_the_user_s_is_called_once_more(data: Any) -> None:
    scored: list[int] = []
    splits: list[int] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        scored.append(len(X))
        return float((estimator.predict(X) == y).mean())

    def halves() -> Iterator[tuple[Any, Any]]:
        for half in (0, 1):
            splits.append(half)
            yield np.arange(half, 60, 2), np.arange(1 - half, 60, 2)

    class Splitter(KFold):
        def split(self, *args: Any, **kwargs: Any) -> Any:
            splits.append(-1)
            return super().split(*args, **kwargs)

        def __repr__(self) -> str:
            raise LookupError("repr")

    def all_calls() -> tuple[list[int], list[int], list[str]]:
        scored.clear()
        splits.clear()
        Refusing.asked.clear()
        cross_validate(Refusing(), *data, cv=halves(), scoring=scorer)
        cross_val_predict(Refusing(), *data, cv=Splitter(2))
        learning_curve(Refusing(), *data, cv=Splitter(3), scoring=scorer, train_sizes=[0.5])
        permutation_importance(Refusing().fit(*data), *data, scoring=scorer, n_repeats=2)
        return list(scored), list(splits), list(Refusing.asked)

    with fitbook.autolog_disabled():
        before = all_calls()
    fitbook.autolog(log_plots=False)
    assert all_calls() == before


def test_neither_data_nor_results_are_kept_alive_by_what_waits_in_the_background(data: Any, on: None) -> None:
    X = data[0].copy()
    model = DecisionTreeClassifier()
    writer.fit_begins()  # so that files wait
    try:
        found = cross_validate(model, X, data[1], cv=2, return_estimator=True)
        kept = [weakref.ref(X), weakref.ref(model), weakref.ref(found["estimator"][0])]
        del X, model, found
        gc.collect()
        assert [one() for one in kept] == [None] * 3
    finally:
        writer.fit_ends()


def test_options_hold_for_calls_too(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(log_plots=False, log_datasets=False, extra_tags={"team": "a"}, exclude=["LogisticRegression"])
    cross_val_score(TREE, *data, cv=2)
    cross_val_score(LogisticRegression(), *data, cv=2)
    (run,) = runs()
    assert run.data.tags["team"] == "a"
    assert "fitbook.data.digest" not in run.data.tags
    assert files(run.info.run_id) == {"folds.csv", "estimator.html"}


def test_what_is_recorded_of_a_call_can_be_explained(data: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fitbook.autolog(explain=True, log_plots=False)
    cross_val_score(TREE, *data, cv=2)
    told = capsys.readouterr().err
    assert told.startswith(
        "fitbook: cross_val_score of DecisionTreeClassifier on numpy.ndarray of 0.0 MB is recorded in "
    )
    assert "in the background: tables\n" in told


def test_secrets_among_the_arguments_are_masked(data: Any, on: None, runs: Runs) -> None:
    class Secretive(DecisionTreeClassifier):
        def fit(self, X: Any, y: Any, api_key: str = "") -> Any:
            return super().fit(X, y)

    cross_val_score(Secretive(), *data, cv=2, params={"api_key": "hunter2"})
    (run,) = runs()
    assert "hunter2" not in str(run.data.params)


def test_functions_stay_the_functions_they_are(data: Any) -> None:
    before = pickle.dumps(cross_validate)
    fitbook.autolog()
    assert pickle.dumps(cross_validate) == before
    assert pickle.loads(before) is cross_validate
    fitbook.autolog(disable=True)
    assert cross_val_score(TREE, *data, cv=2).shape == (2,)


def test_what_can_t_be_read_costs_only_itself(data: Any, on: None, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise LookupError("unreadable")

    monkeypatch.setitem(_inspection._READERS, "cross_val_score", fail)
    with pytest.warns(
        fitbook.FitbookWarning, match="reading the results .cross_val_score DecisionTreeClassifier. failed"
    ):
        assert len(cross_val_score(TREE, *data, cv=2)) == 2
    _guard.swallowed.clear()
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert set(run.data.metrics) == OWN_COST
