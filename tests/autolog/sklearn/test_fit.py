from __future__ import annotations

import gc
import math
import multiprocessing
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook._log import FitbookWarning
from fitbook.entities import Run
from fitbook.tracking._writer import writer

Runs = Callable[[], list[Run]]
Files = Callable[[str], set[str]]


class Majority(ClassifierMixin, BaseEstimator):
    """A class of the user's, which counts what is called."""

    calls: list[str] = []

    def __init__(self, wanted: object = 1) -> None:
        self.wanted = wanted

    def fit(self, X: Any, y: Any) -> Majority:
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Any) -> Any:
        type(self).calls.append("predict")
        return np.full(len(X), self.most_)

    def predict_proba(self, X: Any) -> Any:
        type(self).calls.append("predict_proba")
        return np.full((len(X), 2), 0.5)


class Boom(BaseEstimator):
    """Fails to fit."""

    def __init__(self, error: BaseException | None = None, level: int = 3) -> None:
        self.error, self.level = error, level

    def fit(self, X: Any, y: Any = None) -> Boom:
        assert self.error is not None
        raise self.error

    def predict(self, X: Any) -> Any:
        return None


def test_a_classifier_s_record_is_complete(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog()
    X = pd.DataFrame(data[0], columns=["a", "b", "c", "d"])
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, data[1])
    (run,) = runs()
    assert (run.info.status, run.data.params["n_estimators"], run.data.params["max_depth"]) == ("FINISHED", "5", "None")
    assert run.info.end_time is not None
    assert run.info.end_time >= run.info.start_time
    names = "accuracy_score precision_score recall_score f1_score log_loss roc_auc".split()
    metrics = run.data.metrics
    assert {f"training_{name}" for name in (*names, "score")} <= set(metrics)
    assert {"fit_duration_seconds", "fitbook.overhead_ms"} <= set(metrics)
    assert metrics["training_accuracy_score"] == metrics["training_score"] == forest.score(X, data[1])
    tags = run.data.tags
    assert tags["estimator_name"] == "RandomForestClassifier"
    assert tags["estimator_class"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert {"mlflow.runName", "mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= set(tags)
    assert (tags["mlflow.autologging"], tags["fitbook.data.shape"]) == ("sklearn", "60 x 4")
    assert tags["mlflow.runName"].startswith("RandomForestClassifier-")
    run = fitbook.get_run(run.info.run_id)
    assert run.inputs.dataset_inputs[0].dataset.digest == tags["fitbook.data.digest"]
    assert files(run.info.run_id) == {
        "training_confusion_matrix.png",
        "training_confusion_matrix.csv",
        "training_roc_curve.png",
        "training_roc_curve.csv",
        "training_precision_recall_curve.png",
        "training_precision_recall_curve.csv",
        "feature_importances.png",
        "feature_importances.csv",
        "estimator.html",
        "model",
    }
    loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict(X) == forest.predict(X)).all()
    described = fitbook.pyfunc.load_model(f"runs:/{run.info.run_id}/model").metadata
    assert described.signature.inputs.input_names() == ["a", "b", "c", "d"]


def test_a_regressor_s_record(data: Any, on: None, runs: Runs, files: Files) -> None:
    LinearRegression().fit(data[0], data[0] @ [1.0, 2, 3, 4])
    (run,) = runs()
    names = "mean_squared_error root_mean_squared_error mean_absolute_error r2_score score".split()
    assert {f"training_{name}" for name in names} <= set(run.data.metrics)
    assert run.data.metrics["training_r2_score"] == pytest.approx(1)
    assert {"coefficients.csv", "estimator.html", "model"} <= files(run.info.run_id)


def test_a_clusterer_and_a_decomposition(data: Any, on: None, runs: Runs) -> None:
    labels = KMeans(3, n_init=1, random_state=0).fit_predict(data[0])
    PCA(2).fit_transform(data[0])
    kmeans, pca = runs()
    assert len(labels) == 60
    assert kmeans.data.tags["fitbook.method"] == "fit_predict"
    assert kmeans.data.metrics["training_inertia"] > 0
    assert pca.data.tags["fitbook.method"] == "fit_transform"
    assert pca.data.params["n_components"] == "2"


def test_data_preparation_makes_no_run(data: Any, on: None, runs: Runs) -> None:
    StandardScaler().fit(data[0])
    StandardScaler().fit_transform(data[0])
    assert runs() == []


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())]),
        StackingClassifier([("a", LogisticRegression())], cv=2),
        BaggingClassifier(LogisticRegression(), n_estimators=3, n_jobs=2),
        RandomForestClassifier(n_estimators=4, n_jobs=2),
        OneVsRestClassifier(LogisticRegression(), n_jobs=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_fits_inside_a_fit_makes_no_run(data: Any, on: None, runs: Runs, model: Any) -> None:
    import joblib

    with joblib.parallel_backend("threading"):
        model.fit(data[0], np.arange(60) % 3)
    assert [run.data.tags["estimator_name"] for run in runs()] == [type(model).__name__]


def test_deep_params_of_a_pipeline(data: Any, on: None, runs: Runs) -> None:
    make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=0.5)).fit(*data)
    (run,) = runs()
    assert run.data.params["logisticregression__C"] == "0.5"
    assert run.data.params["standardscaler__with_mean"] == "False"


