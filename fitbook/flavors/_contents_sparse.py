"""SciPy's sparse matrices and splines, whose compiled code asks nobody whether an index is inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fitbook.flavors._nodes import Node
from fitbook.flavors._stand_ins import Arrays, need


def compressed(arrays: Arrays, node: Node) -> None:
    """A matrix of compressed rows, columns or blocks."""
    state = node.attributes()
    rows, columns = shape_of(arrays, node)
    indices, pointers = _indices(arrays, state.get(b"indices")), _indices(arrays, state.get(b"indptr"))
    data = arrays.array(state.get(b"data"))
    block = data.shape[1:]
    if " bsr_" in node.callee:
        need(
            len(block) == 2 and all(block) and not rows % block[0] and not columns % block[1],
            "a sparse matrix has odd blocks",
        )
        rows, columns = rows // block[0], columns // block[1]
    else:
        need(not block, "a sparse matrix has data of several dimensions")
    if " csc_" in node.callee:
        rows, columns = columns, rows
    need(len(pointers) == rows + 1, "a sparse matrix has not a pointer for each of its rows")
    need(
        int(pointers[0]) == 0 and bool((pointers[1:] >= pointers[:-1]).all()),
        "a sparse matrix has pointers that go back",
    )
    need(int(pointers[-1]) <= min(len(indices), len(data)), "a sparse matrix has pointers that leave its data")
    need(_inside(indices, columns), "a sparse matrix has indices that leave it")


def coordinates(arrays: Arrays, node: Node) -> None:
    """A matrix of coordinates, as `coords` or, in older versions of SciPy, `row` and `col`."""
    state = node.attributes()
    shape = shape_of(arrays, node)
    older = (state.get(b"row"), state.get(b"col"))
    values = arrays.array(state.get(b"data")).shape
    for coords in (
        (older,) if b"coords" not in state else (state[b"coords"], older) if any(older) else (state[b"coords"],)
    ):
        need(isinstance(coords, tuple) and len(coords) == len(shape), "a sparse matrix has other coordinates")
        for places, size in zip(coords, shape, strict=True):
            found = _indices(arrays, places)
            need(_inside(found, size), "a sparse matrix has coordinates that leave it")
            need(found.shape == values, "a sparse matrix has another number of values")


def diagonals(arrays: Arrays, node: Node) -> None:
    """A matrix of diagonals."""
    state = node.attributes()
    rows, columns = shape_of(arrays, node)
    offsets, data = _indices(arrays, state.get(b"offsets")), arrays.shape(state.get(b"data"))
    need(len(data) == 2 and data[0] == len(offsets), "a sparse matrix has other diagonals than it says")
    need(len(set(offsets.tolist())) == len(offsets), "a sparse matrix has a diagonal twice")
    need(_inside(offsets + rows, rows + columns + 1), "a sparse matrix has diagonals that leave it")


def shape_of(arrays: Arrays, node: Node) -> tuple[int, ...]:
    """Rows and columns of a sparse matrix.

    Raises
    ------
    Refused
        It is none, or has none.
    """
    need(node.callee.startswith("scipy.sparse."), "there is no sparse matrix where one belongs")
    shape = node.attributes().get(b"_shape")
    shape = tuple(arrays.integer(size) for size in shape) if isinstance(shape, tuple) else ()
    need(len(shape) in (1, 2) and min(shape) >= 0 and math.prod(shape) < 2**62, "a sparse matrix has no shape")
    return shape if len(shape) == 2 or " coo_" in node.callee else (1, *shape)


def _indices(arrays: Arrays, node: Any) -> Any:
    found = arrays.array(node)
    need(found.dtype.kind == "i" and found.ndim == 1, "a sparse matrix has indices that are no numbers")
    return found


def _inside(values: Any, size: int) -> bool:
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < size)


def spline(arrays: Arrays, node: Node) -> None:
    """A spline has enough knots and coefficients for its degree."""
    state = node.attributes()
    degree, axis = arrays.integer(state.get(b"k")), arrays.integer(state.get(b"axis"))
    names = [(b"_t", b"_c"), (b"t", b"c")]  # of SciPy 1.17, and before
    for t, c in names if b"_t" in state and b"t" in state else names[:1] if b"_t" in state else names[1:]:
        knots, coefficients = arrays.array(state.get(t)), arrays.array(state.get(c))
        wanted = len(knots) - degree - 1
        need(knots.ndim == 1 and knots.dtype.kind == "f" and coefficients.dtype.kind in "fc", "a spline has odd knots")
        need(0 <= degree < wanted and 0 <= axis < coefficients.ndim, "a spline has too few knots")
        need(coefficients.shape[0] >= wanted, "a spline has too few coefficients")
    need(state.get(b"_asarray", _ASARRAY) == _ASARRAY, "a spline makes its arrays itself")


_ASARRAY = "scipy._lib.array_api_compat.numpy._aliases asarray"

CHECKS: dict[str, Callable[[Arrays, Node], None]] = {
    "scipy.interpolate._bsplines BSpline": spline,
    **{
        f"scipy.sparse._{kind} {kind}_{what}": check
        for what in ("matrix", "array")
        for kind, check in (
            *(("csr", compressed), ("csc", compressed), ("bsr", compressed)),
            *(("coo", coordinates), ("dia", diagonals)),
        )
    },
}
