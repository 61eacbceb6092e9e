from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Ridge

from fitbook.autolog.sklearn._call import FitCall, fit_call, head

X, Y, W = object(), object(), object()


@pytest.mark.parametrize(
    ("args", "kwargs", "wanted"),
    [
        ((X, Y), {}, FitCall(X, Y, None)),
        ((X, Y, W), {}, FitCall(X, Y, W)),
        ((X,), {"y": Y, "sample_weight": W}, FitCall(X, Y, W)),
        ((), {"y": Y, "X": X}, FitCall(X, Y, None)),
        ((X,), {}, FitCall(X, None, None)),
        ((), {}, FitCall(None, None, None)),
        ((X, Y, W, 1, 2), {"nonsense": 3}, FitCall(X, Y, W)),
    ],
)
def test_what_fit_is_given_is_found_however_it_is_given(args: Any, kwargs: Any, wanted: FitCall) -> None:
    assert fit_call(Ridge.fit, args, kwargs) == wanted


def test_methods_that_call_things_otherwise() -> None:
    def fit(self: Any, data: Any, target: Any) -> None: ...

    def nothing_known(self: Any, first: Any, *rest: Any) -> None: ...

    assert fit_call(fit, (X, Y), {}) == FitCall(X, Y, None)
    assert fit_call(nothing_known, (X, Y), {}) == FitCall(X, None, None)
    assert fit_call(CountVectorizer.fit, (), {"raw_documents": X}) == FitCall(X, None, None)
    assert fit_call(KMeans.fit, (X, None, W), {}) == FitCall(X, None, W)


def test_a_callable_without_signature_is_no_problem() -> None:
    class Odd:
        __signature__ = "not one"

        def __call__(self) -> None: ...

    assert fit_call(Odd(), (X,), {}) == FitCall(X, None, None)


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        pd.DataFrame,
        scipy.sparse.csr_array,
        lambda rows: rows,
        lambda rows: tuple(map(tuple, rows)),
    ],
)
def test_the_head_is_the_first_rows(make: Callable[[Any], Any]) -> None:
    first = head(make([[n, n] for n in range(9)]), 3)
    dense = first.toarray() if hasattr(first, "toarray") else first
    assert np.asarray(dense).tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize(
    "data", [None, 3, iter([1, 2]), {"a": 1}, np.array(4), scipy.sparse.coo_matrix([[1], [2]])], ids=type
)
def test_what_can_t_be_sliced_has_no_head(data: Any) -> None:
    assert head(data, 3) is None


def test_taking_the_head_copies_nothing_and_consumes_nothing() -> None:
    array = np.zeros((9, 2))
    assert np.shares_memory(head(array, 3), array)
    rows = iter([[1], [2]])
    head(rows, 1)
    assert list(rows) == [[1], [2]]
