"""Neighbours and support vectors: compiled code walks from point to point, and along rows as long as it was told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fitbook.flavors._contents_sparse import shape_of
from fitbook.flavors._nodes import Items, Node
from fitbook.flavors._stand_ins import Arrays, need


def neighbour_tree(arrays: Arrays, node: Node) -> None:
    """Check the state of a KD tree or ball tree."""
    import numpy as np  # noqa: PLC0415

    need(isinstance(node.state, tuple) and len(node.state) >= 12, "a neighbour tree has another state than those have")
    data, order, nodes, bounds = (arrays.array(part) for part in node.state[:4])
    need(
        data.ndim == 2 and len(data) > 0 and order.shape == (len(data),),
        "a neighbour tree has another number of points",
    )
    need(int(order.min()) >= 0 and int(order.max()) < len(data), "a neighbour tree has indices that leave its points")
    begin, end, leaf = nodes["idx_start"], nodes["idx_end"], nodes["is_leaf"]
    need(
        bool(((begin >= 0) & (begin <= end) & (end <= len(data))).all()),
        "a neighbour tree has nodes that leave its points",
    )
    need(
        nodes.ndim == 1 and len(nodes) == arrays.integer(node.state[6]) > 0,
        "a neighbour tree has another number of nodes",
    )
    parents = np.flatnonzero(leaf == 0)
    need(not len(parents) or 2 * int(parents.max()) + 2 < len(nodes), "a neighbour tree has nodes without children")
    sides = 2 if "_kd_tree" in node.callee else 1
    need(bounds.shape == (sides, len(nodes), data.shape[1]), "a neighbour tree has other bounds than nodes")
    need(arrays.integer(node.state[4]) > 0, "a neighbour tree has leaves of no size")
    _measures(arrays, node.state[11], data.shape[1])
    if len(node.state) > 12 and node.state[12] is not None:
        need(arrays.shape(node.state[12]) == (len(data),), "a neighbour tree has other weights than points")


def distance(arrays: Arrays, node: Node) -> None:
    """Check the state of a distance: weights, or the inverse of a covariance."""
    need(isinstance(node.state, tuple) and len(node.state) == 3, "a distance has another state than those have")
    vector, matrix = arrays.array(node.state[1]), arrays.array(node.state[2])
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    need(vector.ndim == 1 and vector.dtype.kind == matrix.dtype.kind == "f" and square, "a distance has odd weights")


def _measures(arrays: Arrays, node: Any, dimensions: int) -> None:
    need(type(node) is Node and node.callee.endswith("_dist_metrics newObj"), "a neighbour tree has no distance")
    name = node.args[0]
    (weights,), (rows, _) = arrays.shape(node.state[1]), arrays.shape(node.state[2])
    need("SEuclidean" not in name or weights == dimensions, "a distance has other weights")
    need("Minkowski" not in name or weights in (0, dimensions), "a distance has other weights")
    need("Mahalanobis" not in name or rows == dimensions, "a distance has another matrix")


def _neighbours(arrays: Arrays, node: Node) -> None:
    """What is searched is as wide as what is asked for, and has a label for each row."""
    state = node.attributes()
    if b"_fit_X" not in state:
        return
    points = rows_and_columns(arrays, state[b"_fit_X"])
    need(arrays.integer(state.get(b"n_samples_fit_")) == points[0], "a model has other neighbours than it says")
    tree, known = state.get(b"_tree"), state.get(b"n_features_in_", points[1])
    need(points[1] == arrays.integer(known), "a model has neighbours of other features than it says")
    if tree is not None:
        need(type(tree) is Node and tree.callee.endswith("_tree newObj"), "a model has no tree of neighbours")
        need(arrays.shape(tree.state[0]) == points, "a model has another tree of neighbours")
    for name in (b"effective_metric_params_", b"metric_params"):
        options: Any = state.get(name)
        need(type(options) is Items or options is None, "a distance has other options than a dict")
        given = {} if options is None else options.as_dict()
        # They take the place of norms that it would compute, and are as many as it is told.
        need(not {b"X_norm_squared", b"Y_norm_squared"} & set(given), "a distance has norms of its own")
        if b"VI" in given:
            need(arrays.shape(given[b"VI"]) == (points[1], points[1]), "a distance has another matrix")
        _stays_finite(arrays, state, given)
    if b"classes_" in state and b"_y" in state and len(arrays.shape(state[b"_y"])) == 1:
        labels, classes = arrays.array(state[b"_y"]), arrays.shape(state[b"classes_"])
        need(labels.dtype.kind == "i" and len(labels) == points[0], "a classifier has labels that are none")
        need(
            int(labels.min()) >= 0 and int(labels.max()) < classes[0],
            "a classifier has labels that are no classes of it",
        )


def _stays_finite(arrays: Arrays, state: dict[bytes, Any], options: dict[bytes, Any]) -> None:
    # The nearest of points that are all infinitely far, or at no distance at all, is the one before the first.
    import numpy as np  # noqa: PLC0415

    metric, points = state.get(b"effective_metric_"), state[b"_fit_X"]
    if type(metric) is not bytes or metric in (b"precomputed", b"nan_euclidean"):
        return
    sparse = points.callee.startswith("scipy.sparse.")
    values = arrays.array(points.attributes().get(b"data") if sparse else points)
    need(values.dtype.kind in "iufb", "a model has neighbours that are no points")
    reach = float(np.abs(values).max(initial=1))
    scale = 1.0
    for name, least in ((b"w", 0.0), (b"V", 1e-300)):
        if options.get(name) is not None and metric != b"mahalanobis":
            weights = arrays.array(options[name])
            need(weights.dtype.kind in "iuf" and bool((weights >= least).all()), "a distance has odd weights")
            scale = max(scale, float(weights.max(initial=1)), 1 / float(weights.min(initial=1)) if least else 1.0)
    power = arrays.number(options.get(b"p", 2))
    stays = math.isfinite(reach) and power > 0 and power * math.log10(2 * reach) + math.log10(scale) < _LARGEST
    need(stays, "a distance is larger than any number")


_LARGEST = 300  # decimal places of a float


def rows_and_columns(arrays: Arrays, node: Any) -> tuple[int, ...]:
    """The shape of a matrix, sparse or not; raises `Refused` if it is none."""
    sparse = type(node) is Node and node.callee.startswith("scipy.sparse.")
    shape = shape_of(arrays, node) if sparse else arrays.shape(node)
    need(len(shape) == 2, "there is no matrix where one belongs")
    return shape


# -- support vectors -------------------------------------------------------------------------------------------------


def _support_vectors(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"support_vectors_" not in state:
        return
    counts = arrays.array(state.get(b"_n_support"))
    classifies = node.callee.endswith("SVC")
    need(
        counts.ndim == 1 and len(counts) and int(counts.min()) >= 0, "a model has a negative number of support vectors"
    )
    need(classifies or len(counts) == 2, "a model has another number of classes than it says")
    classes = len(counts) if classifies else 2
    places, seen = arrays.array(state[b"support_"]), state[b"shape_fit_"]
    # Of other models libsvm does not read the counts; scikit-learn 1.5 has wrong ones with sparse data.
    total = int(counts.sum()) if classifies else places.size
    need(places.shape == (total,), "a model has another number of support vectors than it says")
    need(isinstance(seen, tuple) and (not total or int(places.min()) >= 0), "a model has support vectors from nowhere")
    need(not total or int(places.max()) < arrays.integer(seen[0]), "a model has support vectors from nowhere")
    _vectors(arrays, state, classes, total)
    pairs = classes * (classes - 1) // 2
    need(arrays.shape(state.get(b"_intercept_")) == (pairs,), "a model has another number of intercepts than it says")
    probabilities = {arrays.shape(state.get(name)) for name in (b"_probA", b"_probB")}
    asked = {state.get(name) for name in (b"_effective_probability", b"probability")} - {None, False, b"deprecated"}
    given = {(0,), (pairs,)} if not asked else {(pairs,)}  # libsvm reads them, if it is told that it has them
    need(len(probabilities) == 1 and probabilities <= given, "a model has another number of probabilities")


def _vectors(arrays: Arrays, state: dict[bytes, Any], classes: int, total: int) -> None:
    vectors, weights, kernel = state[b"support_vectors_"], state[b"_dual_coef_"], state[b"kernel"]
    shape = rows_and_columns(arrays, vectors)
    sparse = vectors.callee.startswith("scipy.")
    # A kernel that is a function, or computed before, is given for all rows that were there.
    given = type(kernel) is not bytes or kernel == b"precomputed"
    need(not sparse or not given, "a model has another kernel than support vectors")
    known = shape == (0, 0) if given else shape == (total, arrays.integer(state.get(b"n_features_in_")))
    need(known, "a model has other support vectors than it says")
    need(rows_and_columns(arrays, weights) == (classes - 1, total), "a model has other weights than support vectors")
    if sparse:  # libsvm reads the values of the weights as if none was left out
        rows = all(part.callee.startswith("scipy.sparse._csr ") for part in (vectors, weights))
        full = rows and arrays.shape(weights.attributes().get(b"data")) == ((classes - 1) * total,)
        need(full, "a model has fewer weights than support vectors")


NEIGHBOURS: dict[str, Callable[[Arrays, Node], None]] = {
    **{
        f"sklearn.neighbors.{name}": _neighbours
        for name in (
            *("_classification KNeighborsClassifier", "_classification RadiusNeighborsClassifier"),
            *("_regression KNeighborsRegressor", "_regression RadiusNeighborsRegressor"),
            *("_graph KNeighborsTransformer", "_graph RadiusNeighborsTransformer"),
            *("_lof LocalOutlierFactor", "_unsupervised NearestNeighbors"),
        )
    },
    **{f"sklearn.svm._classes {kind}": _support_vectors for kind in ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM")},
}
