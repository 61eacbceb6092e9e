from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, RFECV, SequentialFeatureSelector
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import fitbook
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._meta import meta_facts
from fitbook.entities import Run

Runs = Callable[..., list[Run]]
Files = Callable[[str], set[str]]
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)
NAMES = ["a", "b", "c", "d"]

# Each of them fits others inside, and its fit is one run.
META: dict[str, Callable[[], Any]] = {
    "RFECV": lambda: RFECV(TREE, cv=2),
    "SequentialFeatureSelector": lambda: SequentialFeatureSelector(TREE, cv=2, n_features_to_select=2),
    "TunedThresholdClassifierCV": lambda: TunedThresholdClassifierCV(TREE, cv=2),
    "CalibratedClassifierCV": lambda: CalibratedClassifierCV(TREE, cv=2),
    "StackingClassifier": lambda: StackingClassifier([("one", TREE), ("two", LogisticRegression())], cv=2),
    "BaggingClassifier": lambda: BaggingClassifier(TREE, n_estimators=2),
    "VotingClassifier": lambda: VotingClassifier([("one", TREE), ("two", LogisticRegression())]),
    "ClassifierChain": lambda: ClassifierChain(TREE, cv=2),
    "RegressorChain": lambda: RegressorChain(DecisionTreeRegressor(), cv=2),
    "MultiOutputClassifier": lambda: MultiOutputClassifier(TREE),
    "MultiOutputRegressor": lambda: MultiOutputRegressor(DecisionTreeRegressor()),
}


@pytest.fixture
def frame(data: Any) -> Any:
    return pd.DataFrame(data[0], columns=NAMES), data[1]


def facts_of(model: Any, steps: Any = ()) -> Facts:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = pickle.dumps(model)
        facts = meta_facts(model, NAMES, steps)
        assert pickle.dumps(model) == before
    for paint in facts.pictures.values():
        assert paint().startswith(b"\x89PNG")
    return facts


@pytest.mark.parametrize("name", META)
def test_a_fit_is_one_run_whatever_it_fits_inside(data: Any, on: None, runs: Runs, name: str) -> None:
    X, y = data
    several = name.endswith("Chain") or name.startswith("MultiOutput")
    META[name]().fit(X, np.column_stack([y, 1 - y]) if several else y)
    (run,) = runs()
    assert (run.info.status, run.data.tags["estimator_name"]) == ("FINISHED", name)


@pytest.mark.parametrize("name", ["SequentialFeatureSelector", "RFECV"])
def test_selection_is_the_same_with_fitbook(data: Any, name: str) -> None:
    before = pickle.dumps(META[name]().fit(*data))
    fitbook.autolog(log_plots=False)
    assert pickle.dumps(META[name]().fit(*data)) == before


def test_recursive_elimination_tells_its_curve_and_its_choice(frame: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog()
    selector = RFECV(TREE, cv=3).fit(*frame)
    (run,) = runs()
    mean = selector.cv_results_["mean_test_score"]
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, "mean_test_score")
    assert sorted((point.step, point.value) for point in history) == list(enumerate(mean, start=1))
    assert run.data.metrics["n_features_selected"] == selector.n_features_
    assert run.data.metrics["best_mean_test_score"] == mean[selector.n_features_ - 1]
    assert {"feature_elimination.csv", "feature_elimination.png", "feature_selection.csv"} <= files(run.info.run_id)
    chosen = facts_of(selector).tables["feature_selection.csv"].columns
    assert (chosen["feature"], chosen["ranking"]) == (NAMES, selector.ranking_.tolist())


def test_elimination_in_steps_has_the_numbers_of_features_that_it_tried(data: Any) -> None:
    facts = facts_of(RFECV(TREE, cv=2, step=3, min_features_to_select=1).fit(*data))
    assert [step for step, _ in facts.curves["mean_test_score"]] == [1, 4]
    assert "split0_ranking" not in facts.tables["feature_elimination.csv"].columns
    assert set(facts_of(RFE(TREE).fit(*data)).tables) == {"feature_selection.csv"}


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(
    "wrap", [lambda selector: selector, lambda selector: make_pipeline(StandardScaler(), selector)]
)
def test_sequential_selection_tells_its_steps(frame: Any, on: None, runs: Runs, direction: str, wrap: Any) -> None:
    selector = SequentialFeatureSelector(TREE, cv=2, direction=direction, n_features_to_select=2)
    wrap(selector).fit(*frame)
    (run,) = runs()
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, "mean_test_score")
    assert sorted(point.step for point in history) == ([1, 2] if direction == "forward" else [2, 3])
    client = fitbook.tracking.MlflowClient()
    steps = pd.read_csv(client.download_artifacts(run.info.run_id, "feature_selection_steps.csv"))
    chosen = pd.read_csv(client.download_artifacts(run.info.run_id, "feature_selection.csv"))
    taken = set(steps["added" if direction == "forward" else "removed"])
    assert (set(chosen["feature"][chosen["selected"]]) == taken) == (direction == "forward")
    assert taken <= set(NAMES)
    assert steps["kept"].all()


