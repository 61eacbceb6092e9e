"""XGBoost's models, looked at before XGBoost reads them: it follows a tree's indices wherever they lead."""

from __future__ import annotations

import json
from typing import Any

from fitbook.flavors._stand_ins import need

_MOST_NESTED = 30
_MOST_CATEGORIES = 2**24  # XGBoost's own limit
_KINDS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"T": True, "F": False, "Z": None}


def check_xgboost(data: bytes) -> None:
    """Look at the trees of a model in XGBoost's JSON or UBJSON.

    Raises
    ------
    Refused
        XGBoost would crash on it.
    EOFError, ValueError, TypeError, LookupError
        It is damaged.
    """
    document = json.loads(data) if data[1:2] in b'" \n\r\t' else _UBJSON(data).document()
    learner = document.get("Model", document)["learner"]  # in pickles it is beside its configuration
    features, groups = (int(learner["learner_model_param"][name]) for name in ("num_feature", "num_class"))
    groups = max(groups, int(learner["learner_model_param"].get("num_target", 1)), 1)
    need(0 <= features < 2**31 and groups < 2**20, "it has another number of features than can be")
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        need(len(booster["model"]["weights"]) == (features + 1) * groups, "it has not a weight for each feature")
        return
    model = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    trees = model["trees"]
    need(len(trees) == int(model["gbtree_model_param"]["num_trees"]), "it has another number of trees than it says")
    info = _integers(model["tree_info"])
    need(
        len(info) == len(trees) and ((info >= 0) & (info < groups)).all(), "its trees are of classes that are not there"
    )
    if "iteration_indptr" in model:
        rounds = _integers(model["iteration_indptr"])
        rising = len(rounds) > 0 and rounds[0] == 0 and (rounds[1:] >= rounds[:-1]).all()
        need(rising and rounds[-1] == len(trees), "its rounds have other trees than there are")
    if booster["name"] == "dart":
        need(len(booster["weight_drop"]) == len(trees), "it has not a weight for each tree")
    for tree in trees:
        _check_tree(tree, features, groups)


def _check_tree(tree: dict[str, Any], features: int, groups: int) -> None:
    import numpy as np  # noqa: PLC0415

    count = int(tree["tree_param"]["num_nodes"])
    values = int(tree["tree_param"].get("size_leaf_vector", 1)) or 1
    need(int(tree["tree_param"]["num_feature"]) == features, "a tree has another number of features")
    need(values in (1, groups), "a tree has leaves of another size")
    left, right, parents, asked = (
        _integers(tree[name]) for name in ("left_children", "right_children", "parents", "split_indices")
    )
    kinds = _integers(tree.get("split_type", [0] * count))
    sizes = {len(part) for part in (left, right, parents, asked, kinds, tree["split_conditions"], tree["default_left"])}
    need(sizes == {count} and count > 0, "a tree has another number of nodes than it says")
    need(len(tree["base_weights"]) == count * values, "a tree has another number of weights than nodes")
    for name in ("loss_changes", "sum_hessian"):
        need(
            len(tree.get(name, ())) in (0, count) and (values > 1 or name in tree), "a tree has another number of nodes"
        )
    leaves, inner = right[left == -1], np.flatnonzero(left != -1)
    vectors = len(tree.get("leaf_weights", ()))  # where leaves are vectors, they say which of these is theirs
    if values > 1 and vectors:
        need(((leaves >= 0) & ((leaves + 1) * values <= vectors)).all(), "a tree has leaves without weights")
    else:
        need((leaves == -1).all(), "a tree has a node with one child")
    children, above = np.concatenate([left[inner], right[inner]]), np.concatenate([inner, inner])
    # One parent each, and none for the first: then there is no way round in a circle.
    need(((children > 0) & (children < count)).all(), "a tree has a node whose child is not there")
    need(
        len(np.unique(children)) == len(children) and (parents[children] == above).all(),
        "a tree goes round in a circle",
    )
    need(((asked[inner] >= 0) & (asked[inner] < features)).all(), "a tree asks for a feature that is not there")
    nodes, begins, lengths, held = (
        _integers(tree.get(f"categories{part}", [])) for part in ("_nodes", "_segments", "_sizes", "")
    )
    need(len(nodes) == len(begins) == len(lengths), "a tree has categories that leave their table")
    need(
        ((begins >= 0) & (lengths >= 0) & (begins <= len(held) - lengths)).all(), "a tree has categories that leave it"
    )
    need(((held >= 0) & (held < _MOST_CATEGORIES)).all(), "a tree has categories that can't be")
    need(((kinds == 0) | (kinds == 1)).all() and set(nodes) == set(np.flatnonzero(kinds == 1)), "a tree has odd splits")


def _integers(values: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    found = np.asarray(values)
    need(
        found.ndim == 1 and (found.dtype.kind in "iu" or not found.size), "there are no whole numbers where some belong"
    )
    return found.astype(np.int64)


class _UBJSON:
    """Universal Binary JSON, Draft 12 (ubjson.org), with XGBoost's big-endian numbers."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def document(self) -> Any:
        found = self._value(self._marker(), 0)
        need(self._at == len(self._data), "something follows its end")
        return found

    def _take(self, count: int) -> bytes:
        begin, self._at = self._at, self._at + count
        if count < 0 or self._at > len(self._data):
            raise EOFError("it ends in the middle of a value")
        return self._data[begin : self._at]

    def _marker(self) -> str:
        return self._take(1).decode("ascii")

    def _peek(self) -> str:
        return self._data[self._at : self._at + 1].decode("ascii")

    def _numbers(self, kind: str, count: int) -> Any:
        import numpy as np  # noqa: PLC0415

        dtype = np.dtype(_KINDS[kind])
        return np.frombuffer(self._take(count * dtype.itemsize), dtype)

    def _count(self) -> int:
        return int(self._numbers(self._marker(), 1)[0])

    def _value(self, kind: str, depth: int) -> Any:
        need(depth < _MOST_NESTED, "it is nested deeper than models are")
        if kind in _KINDS:
            return self._numbers(kind, 1)[0].item()
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == "S":
            return self._take(self._count()).decode()
        if kind == "[":
            return self._array(depth)
        need(kind == "{", "it has what XGBoost does not write")
        found: dict[str, Any] = {}
        while self._peek() != "}":
            name = self._take(self._count()).decode()
            need(name not in found, "it says something twice")
            found[name] = self._value(self._marker(), depth + 1)
        self._at += 1
        return found

    def _array(self, depth: int) -> Any:
        kind, found = "", []
        if self._peek() == "$":
            kind = self._take(2)[1:].decode("ascii")
        if self._peek() == "#":
            self._at += 1
            count = self._count()
            if kind:
                return self._numbers(kind, count)
            need(0 <= count <= len(self._data), "it ends in the middle of a value")
            return [self._value(self._marker(), depth + 1) for _ in range(count)]
        need(not kind, "it has what XGBoost does not write")
        while self._peek() != "]":
            found.append(self._value(self._marker(), depth + 1))
        self._at += 1
        return found
