from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Ridge
from sklearn.utils import Bunch

from fitbook.autolog._config import Config
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._inspection import found

A = {"estimator": DummyClassifier(), "X": np.zeros((4, 2)), "y": np.arange(4) % 2}


def read(function: str, result: Any, **arguments: Any) -> Facts:
    facts = found(function, {**A, **arguments}, result, Config(), deadline=math.inf)
    for paint in facts.pictures.values():
        assert paint().startswith(b"\x89PNG")
    return facts


def importances(means: Any) -> Bunch:
    means = np.asarray(means, dtype=float)
    return Bunch(importances_mean=means, importances_std=means * 0, importances=means[:, None] + [[-1.0, 1.0]])


def test_folds() -> None:
    scores = np.array([0.5, 0.7, 0.9])
    facts = read("cross_validate", {"fit_time": scores, "test_score": scores, "estimator": ["a"], "indices": {}})
    assert facts.metrics["mean_test_score"] == pytest.approx(0.7)
    assert facts.metrics["std_test_score"] == scores.std()
    assert facts.curves["test_score"] == [(0, 0.5), (1, 0.7), (2, 0.9)]
    assert facts.tables["folds.csv"].columns["fold"] == [0, 1, 2]
    assert set(facts.pictures) == {"folds.png"}
    assert (facts.tags, facts.notes) == ({}, [])


def test_folds_without_a_score_are_counted_once_however_many_scores_there_are() -> None:
    facts = read("cross_validate", {"test_a": np.array([np.nan, 1.0, 2.0]), "test_b/c": np.array([np.nan] * 2 + [0.0])})
    assert facts.tags == {"fitbook.failed_folds": "2 of 3"}
    assert math.isnan(facts.metrics["mean_test_a"])
    assert set(facts.pictures) == {"folds_a.png", "folds_b_c.png"}


def test_thousands_of_folds_are_thinned_out_as_metrics_and_whole_as_a_table() -> None:
    facts = read("cross_val_score", np.arange(2500.0))
    assert len(facts.curves["test_score"]) == 1000
    assert facts.curves["test_score"][-1] == (2499, 2499.0)
    assert len(facts.tables["folds.csv"]) == 2500
    assert "1,000 of 2,500" in facts.notes[0]


def test_a_learning_curve_with_times() -> None:
    sizes, train, test = np.array([10, 20]), np.array([[0.9, 1.0]] * 2), np.array([[0.1, 0.3], [0.5, 0.7]])
    facts = read("learning_curve", (sizes, train, test, train, test))
    assert facts.curves["mean_test_score"] == [(10, pytest.approx(0.2)), (20, pytest.approx(0.6))]
    assert facts.curves["mean_fit_time"] == [(10, pytest.approx(0.95)), (20, pytest.approx(0.95))]
    assert list(facts.tables["learning_curve.csv"].columns)[:3] == ["train_size", "mean_test_score", "std_test_score"]


@pytest.mark.parametrize(
    "values", [[0.01, 100.0], ["a", None], [DummyClassifier(), object()]], ids=["numbers", "text", "things"]
)
def test_a_validation_curve_over_anything(values: list[Any]) -> None:
    scores = np.array([[0.1, 0.3], [0.5, 0.7]])
    facts = read("validation_curve", (scores, scores), param_name="p", param_range=values)
    assert facts.metrics["best_mean_test_score"] == pytest.approx(0.6)
    assert facts.params["best_p"] == facts.tables["validation_curve.csv"].columns["param_p"][1]
    assert " at 0x" not in facts.params["best_p"]


def test_a_validation_curve_of_which_nothing_has_a_score() -> None:
    scores = np.full((2, 2), np.nan)
    facts = read("validation_curve", (scores, scores), param_name="p", param_range=[1, 2])
    assert (facts.params, facts.metrics) == ({}, {})


def test_a_permutation_test() -> None:
    facts = read("permutation_test_score", (0.9, np.array([0.4, 0.6]), 0.01))
    assert facts.metrics == {
        "score": 0.9,
        "pvalue": 0.01,
        "mean_permutation_score": 0.5,
        "std_permutation_score": pytest.approx(0.1),
    }
    assert facts.curves == {"permutation_score": [(0, 0.4), (1, 0.6)]}


def test_permutation_importances_the_weightiest_first() -> None:
    X = pd.DataFrame([[1, 2]], columns=["weak", "strong"])
    facts = read("permutation_importance", importances([0.1, -0.5]), X=X)
    table = facts.tables["permutation_importances.csv"].columns
    assert (table["feature"], table["importance"]) == (["strong", "weak"], [-0.5, 0.1])
    assert table["repeat1"] == [0.5, 1.1]
    assert facts.metrics == {"permutation_importance_strong": -0.5, "permutation_importance_weak": 0.1}


def test_permutation_importances_of_several_scorers_and_of_many_features() -> None:
    several = {"r2": importances([0.1, 0.5]), "max error": importances([1, 2])}
    facts = read("permutation_importance", several)
    assert facts.metrics["permutation_importance_r2_x1"] == 0.5
    assert len(facts.tables) == len(facts.pictures) == 2
    facts = read("permutation_importance", importances(np.arange(300)), X=np.zeros((1, 300)))
    assert len(facts.metrics) == 100
    assert len(facts.tables["permutation_importances.csv"]) == 300
    assert "100 weightiest of 300" in facts.notes[0]


def test_predictions_out_of_fold() -> None:
    facts = read("cross_val_predict", np.array([0, 1, 1, 1]), method="predict")
    assert facts.metrics["cross_val_accuracy_score"] == 0.75
    several = {"y": np.arange(8).reshape(4, 2), "method": "predict"}
    facts = read("cross_val_predict", several["y"] // 2 * 2, **several)
    assert facts.metrics["cross_val_accuracy_score"] == 0.0
    assert facts.metrics["cross_val_accuracy_score_output0"] == 1.0
    facts = read("cross_val_predict", [np.ones((4, 2)) / 2] * 2, **{**several, "method": "predict_proba"})
    assert (facts.metrics, facts.tables) == ({}, {})
    assert "several outputs" in facts.notes[0]
    facts = read("cross_val_predict", np.ones(4), y=None, method="predict")
    assert facts.metrics == {}


def test_predictions_of_a_regression_out_of_fold() -> None:
    numbers = {"estimator": Ridge(), "y": np.arange(4.0), "method": "predict"}
    facts = read("cross_val_predict", np.arange(4.0) + 1, **numbers)
    assert facts.metrics["cross_val_mean_absolute_error"] == 1.0
    assert facts.tables == {}
    asked = Config(log_input_examples=True)
    kept = found("cross_val_predict", {**A, **numbers}, np.arange(4.0), asked, deadline=math.inf)
    assert list(kept.tables) == ["cross_val_predicted_vs_true.csv"]