def test_a_feature_that_was_not_worth_it_is_told_as_such(frame: Any) -> None:
    selector = SequentialFeatureSelector(TREE, cv=2, tol=0.5).fit(*frame)
    facts = facts_of(selector, [(int(selector.support_.argmax()), 0.9), (int(selector.support_.argmin()), 0.91)])
    assert facts.tables["feature_selection_steps.csv"].columns["kept"] == [True, False]


def test_a_tuned_threshold(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog()
    model = TunedThresholdClassifierCV(LogisticRegression(), cv=2, store_cv_results=True, thresholds=5).fit(*data)
    (run,) = runs()
    assert run.data.metrics["best_threshold"] == model.best_threshold_
    assert run.data.metrics["best_score"] == model.best_score_
    history = fitbook.tracking.MlflowClient().get_metric_history(run.info.run_id, "threshold_score")
    assert [point.value for point in history] == model.cv_results_["scores"].tolist()
    assert {"thresholds.csv", "thresholds.png"} <= files(run.info.run_id)
    with fitbook.autolog_disabled():
        prefit = LogisticRegression().fit(*data)
        model = TunedThresholdClassifierCV(prefit, cv="prefit", refit=False).fit(*data)
    assert set(facts_of(model).metrics) == {"best_threshold", "best_score"}


@pytest.mark.parametrize(
    ("method", "n_classes", "expected"),
    [("sigmoid", 2, {"a", "b"}), ("sigmoid", 3, {"a", "b"}), ("isotonic", 2, set())],
)
def test_calibrators(data: Any, method: str, n_classes: int, expected: set[str]) -> None:
    labels = np.arange(60) % n_classes
    facts = facts_of(CalibratedClassifierCV(TREE, method=method, cv=2).fit(data[0], labels))
    assert facts.metrics == {"n_calibrators": 2.0}
    columns = facts.tables["calibrators.csv"].columns if facts.tables else {}
    assert set(columns) - {"fold", "class"} == expected
    if expected:
        assert columns["class"] == (["1", "1"] if n_classes == 2 else ["0", "1", "2"] * 2)
        assert columns["fold"] == [fold for fold in (0, 1) for _ in range(len(columns["fold"]) // 2)]


def test_stacking_tells_what_the_final_estimator_makes_of_the_others(data: Any) -> None:
    pairs = [("one", TREE), ("gone", "drop"), ("two", LogisticRegression())]
    facts = facts_of(StackingClassifier(pairs, cv=2).fit(*data))
    assert set(facts.metrics) == {"final_coefficient_one", "final_coefficient_two"}
    assert set(facts.pictures) == {"final_coefficients.png"}
    several = facts_of(StackingClassifier(pairs, cv=2, passthrough=True).fit(data[0], np.arange(60) % 3))
    assert len(several.tables["final_coefficients.csv"]) == 6 + 4
    forest = facts_of(StackingClassifier(pairs, RandomForestClassifier(2), cv=2).fit(*data))
    assert set(forest.metrics) == {"final_importance_one", "final_importance_two"}
    regression = StackingRegressor([("line", LinearRegression())], cv=2).fit(data[0], data[0][:, 0])
    assert set(facts_of(regression).metrics) == {"final_coefficient_line"}


def test_a_chain_tells_its_order(data: Any) -> None:
    Y = np.column_stack([data[1], 1 - data[1], data[1]])
    chain = ClassifierChain(TREE, order=[2, 0, 1]).fit(data[0], Y)
    assert facts_of(chain).tags == {"fitbook.chain_order": "2, 0, 1"}


def test_it_is_found_behind_pipelines_and_searches(frame: Any) -> None:
    search = GridSearchCV(make_pipeline(StandardScaler(), RFECV(TREE, cv=2)), {"rfecv__step": [1, 2]}, cv=2).fit(*frame)
    assert set(facts_of(search).tables) == {"feature_elimination.csv", "feature_selection.csv"}


@pytest.mark.parametrize(
    "model",
    [TREE, LogisticRegression(), object(), 3, None, *(make() for make in META.values())],
    ids=lambda m: type(m).__name__,
)
def test_others_and_what_is_not_fitted_tell_nothing(model: Any) -> None:
    assert facts_of(model) == Facts()
