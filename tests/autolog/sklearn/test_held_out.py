import math

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import cross_val_predict

from fitbook.autolog.sklearn import _held_out
from fitbook.autolog.sklearn._held_out import out_of_fold_report

X, y = make_classification(200, 6, n_informative=4, flip_y=0.2, random_state=0)
y3 = make_classification(200, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0)[1]


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
@pytest.mark.parametrize("labels", [y, y3], ids=["two", "three"])
def test_out_of_fold_predictions_are_measured_as_scikit_learn_does(labels, method):
    model = LogisticRegression()
    predicted = cross_val_predict(model, X, labels, method=method, cv=3)
    found = out_of_fold_report(model, labels, predicted, method, deadline=math.inf)
    classes = cross_val_predict(model, X, labels, cv=3)
    assert found.notes == []
    assert found.metrics["cross_val_accuracy_score"] == accuracy_score(labels, classes)
    assert ("cross_val_log_loss" in found.metrics) == ("proba" in method)
    if method == "predict_log_proba":
        proba = cross_val_predict(model, X, labels, method="predict_proba", cv=3)
        assert found.metrics["cross_val_log_loss"] == pytest.approx(log_loss(labels, proba))
    assert set(found.tables()) >= {"cross_val_confusion_matrix.csv"}


def test_out_of_fold_predictions_that_can_t_be_measured_are_a_note():
    found = out_of_fold_report(LogisticRegression(), y, np.zeros((3, 7)), "predict_proba", deadline=math.inf)
    assert found.metrics == {}
    assert found.notes == ["out-of-fold metrics: predict_proba tells of 7 classes, and the target has 2"]


def test_many_rows_are_sampled_and_it_is_said(monkeypatch):
    monkeypatch.setattr(_held_out, "_MAX_ROWS", 50)
    found = out_of_fold_report(Ridge(), np.arange(200.0), np.arange(200.0), "predict", deadline=math.inf)
    assert (found.rows_used, found.n_rows, found.metrics["cross_val_r2_score"]) == (50, 200, 1.0)
    assert "sampled" in found.notes[0]
    whole = out_of_fold_report(Ridge(), y, y, "predict", deadline=math.inf, sampling=False)
    assert (whole.rows_used, whole.notes) == (200, [])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_a_class_of_which_no_row_was_sampled_still_has_its_column(monkeypatch, method):
    monkeypatch.setattr(_held_out, "_MAX_ROWS", 100)
    labels = np.tile([1, 1, 2, 2], 50)
    labels[1:10:2] = 0
    predicted = labels.copy()
    predicted[0] = 0  # is sampled, and wrong
    values = predicted if method == "predict" else np.eye(3)[predicted]
    found = out_of_fold_report(LogisticRegression(), labels, values, method, deadline=math.inf)
    assert found.rows_used == 100
    assert found.metrics["cross_val_accuracy_score"] == 0.99
    assert len(found.notes) == 1


def test_a_column_too_few_is_a_note():
    found = out_of_fold_report(LogisticRegression(), y3, np.ones((200, 2)) / 2, "predict_proba", deadline=math.inf)
    assert (found.metrics, len(found.notes)) == ({}, 1)
