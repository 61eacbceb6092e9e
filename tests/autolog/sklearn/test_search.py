from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.autolog.sklearn._search import search_result
from fitbook.entities import Run

Runs = Callable[..., list[Run]]
GRID = {"C": [0.01, 0.1, 1.0]}


@pytest.fixture
def family(runs: Runs) -> Callable[[], tuple[Run, list[Run]]]:
    """The search's run, and its candidates' in their order."""

    def read() -> tuple[Run, list[Run]]:
        (parent,) = (run for run in runs() if "mlflow.parentRunId" not in run.data.tags)
        children = [run for run in runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        return parent, sorted(children, key=lambda run: int(run.data.tags["fitbook.candidate"]))

    return read


def _table(run: Run) -> pd.DataFrame:
    return pd.read_csv(fitbook.tracking.MlflowClient().download_artifacts(run.info.run_id, "cv_results.csv"))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_search_is_a_parent_and_a_child_for_each_candidate(
    data: Any, family: Any, files: Any, n_jobs: int
) -> None:
    fitbook.autolog()
    search = GridSearchCV(LogisticRegression(max_iter=50), GRID, cv=3, n_jobs=n_jobs).fit(*data)
    parent, children = family()
    assert parent.data.params["best_C"] == str(search.best_params_["C"])
    assert parent.data.params["estimator__max_iter"] == "50"
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    assert parent.data.metrics["best_mean_test_score"] == search.best_score_
    assert {"cv_results.csv", "estimator.html", "model", "best_estimator", "training_confusion_matrix.png"} <= files(
        parent.info.run_id
    )
    table = _table(parent)
    assert table["param_C"].tolist() == GRID["C"]
    assert table["mean_test_score"].to_numpy() == pytest.approx(search.cv_results_["mean_test_score"])
    assert [float(child.data.params["C"]) for child in children] == GRID["C"]
    for index, child in enumerate(children):
        assert child.info.status == "FINISHED"
        assert child.data.params["max_iter"] == "50"
        for key in ("mean_test_score", "std_test_score", "mean_fit_time", "mean_score_time", "rank_test_score"):
            assert child.data.metrics[key] == search.cv_results_[key][index]
        assert {"split0_test_score", "split1_test_score", "split2_test_score"} <= set(child.data.metrics)
        assert child.data.tags["estimator_name"] == "LogisticRegression"
        assert ("fitbook.best_candidate" in child.data.tags) == (index == search.best_index_)
    best = fitbook.sklearn.load_model(f"runs:/{parent.info.run_id}/best_estimator")
    assert type(best) is LogisticRegression
    assert isinstance(fitbook.sklearn.load_model(f"runs:/{parent.info.run_id}/model"), GridSearchCV)


def test_a_randomised_search_over_a_pipeline(data: Any, on: None, family: Any) -> None:
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    space = {"logisticregression__C": np.logspace(-2, 2, 50)}
    search = RandomizedSearchCV(pipe, space, n_iter=7, cv=2, random_state=0).fit(*data)
    parent, children = family()
    assert len(children) == 7
    drawn = [params["logisticregression__C"] for params in search.cv_results_["params"]]
    assert [float(child.data.params["logisticregression__C"]) for child in children] == pytest.approx(drawn)
    assert "best_logisticregression__C" in parent.data.params


def test_a_halving_search_has_a_child_for_each_candidate_of_each_rung(data: Any, on: None, family: Any) -> None:
    search = HalvingGridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3, 4]}, cv=2, min_resources=20)
    search.fit(*data)
    _, children = family()
    assert len(children) == len(search.cv_results_["params"]) > 4
    assert {child.data.metrics["iter"] for child in children} == set(search.cv_results_["iter"])


def test_several_scores(data: Any, on: None, family: Any) -> None:
    search = GridSearchCV(LogisticRegression(), GRID, cv=2, scoring=["accuracy", "f1"], refit="f1").fit(*data)
    parent, children = family()
    assert parent.data.metrics["best_mean_test_f1"] == search.best_score_ == parent.data.metrics["best_cv_score"]
    assert all({"mean_test_accuracy", "mean_test_f1", "split1_test_f1"} <= set(c.data.metrics) for c in children)


