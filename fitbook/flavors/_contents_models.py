"""Trees, and the estimators that ask them: compiled code goes from node to node without looking where it leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fitbook.flavors._nodes import Node
from fitbook.flavors._stand_ins import Arrays, need

TREE = "sklearn.tree._tree Tree"
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
    arrays.spend(sum(size for *_, size in described))
    kind = described[0][0].dtype
    need({"left_child", "right_child", "feature"} <= set(kind.names or ()), "a tree has odd nodes")
    need(all(nodes.dtype is kind or nodes.dtype == kind for nodes, *_ in described), "a tree has odd nodes")
    counts = np.array([len(nodes) for nodes, *_ in described])
    nodes = np.frombuffer(b"".join([nodes for nodes, *_ in described]), kind)
    owner = np.repeat(np.arange(len(trees)), counts)
    first = (np.cumsum(counts) - counts)[owner]
    left, right, asked = (np.ascontiguousarray(nodes[name]) for name in ("left_child", "right_child", "feature"))
    inner = np.flatnonzero((left != _LEAF) | (right != _LEAF))
    features = np.array([count for _, count, *_ in described])[owner]
    asked = asked[inner]
    need(bool(((asked >= 0) & (asked < features[inner])).all()), "a tree asks for a feature that there is not")
    below = np.concatenate([left[inner], right[inner]])
    parents = np.concatenate([inner, inner])
    need(bool((below > parents - first[parents]).all()), "a tree has a node whose child comes before it")
    need(bool((below < counts[owner[parents]]).all()), "a tree has a node whose child is not there")
    below = below + first[parents]
    need(not len(below) or int(np.bincount(below).max()) == 1, "a tree has a node with two parents")
    need(
        bool((_depths(left, right, first, owner, counts) <= [depth for _, _, depth, _ in described]).all()),
        "a tree is too deep",
    )


def _tree(arrays: Arrays, tree: Node, known: _Outputs) -> tuple[Any, int, int, int]:
    """Nodes, number of features, depth, and bytes of one tree."""
    need(len(tree.args) == 3, "a tree is made in an odd way")
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
    size = nodes.nbytes + 8 * count * outputs * most
    return nodes, arrays.integer(tree.args[0]), arrays.integer(state.get(b"max_depth")), size


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
    state = node.attributes()
    if b"tree_" in state:
        _fits(arrays, state, state[b"tree_"])


def _fits(arrays: Arrays, state: dict[bytes, Any], tree: Any) -> None:
    need(type(tree) is Node and tree.callee == TREE, "an estimator has a tree that is none")
    known = arrays.integer(state.get(b"n_features_in_"))
    need(arrays.integer(tree.args[0]) == known, "an estimator takes other features than its trees ask for")


def members(value: Any, kinds: tuple[str, ...]) -> list[Node]:
    """The parts of an ensemble, which are in a list, or in a plain array of objects.

    Raises
    ------
    Refused
        They are in something else, where they might be others than they seem, or one is of no such kind.
    """
    if type(value) is Node and value.callee.endswith(" _reconstruct") and isinstance(value.state, tuple):
        value = value.state[4]
    need(type(value) is list, "an ensemble keeps its members in another container than ensembles do")
    need(all(type(part) is Node and part.callee in kinds for part in value), "an ensemble has members of another kind")
    return list(value)


def _forest(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"estimators_" not in state:
        return
    chosen: Any = state.get(b"estimators_features_")
    parts = members(state[b"estimators_"], _TREES)
    if not node.callee.endswith(" IsolationForest"):
        for part in parts:
            _fits(arrays, state, part.attributes().get(b"tree_"))
        return
    known, most = arrays.integer(state.get(b"n_features_in_")), arrays.integer(state.get(b"_max_features"))
    need(type(chosen) is list and len(chosen) == len(parts), "a forest has other features than trees")
    for part, features in zip(parts, chosen, strict=True):
        asked = arrays.integer(part.attributes()[b"tree_"].args[0])
        need(arrays.shape(features) == (asked,), "a forest has other features than its trees")
        need(asked == known or most != known, "a forest has other features than its trees")  # it passes all, or those


def _boosting(arrays: Arrays, node: Node) -> None:
    """Gradient boosting adds up without looking whether there is room, which what it starts from has made."""
    state = node.attributes()
    if b"estimators_" not in state:
        return
    held = state[b"estimators_"]
    need(type(held) is Node and held.callee.endswith(" _reconstruct"), "a model keeps its trees in no array")
    parts, shape = members(held, _TREES[1:2]), arrays.shape(held)
    need(len(shape) == 2 and shape[0] > 0, "a model has no trees")
    for part in parts:
        tree = part.attributes()[b"tree_"]
        _fits(arrays, state, tree)
        _fits(arrays, part.attributes(), tree)
        need(arrays.integer(tree.args[2]) == 1, "a model has trees of several outputs")
    width = arrays.integer(state.get(b"n_trees_per_iteration_"))
    need(shape[1] == width > 0, "a model has another number of trees than it says")
    loss, start = state[b"_loss"], state[b"init_"]
    need(type(loss) is Node and loss.callee.startswith("sklearn._loss.loss "), "a model has a loss that is none")
    need(b"is_multiclass" not in loss.attributes(), "a loss is not what its class is")
    link = loss.attributes()[b"link"]
    need(type(link) is Node and link.callee.startswith("sklearn._loss.link "), "a loss has a link that is none")
    need(width == 1 or loss.callee.endswith(" HalfMultinomialLoss"), "a model has another loss than trees")
    if start != b"zero":
        classes = 0 if node.callee.endswith("Regressor") else max(2, width)
        need(
            type(start) is Node and _outputs(arrays, start) == classes,
            "a model starts from an estimator of other outputs",
        )


def _outputs(arrays: Arrays, node: Node) -> int:
    """How many classes an estimator that boosting starts from tells apart; 0, if it predicts one number."""
    state = node.attributes()
    if node.callee.startswith("sklearn.dummy Dummy"):
        need(arrays.integer(state.get(b"n_outputs_")) == 1, _UNKNOWN)
        if b"n_classes_" in state:
            classes = arrays.integer(state[b"n_classes_"])
            need(
                arrays.shape(state.get(b"class_prior_")) == (classes,) == arrays.shape(state.get(b"classes_")), _UNKNOWN
            )
            return classes
        return 0
    if node.callee.startswith(("sklearn.ensemble._forest ", "sklearn.tree._classes ")):
        need(arrays.integer(state.get(b"n_outputs_")) == 1, _UNKNOWN)
        return arrays.integer(state[b"n_classes_"]) if node.callee.endswith("Classifier") else 0
    need(node.callee in _LINEAR, _UNKNOWN)
    shape = arrays.shape(state.get(b"coef_"))
    if b"classes_" not in state:
        need(len(shape) == 1 or (len(shape) == 2 and shape[0] == 1), _UNKNOWN)
        return 0
    need(len(shape) == 2, _UNKNOWN)
    return max(2, shape[0])


_UNKNOWN = "a model starts from an estimator whose outputs are not known"
_LINEAR = {
    "sklearn.linear_model._base LinearRegression",
    "sklearn.linear_model._logistic LogisticRegression",
    "sklearn.linear_model._ridge Ridge",
}


# -- histogram gradient boosting -------------------------------------------------------------------------------------


def _predictor(arrays: Arrays, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    state = node.attributes()
    nodes = arrays.array(state.get(b"nodes"))
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    need(nodes.ndim == 1 and len(nodes) > 0, "a tree has no nodes")
    for child in (nodes["left"][inner], nodes["right"][inner]):
        need(bool(((child > inner) & (child < len(nodes))).all()), "a tree has a node whose child is not there")
    chosen = inner[nodes["is_categorical"][inner] != 0]
    most = int(nodes["bitset_idx"][chosen].max()) if len(chosen) else -1
    for name in (b"raw_left_cat_bitsets", b"binned_left_cat_bitsets"):
        sets = arrays.shape(state.get(name))
        need(
            most < 0 or (len(sets) == 2 and most < sets[0] and sets[1] == _WORDS),
            "a tree asks for categories that are not there",
        )


_WORDS = 8  # of 32 bits each: a set of at most 256 categories


def _histogram_boosting(arrays: Arrays, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    state = node.attributes()
    if b"_predictors" not in state:
        return
    known = arrays.integer(state.get(b"n_features_in_"))
    _keeps_columns(arrays, state.get(b"_preprocessor"), known)
    mapper = state[b"_bin_mapper"]
    need(type(mapper) is Node, "a model has no bins")
    flags = arrays.array(mapper.attributes().get(b"is_categorical_"))
    need(flags.shape == (known,), "a model has other bins than features")
    stages = state[b"_predictors"]
    need(type(stages) is list, "an ensemble keeps its members in another container than ensembles do")
    trees = [tree for stage in stages for tree in members(stage, (_PREDICTOR,))]
    if not trees:
        return
    nodes = [arrays.array(tree.attributes().get(b"nodes")) for tree in trees]
    asked = np.concatenate([part["feature_idx"] for part in nodes])
    categorical = np.concatenate([part["is_categorical"] for part in nodes]) != 0
    need(int(asked.min()) >= 0 and int(asked.max()) < known, "a tree asks for a feature that there is not")
    need(bool(flags[asked[categorical]].all()), "a tree takes a number for a category")


def _keeps_columns(arrays: Arrays, node: Any, known: int) -> None:
    """What comes before encodes categories, column by column; what it passes on nobody counts."""
    if node is None:
        return
    right = type(node) is Node and node.callee == "sklearn.compose._column_transformer ColumnTransformer"
    need(right, "a model is preceded by what is no encoder")
    parts, left = node.attributes().get(b"transformers_"), 0
    need(
        type(parts) is list and all(isinstance(part, tuple) and len(part) == 3 for part in parts),
        "an encoder has no parts",
    )
    for _, part, columns in parts:
        if part == b"drop":
            continue
        need(type(part) is Node and part.callee in _COLUMN_BY_COLUMN, "an encoder has a part that is none")
        function = part.attributes().get(b"func")
        if type(function) is Node and function.callee == "functools partial" and isinstance(function.state, tuple):
            need(function.state[1] == () and function.state[3] is None, "an encoder has a function of its own")
            function = function.state[0]
        need(function in (None, _CHECK), "an encoder has a function of its own")
        flags = arrays.array(columns)
        need(flags.shape == (known,) and flags.dtype.kind == "b", "an encoder has other columns")
        left += int(flags.sum())
    need(left == known, "an encoder passes on another number of columns")


_CHECK = "sklearn.utils.validation check_array"
_COLUMN_BY_COLUMN = (
    "sklearn.preprocessing._encoders OrdinalEncoder",
    "sklearn.preprocessing._function_transformer FunctionTransformer",
)
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor TreePredictor"
_TREES = tuple(
    f"sklearn.tree._classes {kind}"
    for kind in ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
)

MODELS: dict[str, Callable[[Arrays, Node], None]] = {
    _PREDICTOR: _predictor,
    **dict.fromkeys(_TREES, _tree_estimator),
    **{
        f"sklearn.ensemble._forest {kind}": _forest
        for kind in (
            *("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
            "RandomTreesEmbedding",
        )
    },
    "imblearn.ensemble._forest BalancedRandomForestClassifier": _forest,
    "sklearn.ensemble._iforest IsolationForest": _forest,
    **{f"sklearn.ensemble._gb GradientBoosting{kind}": _boosting for kind in ("Classifier", "Regressor")},
    **{
        f"sklearn.ensemble._hist_gradient_boosting.gradient_boosting HistGradientBoosting{kind}": _histogram_boosting
        for kind in ("Classifier", "Regressor")
    },
}