def test_own_estimators_are_recorded_but_never_predicted_on(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(log_plots=False)

    class Later(Majority):
        """Defined after autolog(), with a fit of its own, which calls its parent's."""

        def fit(self, X: Any, y: Any) -> Later:
            super().fit(X, y)
            return self

    Majority.calls.clear()
    Majority(wanted=2).fit(*data)
    Later().fit(*data)
    found = runs()
    assert Majority.calls == []
    assert [run.data.tags["estimator_name"] for run in found] == ["Majority", "Later"]
    assert found[0].data.params == {"wanted": "2"}
    assert all("estimator.html" in files(run.info.run_id) for run in found)


def test_own_regressor_without_autolog_s_help_stays_what_it_is(data: Any, on: None, runs: Runs) -> None:
    class Mean(RegressorMixin, BaseEstimator):
        def fit(self, X: Any, y: Any) -> Mean:
            self.mean_ = y.mean()
            return self

        def predict(self, X: Any) -> Any:
            return np.full(len(X), self.mean_)

    model = Mean()
    assert model.fit(*data) is model
    assert list(vars(model)) == ["mean_"]
    assert len(runs()) == 1


def test_a_failed_fit_is_recorded_and_fails_as_before(data: Any, on: None, runs: Runs, files: Files) -> None:
    error = ValueError("no such luck", 7)
    with pytest.raises(ValueError, match="no such luck") as raised:
        Boom(error).fit(*data)
    assert raised.value is error
    assert (error.__cause__, error.__context__, error.args) == (None, None, ("no such luck", 7))
    assert [entry.name for entry in raised.traceback] == [
        "test_a_failed_fit_is_recorded_and_fails_as_before",
        "fit",
    ]
    (run,) = runs()
    assert run.info.status == "FAILED"
    assert run.data.params["level"] == "3"
    assert run.data.tags["fitbook.data.shape"] == "60 x 4"
    assert "no such luck" in run.data.tags["fitbook.error"]
    assert "raise self.error" in _read(run.info.run_id, "traceback.txt")


def _read(run_id: str, path: str) -> str:
    return Path(fitbook.tracking.MlflowClient().download_artifacts(run_id, path)).read_text()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_fit_is_killed(data: Any, on: None, runs: Runs, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        Boom(kind()).fit(*data)
    assert [run.info.status for run in runs()] == ["KILLED"]
    LogisticRegression().fit(*data)
    assert runs()[-1].info.status == "FINISHED"


def test_an_error_that_can_t_be_shown_is_still_the_user_s(data: Any, on: None, runs: Runs) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even that")

    error = Mute()
    with pytest.raises(Mute) as raised:
        Boom(error).fit(*data)
    assert raised.value is error
    assert [run.info.status for run in runs()] == ["FAILED"]


def test_within_a_user_s_run_the_first_fit_is_that_run_and_the_second_its_child(
    data: Any, on: None, runs: Runs
) -> None:
    with fitbook.start_run(run_name="mine") as mine:
        fitbook.log_param("C", "by hand")
        LogisticRegression(C=2).fit(*data)
        LogisticRegression(C=3).fit(*data)
        assert fitbook.active_run() is not None
        assert fitbook.get_run(mine.info.run_id).info.status == "RUNNING"
    first, second = sorted(runs(), key=lambda run: run.info.run_id != mine.info.run_id)
    assert first.info.run_id == mine.info.run_id
    assert first.data.tags["mlflow.runName"] == "mine"
    assert first.data.params["C"] == "by hand"
    assert first.data.params["LogisticRegression/C"] == "2"
    assert "training_score" in first.data.metrics
    assert second.data.params["C"] == "3"
    assert second.data.tags["mlflow.parentRunId"] == mine.info.run_id
    assert (first.info.status, second.info.status) == ("FINISHED", "FINISHED")


def test_exclusive_leaves_a_user_s_run_alone(data: Any, runs: Runs) -> None:
    fitbook.autolog(exclusive=True, log_plots=False)
    with fitbook.start_run(run_name="mine") as mine:
        LogisticRegression().fit(*data)
    own = next(run for run in runs() if run.info.run_id == mine.info.run_id)
    assert (own.data.params, own.data.metrics) == ({}, {})
    assert len(runs()) == 2


def test_what_was_fitted_is_not_kept_alive(data: Any, on: None) -> None:
    X, y = data[0].copy(), data[1]
    model = LogisticRegression().fit(X, y)
    model.predict(X)
    fitbook.search_runs()
    references = [weakref.ref(model), weakref.ref(X)]
    del model, X
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_an_unpicklable_model_keeps_its_run_and_warns_once(data: Any, on: None, runs: Runs, files: Files) -> None:
    with pytest.warns(FitbookWarning, match="could not be kept") as raised:  # noqa: PT031
        Majority(wanted=(part for part in ())).fit(*data)
        Majority(wanted=(part for part in ())).fit(*data)
    assert len(raised) == 1
    assert raised[0].filename == __file__
    for run in runs():
        assert run.info.status == "FINISHED"
        assert "model not kept" in run.data.tags["fitbook.notes"]
        assert "model" not in files(run.info.run_id)


def test_registered_model_name_registers_every_fit(data: Any) -> None:
    fitbook.autolog(registered_model_name="churn", log_plots=False)
    LogisticRegression().fit(*data)
    LogisticRegression(C=2).fit(*data)
    fitbook.search_runs()
    assert fitbook.sklearn.load_model("models:/churn/2").C == 2


def test_nothing_of_the_data_is_stored_unless_asked(data: Any, runs: Runs, files: Files, tmp_path: Any) -> None:
    X = pd.DataFrame({"a": data[0][:, 0], "secret": ["planted-token"] * 60})
    from sklearn.compose import make_column_transformer

    fitbook.autolog()
    make_pipeline(make_column_transformer(("passthrough", ["a"])), LogisticRegression()).fit(X, data[1])
    assert len(runs()) == 1
    assert [f for f in tmp_path.rglob("*") if f.is_file() and b"planted-token" in f.read_bytes()] == []
    fitbook.autolog(log_input_examples=True)
    make_pipeline(make_column_transformer(("passthrough", ["a"])), LogisticRegression()).fit(X, data[1])
    assert len(runs()) == 2
    assert [f for f in tmp_path.rglob("*") if f.is_file() and b"planted-token" in f.read_bytes()] != []


def test_options_turn_parts_off(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(log_models=False, log_plots=False, log_datasets=False, extra_tags={"team": "a"})
    LogisticRegression().fit(*data)
    (run,) = runs()
    assert run.inputs.dataset_inputs in ((), [])
    assert run.data.tags["team"] == "a"
    assert not {name for name in files(run.info.run_id) if name == "model" or name.endswith(".png")}


class Slotted(BaseEstimator):
    __slots__ = ("coef",)

    def fit(self, X: Any, y: Any = None) -> Slotted:
        return self

    def predict(self, X: Any) -> Any:
        return X


class BadRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BadBool:
    def __bool__(self) -> bool:
        raise RuntimeError("no bool")

    def __len__(self) -> int:
        raise RuntimeError("no len")


class Unequal:
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return np.array([True, False])


class NoParams(Majority):
    def get_params(self, deep: bool = True) -> Any:
        raise RuntimeError("no params")


class FalseEstimator(Majority):
    def __bool__(self) -> bool:
        raise RuntimeError("no bool")

    def __len__(self) -> int:
        raise RuntimeError("no len")

    def __eq__(self, other: object) -> Any:
        return np.array([True, False])

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "make",
    [
        Slotted,
        lambda: Majority(BadRepr()),
        lambda: Majority(BadBool()),
        lambda: Majority(Unequal()),
        lambda: Majority({"nested": [BadRepr()]}),
        lambda: Majority(lambda x: x),
        lambda: Majority(math.nan),
        lambda: Majority("x" * 200_000),
        NoParams,
        FalseEstimator,
    ],
)
@pytest.mark.filterwarnings("ignore:fitbook. the fitted model could not be kept")
def test_hostile_estimators_fit_and_are_recorded(data: Any, on: None, runs: Runs, make: Callable[[], Any]) -> None:
    model = make()
    assert model.fit(*data) is model
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["estimator_name"] == type(model).__name__


def test_a_model_that_fits_and_can_t_predict_is_a_note_and_no_warning(data: Any, on: None, runs: Runs) -> None:
    model = TransformedTargetRegressor(func=np.negative, inverse_func=np.linalg.inv, check_inverse=False)
    assert model.fit(*data) is model
    assert "predicting the first rows" in runs()[-1].data.tags["fitbook.notes"]


def test_what_the_user_logs_after_a_fit_stands(data: Any) -> None:
    """Autologging writes in the background, and must not replace what came later."""
    X, y = data
    fitbook.autolog()
    for n in range(5):
        with fitbook.start_run() as run:
            LogisticRegression().fit(X, y)
            other = DecisionTreeClassifier(max_depth=1 + n).fit(X, y)
            fitbook.sklearn.log_model(other, "model")
            fitbook.log_text("mine", "estimator.html")
        assert fitbook.sklearn.load_model(f"runs:/{run.run_id}/model").max_depth == 1 + n
        path = fitbook.Client().download_artifacts(run.run_id, "estimator.html")
        assert Path(path).read_text() == "mine"


@pytest.mark.parametrize("own_run", [False, True])
def test_more_work_than_threads_is_no_more_runs(data: Any, own_run: bool) -> None:
    """joblib makes the later batches in threads that know nothing of the fit, or of the user's run."""
    X, y = data
    fitbook.autolog(log_plots=False)
    if own_run:
        with fitbook.start_run() as run:
            Parallel(2, backend="threading")(
                delayed(DecisionTreeClassifier(max_depth=1 + n).fit)(X, y) for n in range(12)
            )
        found = fitbook.search_runs(output_format="list")
        parents = [r.data.tags.get("mlflow.parentRunId") for r in found if r.info.run_id != run.run_id]
        assert parents == [run.run_id] * 11
    else:
        with parallel_config(backend="threading", n_jobs=2):
            GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3, 4, 5, 6]}, cv=3).fit(X, y)
        assert len(fitbook.search_runs()) == 7


