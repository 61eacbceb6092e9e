import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fitbook.autolog.sklearn import _predict
from fitbook.autolog.sklearn._predict import classify, codes_in, every, within_budget

CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=2),
    RandomForestClassifier(4, max_depth=3),
    ExtraTreesClassifier(4),
    BaggingClassifier(n_estimators=2),
    LogisticRegression(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    GridSearchCV(LogisticRegression(), {"C": [1e-9, 1]}, cv=2),
    LogisticRegression(C=1e-12),
    SGDClassifier(loss="log_loss"),
    SGDClassifier(loss="modified_huber"),
    MLPClassifier(4, max_iter=2000, tol=1e-2),
    LinearDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(),
    GaussianNB(),
    make_pipeline(MinMaxScaler(clip=True), MultinomialNB()),
    make_pipeline(MinMaxScaler(clip=True), ComplementNB()),
    BernoulliNB(),
    AdaBoostClassifier(n_estimators=5),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    CalibratedClassifierCV(GaussianNB(), cv=2),
    KNeighborsClassifier(4),
    KNeighborsClassifier(4, weights="distance"),
    LinearSVC(),
    RidgeClassifier(),
    SVC(),
]


@pytest.mark.filterwarnings("ignore:The SAMME.R algorithm")  # the default of older versions
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: repr(m).replace("\n", "")[:50])
def test_labels_are_those_of_predict(model, n_classes):
    X, y = make_classification(
        150, 6, n_informative=4, n_redundant=0, n_classes=n_classes, flip_y=0.3, random_state=n_classes
    )
    names = np.array(["c", "a", "b"])[y]
    model.fit(X, names)
    output = classify(model, X, n_classes)
    assert np.array_equal(model.classes_[codes_in(output.labels, model.classes_)], model.predict(X))


def test_one_pass_is_enough_for_logistic_regression(monkeypatch):
    X, y = make_classification(50, 4, random_state=0)
    model = LogisticRegression().fit(X, y)
    monkeypatch.setattr(LogisticRegression, "predict", None)
    assert classify(model, X, 2).proba.shape == (50, 2)


def test_ties_are_decided_by_predict():
    X = np.array([[-1.0], [1.0], [1e-20]])
    model = LogisticRegression().fit(X[:2], [0, 1])
    model.coef_[:], model.intercept_[:] = 1.0, 0.0  # the score 1e-20 is positive, its probability exactly one half
    assert codes_in(classify(model, X, 2).labels, model.classes_).tolist() == model.predict(X).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([3, 1, 3, 9, 0], [1, 3], [1, 0, 1, -1, -1]),
        ([1.0, 2.5], [1, 2], [0, -1]),
        (["b", "a", "z"], ["a", "b"], [1, 0, -1]),
        ([True, False], [False, True], [1, 0]),
        (pd.Series(["b", None], dtype="category"), ["a", "b"], [1, -1]),
        ([], [0, 1], []),
    ],
)
def test_codes(labels, classes, codes):
    assert codes_in(labels, np.asarray(classes)).tolist() == codes


@pytest.mark.parametrize(
    "data",
    [np.arange(20).reshape(10, 2), pd.DataFrame({"a": range(10)}, index=list("abcdefghij")), list(range(10))],
    ids=lambda d: type(d).__name__,
)
def test_every_third_row(data):
    taken = np.asarray(every(data, 3))
    assert taken.tolist() == np.asarray(data)[[0, 3, 6, 9]].tolist()
    assert every(data, 1) is data


def test_rows_of_a_sparse_matrix_stay_sparse():
    matrix = scipy.sparse.eye(9, format="csr")
    taken = every(matrix, 4)
    assert scipy.sparse.issparse(taken)
    assert taken.shape == (3, 9)
    assert every(None, 4) is None


class Clock:
    """Time that passes only when rows are predicted."""

    def __init__(self, fixed, per_row, warm_up=0.0):
        self.now, self.fixed, self.per_row, self.warm_up, self.calls = 0.0, fixed, per_row, warm_up, []

    def perf_counter(self):
        return self.now

    def call(self, rows):
        self.now += self.fixed + self.per_row * len(rows) + (0 if self.calls else self.warm_up)
        self.calls.append(len(rows))
        return len(rows)


@pytest.mark.parametrize(
    ("fixed", "per_row", "warm_up", "rows"),
    [
        (0.0, 1e-6, 0.0, 10_000),  # cheap: all rows
        (8e-3, 1e-6, 0.0, 10_000),  # mostly a fixed cost: found out on the way
        (0.0, 1e-4, 0.0, range(200, 1001)),  # dear: as many as fit
        (0.0, 1e-4, 30e-3, range(200, 1001)),  # dear, and the first call starts threads
        (0.0, 1e-2, 0.0, None),  # hopeless
    ],
)
def test_budget(monkeypatch, fixed, per_row, warm_up, rows):
    clock = Clock(fixed, per_row, warm_up)
    monkeypatch.setattr(_predict, "time", clock)
    found = within_budget(clock.call, list(range(10_000)), 10_000, seconds=0.1, per_row=0.0, quick=None)
    if rows is None:
        assert found is None
        assert clock.calls == [10]
    else:
        assert clock.now <= 0.1
        assert found[0] in ([rows] if isinstance(rows, int) else rows)
        assert found[0] == -(-10_000 // found[1])


def test_small_or_quick_is_called_once(monkeypatch):
    for n, quick in ((300, None), (10_000, 0.05)):
        clock = Clock(0.0, 1e-3)
        monkeypatch.setattr(_predict, "time", clock)
        assert within_budget(clock.call, list(range(n)), n, seconds=0.1, per_row=0.0, quick=quick) == (n, 1)
        assert clock.calls == [n]


def test_what_follows_counts_too(monkeypatch):
    clock = Clock(0.0, 1e-7)
    monkeypatch.setattr(_predict, "time", clock)
    rows, _ = within_budget(clock.call, list(range(10_000)), 10_000, seconds=0.1, per_row=1e-4, quick=0.0)
    assert rows <= 1000


def test_the_real_clock_is_monotonic():
    assert _predict.time is time


def test_a_call_that_costs_the_same_for_any_rows_is_made_for_all(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(_predict.time, "perf_counter", lambda: clock[0])

    def call(rows):
        clock[0] += 0.005
        return rows

    found = within_budget(call, np.zeros((569, 3)), 569, seconds=0.025, per_row=0.0, quick=None)
    assert found is not None
    assert (len(found[0]), found[1]) == (569, 1)
    assert clock[0] <= 0.025