@pytest.mark.parametrize("scoring", [None, ["accuracy", "f1"]])
def test_without_refit(data: Any, on: None, family: Any, files: Any, scoring: Any) -> None:
    GridSearchCV(LogisticRegression(), GRID, cv=2, refit=False, scoring=scoring).fit(*data)
    parent, children = family()
    assert len(children) == 3
    assert ("best_cv_score" in parent.data.metrics) == (scoring is None)
    assert "cv_results.csv" in files(parent.info.run_id)
    assert "best_estimator" not in files(parent.info.run_id)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_candidates_that_fail_are_failed_runs(data: Any, on: None, family: Any) -> None:
    GridSearchCV(LogisticRegression(solver="lbfgs"), {"tol": [0.1, -5]}, cv=2, error_score=np.nan).fit(*data)
    parent, children = family()
    assert [child.info.status for child in children] == ["FINISHED", "FAILED"]
    assert math.isnan(children[1].data.metrics["mean_test_score"])
    assert parent.info.status == "FINISHED"


def test_a_search_that_raises_keeps_what_was_finished(data: Any, on: None, family: Any) -> None:
    with pytest.raises(ValueError, match="tol"):
        GridSearchCV(LogisticRegression(), {"C": [1], "tol": [0.1, -5, -7]}, cv=2, error_score="raise").fit(*data)
    parent, children = family()
    assert parent.info.status == "FAILED"
    assert [child.info.status for child in children] == ["FINISHED", "FAILED"]
    assert {"split0_test_score", "split1_test_score", "mean_test_score"} == set(children[0].data.metrics)
    assert "tol" in json.loads(children[1].data.tags["fitbook.splits"])[0]["error"]
    assert children[1].data.metrics == {}


@pytest.mark.parametrize("most", [0, 1, 2, 99])
def test_max_tuning_runs_keeps_the_best(data: Any, family: Any, most: int) -> None:
    fitbook.autolog(max_tuning_runs=most, log_plots=False)
    search = GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    parent, children = family()
    assert len(children) == min(most, 3)
    if most == 1:
        assert float(children[0].data.params["C"]) == search.best_params_["C"]
    assert len(_table(parent)) == 3


def test_the_registered_model_is_the_best_estimator(data: Any) -> None:
    fitbook.autolog(registered_model_name="tuned", log_plots=False)
    search = GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    fitbook.flush()
    model = fitbook.sklearn.load_model("models:/tuned/1")
    assert type(model) is LogisticRegression
    assert search.best_params_["C"] == model.C
    assert len(fitbook.tracking.MlflowClient().search_model_versions("name = 'tuned'")) == 1


def test_inside_a_user_s_run_the_candidates_are_its_children(data: Any, on: None, family: Any) -> None:
    with fitbook.start_run() as mine:
        GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    parent, children = family()
    assert parent.info.run_id == mine.info.run_id
    assert len(children) == 3


def test_what_is_no_search_has_no_result(data: Any) -> None:
    class Odd:
        cv_results_ = ["not", "a", "mapping"]

    assert search_result(KMeans()) is None
    assert search_result(Odd()) is None


def test_a_search_of_another_library_s_is_read_by_its_interface() -> None:
    class Theirs:
        cv_results_ = {"params": [{"a": 1}, {"a": None}], "mean_test_score": np.array([0.25, np.nan])}
        best_index_ = np.int64(0)
        best_score_ = np.float32(0.25)

    found = search_result(Theirs())
    assert found is not None
    assert found.metrics == {"best_cv_score": 0.25, "best_mean_test_score": 0.25}
    assert found.params == {"best_a": "1"}
    assert [(child.status, child.params["a"]) for child in found.children] == [("FINISHED", "1"), ("FAILED", "None")]


def test_the_table_has_a_row_for_each_candidate_whatever_is_in_the_grid(data: Any, tmp_path: Path) -> None:
    grid = {"class_weight": [None, {0: 1.0, 1: 2.0}], "C": [1]}
    search = GridSearchCV(LogisticRegression(), grid, cv=2).fit(*data)
    found = search_result(search)
    assert found is not None
    (tmp_path / "t.csv").write_text(found.table.to_csv())
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert table["param_class_weight"].tolist() == ["None", "{0: 1.0, 1: 2.0}"]


def test_reading_an_estimator_runs_nothing_of_its_own() -> None:
    class Theirs:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        @property
        def cv_results_(self) -> Any:
            raise RuntimeError("a property")

    class Delegating:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert search_result(Theirs()) is None
    assert search_result(Delegating()) is None
