"""Sparse matrices and splines whose parts do not fit each other: compiled code would leave them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.interpolate import BSpline

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads

EYE = np.eye(4)


def twisted(made: Any, **changes: Any) -> bytes:
    vars(made).update(changes)
    return pickle.dumps(made, protocol=5)


@pytest.mark.parametrize("what", ["matrix", "array"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("csr", {"data": np.zeros((0, 4, 1)), "indptr": np.zeros(2, np.int32)}),
        ("csc", {"data": np.zeros((4, 1, 1))}),
        ("csr", {"indices": np.zeros((4, 1), np.int32)}),
        ("csr", {"indices": np.full(4, 4, np.int32)}),
        ("csr", {"indptr": np.arange(5.0)}),
        ("csr", {"_shape": (-4, 4)}),
        ("csr", {"_shape": (4,)}),
        ("bsr", {"data": np.ones((4, 3, 3))}),
        ("coo", {"coords": (np.full(4, 4), np.zeros(4, int))}),
        ("coo", {"coords": (np.zeros(3, int), np.zeros(4, int))}),
        ("coo", {"_shape": (1, 1)}),
        ("dia", {"offsets": np.zeros(9, np.int32)}),
        ("dia", {"offsets": np.zeros(2, np.int32), "data": np.ones((2, 4))}),
        ("dia", {"offsets": np.array([2**30], np.int32)}),
        ("dia", {"data": np.ones(4)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_matrix_whose_parts_do_not_fit_is_refused(kind: str, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(UntrustedModel, match="sparse matrix|no array"):
        loads(twisted(getattr(sparse, f"{kind}_{what}")(EYE), **changes), source="there")


def test_kinds_of_matrices_that_no_model_has_are_not_on_the_list() -> None:
    for kind in (sparse.lil_matrix, sparse.lil_array, sparse.dok_matrix):
        with pytest.raises(UntrustedModel, match=r"scipy\.sparse"):
            loads(pickle.dumps(kind(EYE)), source="there")


def test_a_spline_has_knots_and_coefficients_for_its_degree() -> None:
    def spline() -> Any:
        return BSpline(np.linspace(0, 1, 10), np.ones((6, 1)), 3)

    loaded: Any = loads(pickle.dumps(spline()), source="here")
    assert loaded(0.5) == spline()(0.5)
    prefix = "_" if "_t" in vars(spline()) else ""
    for changes in (
        {"k": 2**27},
        {"k": -1},
        {"axis": 5},
        {f"{prefix}t": np.linspace(0, 1, 1000)},
        {f"{prefix}c": np.ones((1, 1))},
        {f"{prefix}t": np.arange(10)},
        {"_asarray": np.sum},
    ):
        with pytest.raises(UntrustedModel, match="a spline"):
            loads(twisted(spline(), **changes), source="there")
