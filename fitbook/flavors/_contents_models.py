"""Models that predict by compiled code: trees, neighbour trees and support vectors, and the estimators that ask them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fitbook.flavors._lightgbm_text import check_lightgbm
from fitbook.flavors._nodes import Node
from fitbook.flavors._stand_ins import Arrays, need, text
from fitbook.flavors._xgboost_trees import check_xgboost

_TREE = "sklearn.tree._tree Tree"
_LEAF = -1
_Outputs = dict[tuple[bytes, str], tuple[int, int, int]]


def check_trees(arrays: Arrays, trees: list[Node]) -> None:
    """All decision trees at once, for a forest has hundreds.

    Each node is the child of one node before it, asks for a feature that there is, and none is deeper than its tree says:
    then a prediction comes to an end, and stays in its arrays.
    """
    import numpy as np  # noqa: PLC0415

    if not trees:
        return
    sizes: _Outputs = {}
    described = [_tree(arrays, tree, sizes) for tree in trees]
    kind = described[0][0].dtype
    need({"left_child", "right_child", "feature"} <= set(kind.names or ()), "a tree has odd nodes")
    need(all(nodes.dtype is kind or nodes.dtype == kind for nodes, _, _ in described), "a tree has odd nodes")
    counts = np.array([len(nodes) for nodes, _, _ in described])
    nodes = np.frombuffer(b"".join([nodes for nodes, _, _ in described]), kind)
    owner = np.repeat(np.arange(len(trees)), counts)
    first = (np.cumsum(counts) - counts)[owner]
    left, right, asked = (np.ascontiguousarray(nodes[name]) for name in ("left_child", "right_child", "feature"))
    inner = np.flatnonzero((left != _LEAF) | (right != _LEAF))
    features = np.array([count for _, count, _ in described])[owner]
    asked = asked[inner]
    need(bool(((asked >= 0) & (asked < features[inner])).all()), "a tree asks for a feature that there is not")
    below = np.concatenate([left[inner], right[inner]])
    parents = np.concatenate([inner, inner])
    need(bool((below > parents - first[parents]).all()), "a tree has a node whose child comes before it")
    need(bool((below < counts[owner[parents]]).all()), "a tree has a node whose child is not there")
    below = below + first[parents]
    need(not len(below) or int(np.bincount(below).max()) == 1, "a tree has a node with two parents")
    need(
        bool((_depths(left, right, first, owner, counts) <= [depth for _, _, depth in described]).all()),
        "a tree is too deep",
    )


def _tree(arrays: Arrays, tree: Node, known: _Outputs) -> tuple[Any, int, int]:
    """Nodes, number of features, and depth of one tree."""
    state = tree.attributes()
    nodes, values = arrays.array(state.get(b"nodes")), state.get(b"values")
    classes = arrays.array(tree.args[1])
    content = classes.tobytes(), classes.dtype.str
    if content not in known:  # the trees of a forest have the same
        known[content] = len(classes), int(classes.min()), int(classes.max())
    outputs, fewest, most = known[content]
    need(
        outputs == arrays.integer(tree.args[2]) > 0 and fewest > 0, "a tree has another number of outputs than it says"
    )
    count = arrays.integer(state.get(b"node_count"))
    need(nodes.shape == (count,) and count > 0, "a tree has another number of nodes")
    need(arrays.shape(values) == (count, outputs, most), "a tree has another number of values")
    return nodes, arrays.integer(tree.args[0]), arrays.integer(state.get(b"max_depth"))


def _depths(left: Any, right: Any, first: Any, owner: Any, counts: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    depths = np.zeros(len(counts), dtype=np.int64)
    level, depth = np.cumsum(counts) - counts, 0
    while len(level):
        depths[owner[level]] = depth
        level = level[left[level] != _LEAF]
        level = np.concatenate([left[level] + first[level], right[level] + first[level]])
        depth += 1
    return depths


def _tree_estimator(arrays: Arrays, node: Node) -> None:
    _as_many_features(arrays, node.attributes(), [node.attributes().get(b"tree_")])


def _forest(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    parts = _members(state.get(b"estimators_"))
    trees: list[Any] = [part.attributes().get(b"tree_") for part in parts]
    chosen = state.get(b"estimators_features_")
    if isinstance(chosen, list) and node.callee.endswith(" IsolationForest"):
        need(len(chosen) == len(trees), "a forest has other features than trees")
        for tree, features in zip(trees, chosen, strict=True):
            need(
                len(arrays.array(features)) == arrays.integer(tree.args[0]),
                "a forest has other features than its trees",
            )
    _as_many_features(arrays, state, trees)
    if b"n_trees_per_iteration_" in state:  # gradient boosting adds up without looking whether there is room
        columns = arrays.shape(state[b"estimators_"])[1:]
        need(
            columns == (arrays.integer(state[b"n_trees_per_iteration_"]),),
            "a model has another number of trees than it says",
        )
        need(all(arrays.integer(tree.args[2]) == 1 for tree in trees), "a model has trees of several outputs")


def _members(value: Any) -> list[Node]:
    if type(value) is Node and isinstance(value.state, tuple) and len(value.state) == 5:
        value = value.state[4]
    return [part for part in value if type(part) is Node] if isinstance(value, list) else []


def _as_many_features(arrays: Arrays, state: dict[bytes, Any], trees: list[Any]) -> None:
    for tree in trees:
        if type(tree) is Node and tree.callee == _TREE:
            known = arrays.integer(state.get(b"n_features_in_"))
            need(arrays.integer(tree.args[0]) <= known, "an estimator takes fewer features than its trees ask for")


# -- histogram gradient boosting -------------------------------------------------------------------------------------


def _predictor(arrays: Arrays, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    state = node.attributes()
    nodes = arrays.array(state.get(b"nodes"))
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    need(len(nodes) > 0, "a tree has no nodes")
    for child in (nodes["left"][inner], nodes["right"][inner]):
        need(bool(((child > inner) & (child < len(nodes))).all()), "a tree has a node whose child is not there")
    chosen = inner[nodes["is_categorical"][inner] != 0]
    sets = arrays.shape(state.get(b"raw_left_cat_bitsets"))
    need(
        not len(chosen) or int(nodes["bitset_idx"][chosen].max()) < sets[0],
        "a tree asks for categories that are not there",
    )


def _histogram_boosting(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    stages = state.get(b"_predictors")
    for stage in stages if isinstance(stages, list) else []:
        for tree in _members(stage):
            nodes = arrays.array(tree.attributes().get(b"nodes"))
            asked = nodes["feature_idx"]
            known = arrays.integer(state.get(b"n_features_in_"))
            need(int(asked.min()) >= 0 and int(asked.max()) < known, "a tree asks for a feature that there is not")
            categorical = nodes["is_categorical"] != 0
            if categorical.any():
                mapper = state.get(b"_bin_mapper")
                flags = arrays.array(mapper.attributes().get(b"is_categorical") if type(mapper) is Node else None)
                need(
                    len(flags) == known and bool(flags[asked[categorical]].all()),
                    "a tree takes a number for a category",
                )


# -- neighbours ------------------------------------------------------------------------------------------------------


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
    _distance(arrays, node.state[11], data.shape[1])
    if len(node.state) > 12 and node.state[12] is not None:
        need(arrays.shape(node.state[12]) == (len(data),), "a neighbour tree has other weights than points")


def _distance(arrays: Arrays, metric: Any, dimensions: int) -> None:
    need(type(metric) is Node and metric.callee.endswith(" newObj"), "a neighbour tree has no distance")
    need(isinstance(metric.state, tuple) and len(metric.state) >= 3, "a distance has another state than those have")
    name = str(metric.args[0])
    vector, matrix = arrays.array(metric.state[1]), arrays.array(metric.state[2])
    need(
        vector.shape == (dimensions,) or ("SEuclidean" not in name and vector.size <= 1), "a distance has other weights"
    )
    need(matrix.shape == (dimensions, dimensions) or "Mahalanobis" not in name, "a distance has another matrix")


def _neighbour_classes(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    labels = state.get(b"_y")
    if labels is not None and len(arrays.shape(labels)) == 1:
        found, classes = arrays.array(labels), arrays.shape(state.get(b"classes_"))
        need(found.dtype.kind == "i" and len(found) and int(found.min()) >= 0, "a classifier has labels that are none")
        need(int(found.max()) < classes[0], "a classifier has labels that are no classes of it")


# -- support vectors -------------------------------------------------------------------------------------------------


def _support_vectors(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"support_vectors_" not in state:
        return
    counts = arrays.array(state.get(b"_n_support"))
    classifies = node.callee.endswith("SVC")
    total = int(counts.sum()) if classifies else int(counts[0])
    need(counts.ndim == 1 and int(counts.min()) >= 0, "a model has a negative number of support vectors")
    need(arrays.shape(state.get(b"support_")) == (total,), "a model has another number of support vectors than it says")
    vectors = state[b"support_vectors_"]
    known = arrays.integer(state.get(b"n_features_in_"))
    if vectors.callee.startswith("scipy."):
        shape = tuple(arrays.integer(size) for size in vectors.attributes()[b"_shape"])
        weights = tuple(arrays.integer(size) for size in state[b"_dual_coef_"].attributes()[b"_shape"])
    else:
        shape, weights = arrays.shape(vectors), arrays.shape(state.get(b"_dual_coef_"))
    precomputed = state.get(b"kernel") == b"precomputed"
    need(shape == (0, 0) if precomputed else shape == (total, known), "a model has other support vectors than it says")
    classes = len(counts) if classifies else 2
    need(weights == (classes - 1, total), "a model has other weights than support vectors")
    pairs = classes * (classes - 1) // 2
    need(arrays.shape(state.get(b"_intercept_")) == (pairs,), "a model has another number of intercepts than it says")
    for name in (b"_probA", b"_probB"):
        need(arrays.shape(state.get(name)) in ((0,), (pairs,), (1,)), "a model has another number of probabilities")


def _lightgbm(arrays: Arrays, node: Node) -> None:
    del arrays
    if node.attributes().get(b"handle") is not None:
        check_lightgbm(text(node.attributes()[b"handle"]))


def _xgboost(arrays: Arrays, node: Node) -> None:
    content = node.attributes().get(b"handle")
    if type(content) is Node and content.callee == "builtins bytearray" and content.args:
        content = content.args[0]
    need(content is None or type(content) is slice, "a booster is made of what is no model")
    if content is not None:
        check_xgboost(bytes(arrays.raw(content)))


_Check = Callable[[Arrays, Node], None]

AT_THE_END: dict[str, _Check] = {
    "sklearn.ensemble._hist_gradient_boosting.predictor TreePredictor": _predictor,
    **{
        f"sklearn.tree._classes {kind}": _tree_estimator
        for kind in ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
    },
    **{
        f"sklearn.ensemble._forest {kind}": _forest
        for kind in (
            "RandomForestClassifier",
            "RandomForestRegressor",
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
            "RandomTreesEmbedding",
        )
    },
    "lightgbm.basic Booster": _lightgbm,
    "xgboost.core Booster": _xgboost,
    "sklearn.ensemble._iforest IsolationForest": _forest,
    **{f"sklearn.ensemble._gb GradientBoosting{kind}": _forest for kind in ("Classifier", "Regressor")},
    **{
        f"sklearn.ensemble._hist_gradient_boosting.gradient_boosting HistGradientBoosting{kind}": _histogram_boosting
        for kind in ("Classifier", "Regressor")
    },
    "sklearn.neighbors._classification KNeighborsClassifier": _neighbour_classes,
    "sklearn.neighbors._classification RadiusNeighborsClassifier": _neighbour_classes,
    **{f"sklearn.svm._classes {kind}": _support_vectors for kind in ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM")},
}
