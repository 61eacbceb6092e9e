"""Recording a fit copies no data: what it takes beyond the fit itself, at its peak."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.tree import DecisionTreeClassifier

import fitbook


def peak(model: Any, X: Any, y: Any) -> int:
    fitbook.flush()
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def more(model: Any, X: Any, y: Any) -> int:
    """Bytes that a fit with autologging needs beyond one without, everything being loaded and all rows being predicted."""
    plain = peak(model, X, y)
    fitbook.autolog(log_plots=False, budget_ms=None)
    model.fit(X[:500], y[:500])
    with_it = peak(model, X, y)
    assert "training_accuracy_score" in fitbook.last_active_run().data.metrics or isinstance(model, Ridge)
    return with_it - plain


@pytest.fixture(scope="module")
def y() -> Any:
    return np.arange(100_000) % 2


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(tol=1.0), Ridge(), DecisionTreeClassifier(max_depth=2), DummyClassifier()],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_20_mb(model: Any, order: Any, y: Any) -> None:
    X = np.asarray(np.random.default_rng(0).normal(size=(100_000, 25)), order=order)
    assert more(model, X, y) <= 0.3 * X.nbytes


def test_200_mb(y: Any) -> None:
    X = np.zeros((100_000, 250))
    X[:, 7] = y
    assert more(DummyClassifier(), X, y) <= 0.02 * X.nbytes


def test_sparse_stays_sparse() -> None:
    rng = np.random.default_rng(0)
    where = rng.integers(0, 20_000, 200_000), rng.integers(0, 5_000, 200_000)
    X = scipy.sparse.csr_matrix((rng.normal(size=200_000), where), shape=(20_000, 5_000))
    dense = X.shape[0] * X.shape[1] * 8
    assert more(SGDClassifier(max_iter=2, tol=None), X, np.arange(20_000) % 2) < 0.01 * dense
