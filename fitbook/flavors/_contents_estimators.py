"""Estimators that hand an array of their own to compiled code, or make a sparse matrix of it, and what it must be.

Which these are was found by going through the compiled modules of scikit-learn: decision 0021 has the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fitbook.flavors._nodes import Items, Node
from fitbook.flavors._stand_ins import Arrays, need

_MOST_THREADS = 1024
_MOST_FEATURES = 2**31 - 1


def _clusters(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"cluster_centers_" not in state:
        return
    known = arrays.integer(state.get(b"n_features_in_"))
    centers = arrays.shape(state[b"cluster_centers_"])
    need(len(centers) == 2 and centers[0] > 0 and centers[1] == known, "a model has clusters of other features")
    need(0 < arrays.integer(state.get(b"_n_threads", 1)) <= _MOST_THREADS, "a model takes too many threads")
    if b"_counts" in state:  # what partial_fit adds to
        need(arrays.shape(state[b"_counts"]) == centers[:1], "a model has other counts than clusters")
    if node.callee.endswith(" BisectingKMeans"):
        _halves(arrays, state.get(b"_bisecting_tree"), known)
        if b"_X_mean" in state:
            need(arrays.shape(state[b"_X_mean"]) == (known,), "a model has a mean of other features")


def _halves(arrays: Arrays, root: Any, known: int) -> None:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        right = type(node) is Node and node.callee == "sklearn.cluster._bisect_k_means _BisectingTree"
        need(right and id(node) not in seen, "a model has halves of clusters that are none")
        seen.add(id(node))
        state = node.attributes()
        need(arrays.shape(state.get(b"center")) == (known,), "a model has clusters of other features")
        waiting += (state.get(b"left"), state.get(b"right"))


def _birch(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"subcluster_centers_" in state:
        centers = arrays.shape(state[b"subcluster_centers_"])
        need(arrays.shape(state.get(b"_subcluster_norms")) == centers[:1], "a model has other norms than clusters")


def _linkage(arrays: Arrays, node: Node) -> None:
    import numpy as np  # noqa: PLC0415

    state = node.attributes()
    if b"_single_linkage_tree_" in state:
        steps = arrays.array(state[b"_single_linkage_tree_"])
        most = len(steps) + 1 + np.arange(len(steps))
        for side in (steps["left_node"], steps["right_node"]):
            need(
                side.shape == most.shape and bool(((side >= 0) & (side < most)).all()),
                "a model joins what is not there",
            )


def _covariance(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    for name in (b"covariance_", b"precision_"):
        if state.get(name) is not None:
            known = arrays.integer(state.get(b"n_features_in_"))
            need(arrays.shape(state[name]) == (known, known), "a model has a covariance of other features")


def _function(arrays: Arrays, node: Node) -> None:
    # Of what a function on the list may be told, SciPy's Mahalanobis distance alone takes its matrix on trust.
    del arrays
    told = [node.attributes().get(name) for name in (b"kw_args", b"inv_kw_args", b"_kwargs")]
    told += node.state if isinstance(node.state, tuple) else ()
    for options in told:
        need(type(options) is not Items or b"VI" not in options.as_dict(), "a function is told a matrix for a distance")


def _hashes(arrays: Arrays, node: Node) -> None:
    features = arrays.integer(node.attributes().get(b"n_features"))
    need(0 < features <= _MOST_FEATURES, "a model hashes to a number of features that is none")


def _vocabulary(arrays: Arrays, node: Node) -> None:
    held = node.attributes().get(b"vocabulary_")
    if held is not None:
        _columns(arrays, held, None)


def _labels(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if state.get(b"_cached_dict") is not None:
        _columns(arrays, state[b"_cached_dict"], arrays.shape(state.get(b"classes_"))[0])


def _columns(arrays: Arrays, items: Any, count: int | None) -> None:
    """What says which column a name has becomes the indices of a sparse matrix with as many columns as names."""
    need(type(items) is Items, "a vocabulary is no dict")
    items.closed = True
    names = _distinct(arrays, items.flat[::2])
    places = items.flat[1::2]
    if set(map(type, places)) != {int}:
        places = [arrays.integer(place) for place in places]
    need(len(names) == len(places), "a vocabulary has a word twice")
    need(count in (None, len(names)), "a vocabulary has other words than classes")
    need(not places or (min(places) >= 0 and max(places) < len(names)), "a vocabulary has columns that are not there")


def _distinct(arrays: Arrays, keys: list[Any]) -> set[Any]:
    kinds = set(map(type, keys))
    if kinds == {Node} and all(key.callee.endswith(" scalar") for key in keys):
        code = {arrays.dtype(key.args[0]).kind for key in keys}
        need(code in ({"U"}, {"S"}, {"i"}), "a vocabulary has odd words")
        if code == {"i"}:
            return {arrays.integer(key) for key in keys}
        return {bytes(arrays.raw(key.args[1])).rstrip(b"\0") for key in keys}
    need(kinds in (set(), {bytes}, {int}), "a vocabulary has odd words")
    return set(keys)


def _one_hot(arrays: Arrays, node: Node) -> None:
    state = node.attributes()
    if b"_n_features_outs" not in state:
        return
    widths, categories = state[b"_n_features_outs"], state[b"categories_"]
    need(type(widths) is list and type(categories) is list and len(widths) == len(categories), _ENCODER)
    dropped = state.get(b"_drop_idx_after_grouping")
    dropped = [None] * len(widths) if dropped is None else _objects(arrays, dropped)
    grouped = state.get(b"_infrequent_enabled")
    need(len(dropped) == len(widths) and type(grouped) is bool, _ENCODER)
    nothing: list[Any] = [None] * len(widths)
    maps = state[b"_default_to_infrequent_mappings"] if grouped else nothing
    rare = state[b"_infrequent_indices"] if grouped else nothing
    need(type(maps) is list and type(rare) is list and len(maps) == len(rare) == len(widths), _ENCODER)
    for width, known, drop, places, few in zip(widths, categories, dropped, maps, rare, strict=True):
        (count,) = codes = arrays.shape(known)
        need((places is None) == (few is None), _ENCODER)
        _ascends(arrays, known)
        if places is not None:
            found, chosen = arrays.array(places), arrays.array(few)
            need(found.shape == codes and found.dtype.kind == "i" and int(found.min()) >= 0, _ENCODER)
            need(len(chosen) and int(chosen.min()) >= 0 and int(chosen.max()) < count, _ENCODER)
            count = int(found.max()) + 1
        if drop is not None:
            need(0 <= arrays.integer(drop) < count, _ENCODER)
            count -= 1
        need(arrays.integer(width) == count, _ENCODER)


def _ascends(arrays: Arrays, known: Any) -> None:
    """Numbers are looked up by halves; where they do not ascend, the last is found behind the end."""
    if known.callee.endswith(" _frombuffer") or type(known.state[4]) is slice:
        values = arrays.array(known)
        steps = values[1:] > values[:-1] if values.dtype.kind in "iufb" else values[:0]
        missing = int((values != values).sum()) if values.dtype.kind == "f" else 0  # which stands at the end
        need(missing < 2 and bool(steps[: len(steps) - missing].all()), _ENCODER)
    else:
        numbers = [value for value in known.state[4] if type(value) in (int, float) and value == value]
        need(numbers == sorted(numbers), _ENCODER)


def _objects(arrays: Arrays, node: Any) -> list[Any]:
    (count,) = arrays.shape(node)
    content: Any = node.state[4] if isinstance(node.state, tuple) else None
    need(type(content) is list and len(content) == count, _ENCODER)
    return list(content)


_ENCODER = "an encoder has other columns than categories"


ESTIMATORS: dict[str, Callable[[Arrays, Node], None]] = {
    **{
        f"sklearn.covariance._{name}": _covariance
        for name in (
            *("elliptic_envelope EllipticEnvelope", "empirical_covariance EmpiricalCovariance"),
            *("graph_lasso GraphicalLasso", "graph_lasso GraphicalLassoCV", "robust_covariance MinCovDet"),
            *("shrunk_covariance LedoitWolf", "shrunk_covariance OAS", "shrunk_covariance ShrunkCovariance"),
        )
    },
    "functools partial": _function,
    "sklearn.preprocessing._function_transformer FunctionTransformer": _function,
    "sklearn.metrics._scorer _Scorer": _function,
    "sklearn.cluster._kmeans KMeans": _clusters,
    "sklearn.cluster._kmeans MiniBatchKMeans": _clusters,
    "sklearn.cluster._bisect_k_means BisectingKMeans": _clusters,
    "sklearn.cluster._birch Birch": _birch,
    "sklearn.cluster._hdbscan.hdbscan HDBSCAN": _linkage,
    "sklearn.feature_extraction._hash FeatureHasher": _hashes,
    "sklearn.feature_extraction.text HashingVectorizer": _hashes,
    "sklearn.feature_extraction.text CountVectorizer": _vocabulary,
    "sklearn.feature_extraction.text TfidfVectorizer": _vocabulary,
    "sklearn.feature_extraction._dict_vectorizer DictVectorizer": _vocabulary,
    "sklearn.preprocessing._encoders OneHotEncoder": _one_hot,
    "sklearn.preprocessing._label MultiLabelBinarizer": _labels,
}
