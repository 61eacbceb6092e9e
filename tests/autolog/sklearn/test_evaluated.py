"""What users do with a model after its fit, and where it lands."""

from __future__ import annotations

import code
import gc
import json
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibrationDisplay
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    DetCurveDisplay,
    PrecisionRecallDisplay,
    PredictionErrorDisplay,
    RocCurveDisplay,
    accuracy_score,
    check_scoring,
    classification_report,
    confusion_matrix,
    f1_score,
    fbeta_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_squared_error,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog.sklearn import _evaluations, _links, _results
from fitbook.entities import Run

Runs = Callable[[], list[Run]]

NEWER_THAN_1_5 = tuple(map(int, sklearn.__version__.split(".")[:2])) > (1, 5)


@pytest.fixture
def fitted(data: Any, on: None) -> LogisticRegression:
    return LogisticRegression().fit(*data)


@pytest.fixture
def after(runs: Runs) -> Callable[[], dict[str, float]]:
    """The metrics that were recorded after the first fit."""

    def read() -> dict[str, float]:
        known = ("training_", "fit_duration", "fitbook", "n_iter")
        return {k: v for k, v in runs()[0].data.metrics.items() if not k.startswith(known)}

    return read


@pytest.fixture
def read(runs: Runs) -> Callable[[str], Any]:
    """A file of the first run."""

    def read(path: str) -> Any:
        runs()
        text = Path(fitbook.tracking.MlflowClient().download_artifacts(runs()[0].info.run_id, path)).read_text()
        return json.loads(text) if path.endswith(".json") else text

    return read


# -- predictions on their way to a metric ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way",
    [
        lambda p: p[:50].copy(),
        lambda p: pd.DataFrame({"p": p})["p"],
        lambda p: pd.DataFrame({"p": p}).loc[5:54, "p"].reset_index(drop=True),
        lambda p: list(p),
        lambda p: np.concatenate([p[:20], p[20:]]),
    ],
)
def test_a_prediction_is_followed_wherever_it_goes(data: Any, fitted: Any, after: Any, way: Any) -> None:
    X_test = data[0]
    predicted = way(fitted.predict(X_test))
    value = accuracy_score(data[1][: len(predicted)], predicted)
    assert after() == {"accuracy_score_X_test": value}


def test_rows_chosen_from_probabilities_are_followed(data: Any, fitted: Any, after: Any) -> None:
    X_test, y = data
    frame = pd.DataFrame({"y": y, "group": np.arange(60) % 2, "p": fitted.predict_proba(X_test)[:, 1]})
    chosen = frame[frame.group == 1].sort_values("p")
    value = roc_auc_score(chosen.y, chosen.p)
    assert after() == {"roc_auc_score_X_test": value}


@pytest.mark.parametrize("make", [LogisticRegression, lambda: make_pipeline(StandardScaler(), LogisticRegression())])
def test_the_likeliest_class_is_a_prediction(data: Any, on: None, after: Any, make: Any) -> None:
    X_test, y = data[0], np.array(["no", "yes"])[data[1]]
    model = make().fit(X_test, y)
    value = accuracy_score(y, model.classes_[model.predict_proba(X_test).argmax(axis=1)])
    other = accuracy_score(data[1], model.predict_proba(X_test).argmax(axis=1))
    assert after() == {"accuracy_score_X_test": value, "accuracy_score-2_X_test": other}


def test_copies_are_let_go_of_with_the_hooks(data: Any, fitted: Any) -> None:
    fitted.predict(data[0])
    assert len(_links._copies) > 0
    fitbook.autolog(disable=True)
    assert len(_links._copies) == 0


# -- scorers -----------------------------------------------------------------------------------------------------------


def mean_of_hits(y_true: Any, y_pred: Any, *, least: float = 0.0, api_key: str = "") -> float:
    return max(least, float(np.mean(y_true == y_pred)))


def nothing(y_true: Any, y_pred: Any) -> float:
    return float("nan")


def test_scorers_called_by_hand_are_recorded_as_their_metric(data: Any, fitted: Any, after: Any) -> None:
    X_test, y = data
    values = {
        "f1_score_X_test": get_scorer("f1")(fitted, X_test, y),
        "accuracy_score_X_test": check_scoring(fitted, scoring="accuracy")(fitted, X_test, y),
        "LogisticRegression_score_X_test": check_scoring(fitted)(fitted, X_test, y),
        "log_loss_X_test": -get_scorer("neg_log_loss")(fitted, X_test, y),
        "mean_of_hits_X_test": make_scorer(mean_of_hits)(fitted, X_test, y),
        "f1_score-2_X_test": make_scorer(partial(f1_score), average="macro")(fitted, X_test, y_true=y),
    }
    assert after() == values
    fitted.score(X_test, y)  # what the passing scorer has called already
    assert after() == values