def test_the_data_is_let_go_of_while_figures_wait(data: Any) -> None:
    X, y = data[0].copy(), data[1]
    fitbook.autolog()
    writer.fit_begins()  # nothing is drawn while a fit goes on
    try:
        model = LogisticRegression().fit(X, y)
        ends = weakref.ref(X), weakref.ref(model)
        del X, model
        gc.collect()
        assert [end() for end in ends] == [None, None]
    finally:
        writer.fit_ends()


def test_fits_of_other_processes_are_children_of_the_run_that_has_one(data: Any) -> None:
    X, y = data
    fitbook.autolog(log_plots=False)
    with fitbook.start_run() as run:
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=DecisionTreeClassifier(max_depth=n).fit, args=(X, y)) for n in (1, 2, 3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
    found = fitbook.search_runs(output_format="list")
    assert len(found) == 3
    assert {r.info.status for r in found} == {"FINISHED"}
    assert sorted(r.data.params["max_depth"] for r in found) == ["1", "2", "3"]
    assert {r.data.tags.get("mlflow.parentRunId", run.run_id) for r in found} == {run.run_id}


def test_a_pool_that_is_ended_has_written_its_fits(data: Any) -> None:
    X, y = data
    fitbook.autolog()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(LogisticRegression().fit, [(X, y)] * 4)
    found = fitbook.search_runs(output_format="list")
    assert [r.info.status for r in found] == ["FINISHED"] * 4


def test_nothing_is_noted_of_data_that_is_not_to_be_logged(data: Any, runs: Runs) -> None:
    fitbook.autolog(log_datasets=False)
    LogisticRegression().fit(*data)
    assert not [tag for tag in runs()[0].data.tags if tag.startswith("fitbook.data")]


def test_a_fit_that_is_a_lambda_is_a_fit(data: Any, on: None, runs: Runs) -> None:
    class Short(BaseEstimator, ClassifierMixin):
        fit = lambda self, X, y: self  # noqa: E731

    Short().fit(*data)
    (run,) = runs()
    assert "fitbook.method" not in run.data.tags
