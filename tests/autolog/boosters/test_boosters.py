"""XGBoost, LightGBM and CatBoost through their scikit-learn interfaces: one complete run for each fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor, Pool
from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

import fitbook
from fitbook.autolog.sklearn._plots import bars
from fitbook.autolog.sklearn._table import Table
from fitbook.entities import Run

Runs = Callable[[], list[Run]]
Frame = tuple[pd.DataFrame, Any]

BOOSTERS = ("xgboost", "lightgbm", "catboost")
FIRST_STEP = {"xgboost": 0, "lightgbm": 1, "catboost": 0}
SIZE = {"xgboost": "n_estimators", "lightgbm": "n_estimators", "catboost": "iterations"}
NAMES = ["age", "income", "height", "size"]


def make(library: str, kind: str = "classifier", **params: Any) -> Any:
    """A small booster that prints nothing and writes no files."""
    classifier, regressor, quiet = {
        "xgboost": (XGBClassifier, XGBRegressor, {"n_jobs": 1}),
        "lightgbm": (LGBMClassifier, LGBMRegressor, {"n_jobs": 1, "verbose": -1}),
        "catboost": (
            CatBoostClassifier,
            CatBoostRegressor,
            {"thread_count": 1, "verbose": 0, "allow_writing_files": False},
        ),
    }[library]
    return (classifier if kind == "classifier" else regressor)(**{SIZE[library]: 12} | quiet | params)


def fit_watched(library: str, X: Any, y: Any, rounds: int | None = 3, **params: Any) -> Any:
    """Fit beside two held-out sets, with two metrics, and stop early after ``rounds``."""
    options: dict[str, Any] = {"eval_set": [(X[100:150], y[100:150]), (X[150:], y[150:])]}
    if library == "xgboost":
        model = make(library, eval_metric=["logloss", "auc"], early_stopping_rounds=rounds, **params)
        options["verbose"] = False
    elif library == "lightgbm":
        model = make(library, **params)
        options["eval_metric"] = ["binary_logloss", "auc"]
        options["callbacks"] = [early_stopping(rounds, verbose=False)] if rounds else []
    else:
        model = make(library, custom_metric=["Logloss", "AUC"], early_stopping_rounds=rounds, **params)
    with warnings.catch_warnings():
        # Newer versions of LightGBM ask for the same under other names, which older ones do not know.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        return model.fit(X[:100], y[:100], **options)


def curve(run: Run, name: str) -> list[tuple[int, float]]:
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in history)


def table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(fitbook.download_artifacts(f"runs:/{run.info.run_id}/{name}"), index_col="feature")


@pytest.fixture
def frame() -> Frame:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 4)), columns=NAMES)
    return X, (X["age"] + 0.4 * rng.normal(size=200) > 0).astype(int)


@pytest.mark.parametrize("library", BOOSTERS)
def test_a_classifier_is_one_complete_run(library: str, frame: Frame, on: None, runs: Runs, files: Any) -> None:
    X, y = frame
    weights = np.linspace(1, 2, len(y))
    model = make(library).fit(X, y, sample_weight=weights)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["estimator_name"] == type(model).__name__
    assert run.data.tags["fitbook.estimator_type"] == "classifier"
    assert run.data.params[SIZE[library]] == "12"
    assert run.data.params.keys() == model.get_params().keys()
    auc = roc_auc_score(y, model.predict_proba(X)[:, 1], sample_weight=weights)
    assert run.data.metrics["training_roc_auc"] == pytest.approx(auc)
    assert run.data.metrics["training_accuracy_score"] == pytest.approx(
        np.average(model.predict(X) == y, weights=weights)
    )
    assert "fitbook.dropped" not in run.data.tags
    stored = files(run.info.run_id)
    assert {"feature_importances.csv", "training_confusion_matrix.csv", "estimator.html", "model"} <= stored
    loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert type(loaded) is type(model)
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()


@pytest.mark.parametrize("library", BOOSTERS)
def test_a_regressor_is_one_complete_run(library: str, frame: Frame, on: None, runs: Runs) -> None:
    X, y = frame[0].to_numpy(), frame[0]["income"].to_numpy()
    model = make(library, "regressor").fit(X, y)
    (run,) = runs()
    assert run.data.metrics["training_r2_score"] == pytest.approx(model.score(X, y))
    loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict(X) == model.predict(X)).all()


@pytest.mark.parametrize("library", BOOSTERS)
def test_several_classes_with_names(library: str, frame: Frame, on: None, runs: Runs) -> None:
    X, y = frame[0], pd.cut(frame[0]["age"], [-9, -0.5, 0.5, 9], labels=["low", "middle", "high"]).astype(str)
    labels = y.map({"high": 0, "low": 1, "middle": 2}) if library == "xgboost" else y  # XGBoost takes numbers only
    model = make(library).fit(X, labels)
    (run,) = runs()
    right = float((np.asarray(model.predict(X)).ravel() == labels).mean())
    assert run.data.metrics["training_accuracy_score"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("library", "kinds"), [("xgboost", ["gain", "weight", "cover"]), ("lightgbm", ["gain", "split"]), ("catboost", [])]
)
def test_importances_have_names_and_every_measure(
    library: str, kinds: list[str], frame: Frame, on: None, runs: Runs
) -> None:
    X, y = frame[0].assign(nothing=0.0), frame[1]  # no tree splits by a constant
    model = make(library).fit(X, y)
    importances = table(runs()[0], "feature_importances.csv")
    assert list(importances.columns) == ["importance", *kinds]
    assert importances.index[0] == "age"
    assert importances.loc[X.columns, "importance"].tolist() == pytest.approx(model.feature_importances_)
    assert (importances.loc["nothing"] == 0).all()
    if library == "xgboost":
        gain = model.get_booster().get_score(importance_type="gain")
        assert importances.loc[gain.keys(), "gain"].tolist() == pytest.approx(list(gain.values()))
    elif library == "lightgbm":
        assert importances.loc[X.columns, "split"].tolist() == model.booster_.feature_importance("split").tolist()


def test_the_figure_shows_the_importances_only() -> None:
    columns = {"feature": ["a", "b"], "importance": [0.9, 0.1]}
    plain = Table(columns, kind="feature_importances")
    assert bars(Table(columns | {"gain": [30.0, 50.0]}, kind="feature_importances")) == bars(plain)


@pytest.mark.parametrize("library", BOOSTERS)
def test_evaluations_are_curves_for_each_set_and_metric(library: str, frame: Frame, on: None, runs: Runs) -> None:
    model = fit_watched(library, *frame, rounds=None)
    (run,) = runs()
    results = model.evals_result_
    assert len(results) == (3 if library == "catboost" else 2)
    for data, metrics in results.items():
        for metric, values in metrics.items():
            steps = range(FIRST_STEP[library], FIRST_STEP[library] + 12)
            assert curve(run, f"{data}-{metric}") == list(zip(steps, values, strict=True))


@pytest.mark.parametrize("library", BOOSTERS)
def test_early_stopping_leaves_the_best_iteration_a_step_of_the_curves(
    library: str, frame: Frame, on: None, runs: Runs
) -> None:
    model = fit_watched(library, *frame, rounds=3, **{SIZE[library]: 200, "learning_rate": 0.5})
    (run,) = runs()
    best = model.best_iteration if library == "xgboost" else model.best_iteration_
    assert run.data.metrics["best_iteration"] == best
    if library == "xgboost":
        score, watched = run.data.metrics["best_score"], "validation_1-auc"
    else:
        watched = {"lightgbm": "valid_1-auc", "catboost": "validation_1-Logloss"}[library]
        score = run.data.metrics[f"best_score-{watched}"]
    points = dict(curve(run, watched))
    assert points[best] == pytest.approx(score)
    assert len(points) < 200


def test_catboost_that_evaluates_at_every_fourth_iteration(frame: Frame, on: None, runs: Runs) -> None:
    fit_watched("catboost", *frame, rounds=None, iterations=11, metric_period=4)
    fit_watched("catboost", *frame, rounds=5, iterations=500, metric_period=4, learning_rate=0.5)
    regular, stopped = runs()
    assert [step for step, _ in curve(regular, "validation_0-AUC")] == [0, 4, 8, 10]
    assert [step for step, _ in curve(stopped, "validation_0-AUC")][:3] == [0, 4, 8]
    watched = [step for step, _ in curve(stopped, "validation_1-Logloss")]
    assert watched == list(range(len(watched)))


@pytest.mark.parametrize("library", BOOSTERS)
def test_inside_pipelines_searches_and_ensembles_it_is_logged_once(
    library: str, frame: Frame, on: None, top: Runs
) -> None:
    X, y = frame
    make_pipeline(StandardScaler(), make(library)).fit(X, y)
    GridSearchCV(make(library), {"max_depth": [2, 3]}, cv=2).fit(X, y)
    StackingClassifier([("booster", make(library))], LogisticRegression(), cv=2).fit(X, y)
    pipeline, search, stack = top()
    assert pipeline.data.params["steps"].startswith("[(")
    booster = type(make(library)).__name__
    assert pipeline.data.params[f"{booster.lower()}__{SIZE[library]}"] == "12"
    assert table(pipeline, "feature_importances.csv").index[0] == "age"
    assert "best_cv_score" in search.data.metrics
    assert "training_accuracy_score" in stack.data.metrics
    for run in (pipeline, search, stack):
        loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
        assert loaded.predict(X).shape[0] == len(y)


@pytest.mark.parametrize("library", BOOSTERS)
def test_scores_after_the_fit_go_to_its_run(library: str, frame: Frame, on: None, runs: Runs) -> None:
    X, y = frame
    model = make(library).fit(X[:150], y[:150])
    X_test, y_test = X[150:], y[150:]
    model.score(X_test, y_test)
    auc = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    (run,) = runs()
    assert run.data.metrics["roc_auc_score_X_test"] == auc
    assert run.data.metrics[f"{type(model).__name__}_score_X_test"] == model.score(X_test, y_test)


@pytest.mark.parametrize("library", BOOSTERS)
def test_a_fit_that_fails_is_a_failed_run(library: str, frame: Frame, on: None, runs: Runs) -> None:
    model = make(library, **{"catboost": {"depth": 99}}.get(library, {"max_depth": "deep"}))
    with pytest.raises(Exception) as caught:  # each library has its own
        model.fit(*frame)
    (run,) = runs()
    assert run.info.status == "FAILED"
    assert type(caught.value).__name__ in run.data.tags["fitbook.error"]


@pytest.mark.parametrize("library", BOOSTERS)
def test_a_class_of_the_users_derived_from_a_booster_is_never_predicted_with(
    library: str, frame: Frame, on: None, runs: Runs
) -> None:
    base: Any = type(make(library))

    class Mine(base):  # type: ignore[misc]
        def predict(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("called")

    Mine(**make(library).get_params()).fit(*frame)
    (run,) = runs()
    assert run.data.tags["estimator_name"] == "Mine"
    assert "training_accuracy_score" not in run.data.metrics


def test_catboost_is_hooked_whole_and_left_without_a_trace() -> None:
    classes = (CatBoostClassifier, CatBoostClassifier.__base__, CatBoostRegressor)
    before = [dict(vars(cls)) for cls in classes]
    fitbook.autolog()
    assert [dict(vars(cls)) for cls in classes] != before
    fitbook.autolog(disable=True)
    assert [dict(vars(cls)) for cls in classes] == before


def test_catboost_s_own_pools(frame: Frame, on: None, runs: Runs) -> None:
    X, y = frame
    make("catboost").fit(Pool(X, y))
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert "learn-Logloss" in run.data.metrics


def test_nothing_more_is_printed_than_without(frame: Frame, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = frame

    def printed() -> list[str]:
        # The one tells each time that it predicts that one parameter overrules another, the other what it does.
        lgbm = LGBMClassifier(n_estimators=3, n_jobs=1, min_data_in_leaf=9, force_col_wise=True, verbose=1)
        xgb = XGBClassifier(n_estimators=3, n_jobs=1, verbosity=3, tree_method="exact")
        for model in (make_pipeline(lgbm), xgb):
            model.fit(X, y)
            print("fitted")
            model.predict(X)
            print("predicted")
        lines = capsys.readouterr().out.splitlines()
        kept = [line for line in lines if line.startswith("[LightGBM]") or "DEBUG" in line or line.endswith("ed")]
        return [line.partition("] ")[2] or line for line in kept if "overhead" not in line]  # XGBoost tells the time

    without = printed()
    assert sum("min_data_in_leaf is set" in line for line in without) >= 2
    assert any("DEBUG" in line for line in without)
    # With models, XGBoost has less to do, and to tell, at its first prediction: pickling has done it already.
    fitbook.autolog(log_models=False)
    assert printed() == without


LATE = """
import sys
import fitbook
fitbook.autolog(log_models=False)
import numpy as np
from sklearn.linear_model import LinearRegression
X = np.random.default_rng(0).normal(size=(50, 3))
LinearRegression().fit(X, X[:, 0])
fitbook.flush()
assert not {"xgboost", "lightgbm", "catboost", "imblearn"} & set(sys.modules)
from catboost import CatBoostRegressor
CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False).fit(X, X[:, 0])
print(*(run.data.tags["estimator_name"] for run in fitbook.search_runs(output_format="list")))
"""


def test_they_are_not_imported_by_fitbook_and_hooked_when_the_user_does(script: Any) -> None:
    done = script(LATE)
    assert (done.stdout, done.stderr) == ("CatBoostRegressor LinearRegression\n", "")