def test_several_scorers_at_once_are_each_recorded(data: Any, fitted: Any, after: Any) -> None:
    X_test, y = data
    more: dict[str, Any] = {"raise_exc": False} if NEWER_THAN_1_5 else {}
    scoring: dict[str, Any] = {
        "acc": "accuracy",
        **({"broken": make_scorer(lambda y_true, y_pred: 1 / 0)} if more else {}),
        "own": lambda model, X, y: 0.25,
        "loss": make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
    }
    scores = check_scoring(fitted, scoring=scoring, **more)(fitted, X_test, y)
    expected = {"accuracy_score_X_test": scores["acc"], "own_X_test": 0.25, "log_loss_X_test": -scores["loss"]}
    assert after() == expected


@pytest.mark.usefixtures("_no_windows")
def test_scorers_of_models_without_a_run_record_nothing(data: Any, fitted: Any, after: Any) -> None:
    fitbook.autolog(disable=True)
    other = LogisticRegression(C=0.01).fit(*data)
    fitbook.autolog(log_plots=False)
    get_scorer("f1")(other, *data)
    RocCurveDisplay.from_estimator(other, *data)
    assert after() == {}


def test_scorers_still_are_what_they_were(data: Any, fitted: Any) -> None:
    scorer = make_scorer(f1_score, average="macro")
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy(fitted, *data) == scorer(fitted, *data)
    with pytest.raises(ValueError, match="features"):
        scorer(fitted, data[0][:, :2], data[1])
    with pytest.raises(TypeError):
        scorer()


# -- what scikit-learn computes for itself -----------------------------------------------------------------------------


def own_scorer(model: Any, X: Any, y: Any) -> float:
    return float(f1_score(y, model.predict(X)))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("scoring", [None, "accuracy", own_scorer, ["accuracy", "f1"]])
def test_scores_of_permutations_are_no_metrics(data: Any, fitted: Any, runs: Runs, scoring: Any, n_jobs: int) -> None:
    with parallel_config("threading"):
        permutation_importance(fitted, *data, scoring=scoring, n_repeats=2, n_jobs=n_jobs, random_state=0)
    names = {name for name in runs()[0].data.metrics if name.startswith(("f1_", "accuracy_", "LogisticRegression_"))}
    assert names == set()


def test_neither_are_those_of_an_estimator_of_the_user_s(data: Any, on: None, after: Any) -> None:
    class Mine(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Any:
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: Any) -> Any:
            return (X[:, 0] > 0).astype(int)

        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
            return float(f1_score(y, self.predict(X)))

    X_test, y = data
    model = Mine().fit(X_test, y)
    check_scoring(model)  # makes a scorer, and calls nothing
    permutation_importance(model, X_test, y, n_repeats=1)
    assert [name for name in after() if "score" in name] == []
    value = model.score(X_test, y)
    assert {k: v for k, v in after().items() if "score" in k} == {"Mine_score_X_test": value}


# -- per class ---------------------------------------------------------------------------------------------------------


def test_without_an_average_each_class_is_a_metric(data: Any, on: None, after: Any, files: Any, runs: Runs) -> None:
    X_test, y = data[0], np.array(["no", "yes"])[data[1]]
    predicted = LogisticRegression().fit(X_test, y).predict(X_test)
    values = f1_score(y, predicted, average=None)
    parts = precision_recall_fscore_support(y, predicted, average="macro")
    assert after() == {
        "f1_score_X_test.class_no": values[0],
        "f1_score_X_test.class_yes": values[1],
        "precision_recall_fscore_support_X_test.precision": parts[0],
        "precision_recall_fscore_support_X_test.recall": parts[1],
        "precision_recall_fscore_support_X_test.fscore": parts[2],
    }
    assert not any(path.startswith(("f1_score", "precision")) for path in files(runs()[0].info.run_id))


