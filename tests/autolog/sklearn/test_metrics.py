"""Every value is compared with `sklearn.metrics`'."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as truth

from fitbook.autolog.sklearn import _metrics as ours

close = {"rel": 1e-12, "abs": 1e-12}


@st.composite
def labelled(draw, max_classes=5):
    """True and predicted codes, probabilities with ties, and perhaps weights, of which some are zero."""
    k = draw(st.integers(2, max_classes))
    n = draw(st.integers(1, 40))
    codes = hnp.arrays(np.intp, n, elements=st.integers(0, k - 1))
    raw = draw(hnp.arrays(np.float64, (n, k), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 3.0]))) + 1e-3
    weight = hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.5, 1.0, 2.25]))
    return draw(codes), draw(codes), raw / raw.sum(axis=1, keepdims=True), draw(st.none() | weight), k


def sklearns(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@given(labelled())
@settings(max_examples=150, deadline=None)
def test_label_scores(case):
    true, predicted, _, weights, k = case
    notes = []
    found = ours.label_scores(ours.confusion(true, predicted, k, weights), None, notes)
    if weights is not None and weights.sum() == 0:
        assert found == {}
        assert notes
        return
    for name in ("precision_score", "recall_score", "f1_score"):
        expected = sklearns(getattr(truth, name), true, predicted, average="weighted", sample_weight=weights)
        assert found[name] == pytest.approx(expected, **close)
    expected = truth.accuracy_score(true, predicted, sample_weight=weights)
    assert found["accuracy_score"] == pytest.approx(expected, **close)
    expected = sklearns(truth.confusion_matrix, true, predicted, labels=range(k), sample_weight=weights)
    assert np.allclose(ours.confusion(true, predicted, k, weights), expected)


@given(labelled(max_classes=2), st.integers(0, 1))
@settings(max_examples=100, deadline=None)
def test_label_scores_of_a_positive_class(case, positive):
    true, predicted, _, weights, _ = case
    if weights is not None and weights.sum() == 0:
        return
    found = ours.label_scores(ours.confusion(true, predicted, 2, weights), positive, [])
    for name in ("precision_score", "recall_score", "f1_score"):
        options = {"labels": [positive], "average": "micro", "sample_weight": weights}
        assert found[name] == pytest.approx(sklearns(getattr(truth, name), true, predicted, **options), **close)


@given(labelled())
@settings(max_examples=100, deadline=None)
def test_log_loss(case):
    true, _, proba, weights, k = case
    found = ours.log_loss(true, proba, weights, [])
    if weights is not None and weights.sum() == 0:
        assert found == {}
        return
    expected = sklearns(truth.log_loss, true, proba, labels=range(k), sample_weight=weights)
    assert found["log_loss"] == pytest.approx(expected, **close)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_loss_of_certainty_is_clipped(dtype):
    proba = np.array([[1, 0], [0, 1], [1, 0]], dtype=dtype)
    true = np.array([0, 1, 1])
    expected = truth.log_loss(true, proba)
    assert ours.log_loss(true, proba, None, [])["log_loss"] == pytest.approx(expected, rel=1e-6)


@given(labelled())
@settings(max_examples=150, deadline=None)
def test_roc_auc_of_several_classes(case):
    true, _, proba, weights, k = case
    notes = []
    found = ours.roc_auc(true, proba, weights, notes)
    if weights is not None or len(set(true.tolist())) < 2:
        assert found == {}
        assert notes
    elif k > 2:
        options = {"labels": range(k), "multi_class": "ovo", "average": "weighted"}
        assert found["roc_auc"] == pytest.approx(truth.roc_auc_score(true, proba, **options), **close)


@given(labelled(max_classes=2))
@settings(max_examples=150, deadline=None)
def test_binary_curves(case):
    true, _, proba, weights, _ = case
    notes = []
    positive, score = true == 1, proba[:, 1]
    found, curves = ours.binary_curves(positive, score, weights, notes)
    counted = true if weights is None else true[weights > 0]
    if len(set(counted.tolist())) < 2:
        assert (found, curves) == ({}, {})
        assert notes
        return
    assert found["roc_auc"] == pytest.approx(truth.roc_auc_score(true, score, sample_weight=weights), **close)
    expected = truth.average_precision_score(true, score, sample_weight=weights)
    assert found["average_precision_score"] == pytest.approx(expected, **close)
    for kind, function in (("roc_curve", truth.roc_curve), ("precision_recall_curve", truth.precision_recall_curve)):
        expected = function(true, score, sample_weight=weights)
        columns = list(curves[kind].columns.values())
        for ours_, theirs in zip(columns, expected, strict=True):
            assert np.allclose(np.asarray(ours_)[: len(theirs)], theirs, rtol=1e-12)


numbers = st.floats(-1e6, 1e6)


@st.composite
def measured(draw):
    shape = draw(st.sampled_from([(1,), (2,), (9,), (30,), (7, 2), (12, 3)]))
    true = draw(hnp.arrays(np.float64, shape, elements=numbers))
    predicted = draw(hnp.arrays(np.float64, shape, elements=numbers))
    if draw(st.booleans()):
        true = np.full(shape, draw(st.sampled_from([0.1, 0.0, 7.3])))
    weight = hnp.arrays(np.float64, shape[0], elements=st.sampled_from([0.5, 1.0, 3.0]))
    return true, predicted, draw(st.none() | weight)


@given(measured())
@settings(max_examples=150, deadline=None)
def test_regression_scores(case):
    true, predicted, weights = case
    found = ours.regression_scores(true, predicted, weights, [])
    mse = truth.mean_squared_error(true, predicted, sample_weight=weights)
    assert found["mean_squared_error"] == pytest.approx(mse, **close)
    assert found["root_mean_squared_error"] == pytest.approx(mse**0.5, **close)
    expected = truth.mean_absolute_error(true, predicted, sample_weight=weights)
    assert found["mean_absolute_error"] == pytest.approx(expected, **close)
    if len(true) < 2:
        assert "r2_score" not in found
    elif weights is None or np.ptp(true) > 0:  # else scikit-learn's own rounding of a constant decides
        expected = truth.r2_score(true, predicted, sample_weight=weights)
        assert found["r2_score"] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    if true.ndim == 2:
        each = truth.mean_squared_error(true, predicted, sample_weight=weights, multioutput="raw_values")
        assert [found[f"mean_squared_error_output{i}"] for i in range(true.shape[1])] == pytest.approx(each, **close)


def test_regression_with_nan_is_a_note():
    notes = []
    assert ours.regression_scores(np.array([1.0, np.nan]), np.zeros(2), None, notes) == {}
    assert "NaN" in notes[0]


@given(hnp.arrays(bool, (12, 3)), hnp.arrays(bool, (12, 3)))
@settings(deadline=None)
def test_multilabel_scores(true, predicted):
    found = ours.multilabel_scores(true, predicted, None, notes := [])
    if not true.any():
        assert notes
        return
    for name in ("precision_score", "recall_score", "f1_score"):
        expected = sklearns(getattr(truth, name), true, predicted, average="weighted")
        assert found[name] == pytest.approx(expected, **close)
    assert found["accuracy_score"] == pytest.approx(truth.accuracy_score(true, predicted), **close)


def test_curves_are_thinned_and_say_so():
    rng = np.random.default_rng(0)
    score = rng.normal(size=5000)
    notes = []
    _, curves = ours.binary_curves(rng.random(5000) < 0.5, score, None, notes)
    for kind in ("roc_curve", "precision_recall_curve"):
        assert len(curves[kind]) == 1000
        assert any(kind in note and "1,000 of" in note for note in notes)
    ends = [(curves["roc_curve"].columns[c][0], curves["roc_curve"].columns[c][-1]) for c in ("fpr", "tpr")]
    assert ends == [(0.0, 1.0)] * 2


def test_confusion_table_lists_all_cells_of_a_small_matrix_only():
    assert len(ours.confusion_table(np.zeros((3, 3), dtype=int), list("abc"))) == 9
    large = np.zeros((50, 50), dtype=int)
    large[3, 7] = 2
    table = ours.confusion_table(large, list(range(50)))
    assert len(table) == 51
    assert (3, 7, 2) in set(zip(*table.columns.values(), strict=True))


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.1])
def test_probabilities_that_are_none_are_a_note(bad):
    proba = np.array([[0.5, 0.5], [bad, 0.5]])
    notes = []
    assert ours.log_loss(np.array([0, 1]), proba, None, notes) == {}
    assert notes