def test_a_report_is_a_file_and_its_numbers_metrics(data: Any, fitted: Any, after: Any, read: Any) -> None:
    X_test, y = data
    predicted = fitted.predict(X_test)
    text = classification_report(y, predicted, target_names=["no", "yes"])
    whole = classification_report(y, predicted, target_names=["no", "yes"], output_dict=True, digits=5)
    assert read("classification_report_X_test.txt") == text
    found = after()
    for row in ("no", "yes", "macro avg", "weighted avg"):
        for column in ("precision", "recall", "f1-score"):
            assert found[f"classification_report_X_test.{row}.{column}"] == whole[row][column]
    assert found["classification_report_X_test.accuracy"] == whole["accuracy"]
    assert found["classification_report_X_test.no.support"] == whole["no"]["support"]
    assert not any("-2" in name for name in found)


def explanations(run: Run) -> dict[str, str]:
    prefix = "fitbook.metric."
    return {key.removeprefix(prefix): text for key, text in run.data.tags.items() if key.startswith(prefix)}


def test_options_tell_evaluations_of_one_name_apart(data: Any, fitted: Any, after: Any, runs: Runs) -> None:
    X_test, y = data
    predicted = fitted.predict(X_test)
    for average in ("macro", "weighted", None):
        f1_score(y, predicted, average=average)
    make_scorer(mean_of_hits, least=0.1, api_key="hush")(fitted, X_test, y)
    confusion_matrix(y, predicted, normalize="true", labels=np.array([1, 0]))
    accuracy_score(y, predicted)
    assert explanations(runs()[0]) == {
        "f1_score_X_test": "f1_score(average=macro)",
        "f1_score-2_X_test": "f1_score(average=weighted)",
        "f1_score-3_X_test": "f1_score(average=None)",
        "mean_of_hits_X_test": "mean_of_hits(least=0.1, api_key=********)",
        "confusion_matrix_X_test": "confusion_matrix(normalize=true)",
    }
    assert "f1_score-3_X_test.class_0" in after()


def test_an_evaluation_without_a_value_is_one_too(data: Any, fitted: Any, after: Any) -> None:
    for _ in range(2):
        make_scorer(nothing)(fitted, *data)
    assert set(after()) == {"nothing_unknown_dataset"}


def test_explanations_are_bounded(data: Any, fitted: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_evaluations, "_MAX_EXPLAINED", 3)
    predicted = fitted.predict(data[0])
    for beta in range(1, 7):
        fbeta_score(data[1], predicted, beta=beta)
    assert len(explanations(runs()[0])) == 3


def test_results_of_too_many_values_are_not_written_and_that_is_said(
    data: Any, fitted: Any, after: Any, files: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_results, "_MAX_FILE_ELEMENTS", 10)
    with pytest.warns(FitbookWarning, match="what roc_curve gave has .* values, which are too many"):
        roc_curve(data[1], fitted.decision_function(data[0]))
    assert not any(path.startswith("roc_curve") for path in files(runs()[0].info.run_id))


# -- displays ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def _no_windows() -> Any:
    import matplotlib.pyplot as plt

    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


DISPLAYS = {
    ConfusionMatrixDisplay: ({"confusion_matrix", "display_labels"}, "predict"),
    RocCurveDisplay: ({"fpr", "tpr", "roc_auc", "pos_label"}, "decision_function"),
    PrecisionRecallDisplay: ({"precision", "recall", "average_precision", "pos_label"}, "decision_function"),
    DetCurveDisplay: ({"fpr", "fnr", "pos_label"}, "decision_function"),
    CalibrationDisplay: ({"prob_true", "prob_pred", "pos_label"}, "predict_proba"),
}


@pytest.mark.usefixtures("_no_windows")
@pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", ["from_estimator", "from_predictions"])
def test_displays_are_recorded_as_their_data(data: Any, fitted: Any, after: Any, read: Any, cls: Any, way: str) -> None:
    import matplotlib.pyplot as plt

    X_test, y = data
    keys, method = DISPLAYS[cls]

    def show() -> Any:
        if way == "from_estimator":
            return cls.from_estimator(fitted, X_test, y)
        predicted = fitted.predict_proba(X_test) if method == "predict_proba" else fitted.decision_function(X_test)
        predicted = fitted.predict(X_test) if method == "predict" else predicted
        return cls.from_predictions(y, predicted[:, 1] if predicted.ndim > 1 else predicted)

    shown = [show(), show()]
    assert len(plt.get_fignums()) == 2
    assert [type(one.figure_) for one in shown] == [matplotlib.figure.Figure] * 2
    found = read(f"{cls.__name__}_X_test.json")
    assert keys <= set(found)
    assert not {"y_true", "y_pred", "y_prob", "y_score", "ax_", "line_"} & set(found)
    for key in keys:
        assert np.array_equal(found[key], getattr(shown[0], key))
    sums = {key: getattr(shown[0], key) for key in ("roc_auc", "average_precision") if key in keys}
    assert after() == {f"{cls.__name__}_X_test.{key}": value for key, value in sums.items()}


@pytest.mark.usefixtures("_no_windows")
def test_rows_of_a_display_are_recorded_only_if_the_user_wants_rows(
    data: Any, on: None, files: Any, runs: Runs
) -> None:
    X_test, y = data
    for wanted in (False, True):
        fitbook.autolog(log_plots=False, log_input_examples=wanted)
        PredictionErrorDisplay.from_estimator(LinearRegression().fit(X_test, y), X_test, y)
    paths = [{path for path in files(run.info.run_id) if "Display" in path} for run in runs()]
    assert paths == [set(), {"PredictionErrorDisplay_X_test.json"}]


@pytest.mark.usefixtures("_no_windows")
def test_displays_fail_as_before(data: Any, fitted: Any, after: Any) -> None:
    with pytest.raises(ValueError, match="features") as raised:
        ConfusionMatrixDisplay.from_estimator(fitted, data[0][:, :2], data[1])
    assert not any("fitbook" in frame.filename for frame in traceback.extract_tb(raised.value.__traceback__))
    with pytest.raises(TypeError):
        RocCurveDisplay.from_predictions()
    assert after() == {}


def test_a_metric_that_fails_shows_no_frame_of_ours(data: Any, fitted: Any) -> None:
    with pytest.raises(ValueError, match="inconsistent") as raised:
        accuracy_score(data[1][:5], fitted.predict(data[0]))
    names = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert not any("fitbook/autolog" in name for name in names)


# -- again and at once -------------------------------------------------------------------------------------------------


def test_a_cell_that_is_run_again_adds_what_is_new_only(data: Any, fitted: Any, after: Any) -> None:
    cell = """
predicted = model.predict(X_test)
accuracy_score(y_test, predicted)
f1_score(y_test, predicted, average="macro")
model.score(X_test, y_test)
get_scorer("f1")(model, X_test, y_test)
classification_report(y_test, predicted)
"""
    X, y = data
    names = {"model": fitted, "X_test": X, "y_test": y, "accuracy_score": accuracy_score, "f1_score": f1_score}
    notebook = code.InteractiveInterpreter(
        names | {"get_scorer": get_scorer, "classification_report": classification_report}
    )
    for _ in range(3):
        notebook.runsource(cell, "<cell>", "exec")
    once = after()
    assert len(once) == 21
    assert [name for name in once if "-2" in name] == ["f1_score-2_X_test"]  # of another average
    notebook.runsource("X_test, y_test = X_test[:40], y_test[:40]\n" + cell, "<cell>", "exec")
    assert {name for name in after() if "-2" in name} - set(once) >= {"accuracy_score-2_X_test"}
    notebook.runsource(cell, "<cell>", "exec")
    assert {name for name in after() if "-4" in name} == {"f1_score-4_X_test"}


def test_eight_threads_lose_and_double_nothing(data: Any, fitted: Any, after: Any) -> None:
    X, y = data
    start = threading.Barrier(8)
    failed: list[BaseException] = []
    values: list[float] = []

    def work(number: int) -> None:
        try:
            start.wait()
            for step in range(10):
                y_test = y ^ (number * 10 + step >> np.arange(60) & 1)  # each time another one
                values.append(accuracy_score(y_test, fitted.predict(X).copy()))
                fitted.score(X, y)
                mean_squared_error(y, fitted.predict(X))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    found = after()
    assert sorted(v for k, v in found.items() if k.startswith("accuracy")) == sorted(values)
    assert set(found) - {k for k in found if k.startswith("accuracy")} == {
        "LogisticRegression_score_X",
        "mean_squared_error_X",
    }


def test_a_search_s_scorer_called_by_hand_belongs_to_its_run(data: Any, on: None, top: Runs) -> None:
    X_test, y = data
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2, scoring="f1").fit(X_test, y)
    value = search.scorer_(search, X_test, y)
    assert top()[0].data.metrics["f1_score_X_test"] == value


def test_frames_are_not_kept(data: Any, fitted: Any) -> None:
    before = sys.getrefcount(data[0])
    X_test = data[0]
    get_scorer("f1")(fitted, X_test, data[1])
    fitted.score(X_test, data[1])
    accuracy_score(data[1], fitted.predict(X_test))
    del X_test
    fitbook.search_runs(output_format="list")
    gc.collect()
    after = sys.getrefcount(data[0])
    assert after == before
