"""LightGBM's text of a model, looked at before LightGBM reads it: it ends the process where a tree is not what it expects."""

from __future__ import annotations

import re
from collections.abc import Collection

from fitbook.flavors._nodes import Refused
from fitbook.flavors._stand_ins import need

_INTEGERS = re.compile(r"-?\d{1,9}(?: -?\d{1,9})*", re.ASCII)
_NUMBERS = re.compile(r"{0}(?: {0})*".format(r"-?(?:\d+(?:\.\d*)?(?:e[-+]?\d{1,3})?|inf|nan)"), re.ASCII)
_PER_LEAF, _PER_NODE = (
    ("leaf_weight", "leaf_count"),
    ("split_gain", "internal_value", "internal_weight", "internal_count"),
)
_HEADER = ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")
_KNOWN = {
    *(
        "num_leaves",
        "num_cat",
        "split_feature",
        "threshold",
        "decision_type",
        "left_child",
        "right_child",
        "leaf_value",
    ),
    *("leaf_const", "num_features", "leaf_features", "leaf_coeff"),
    *(*_PER_LEAF, *_PER_NODE, "cat_boundaries", "cat_threshold", "is_linear", "shrinkage"),
}


def check_lightgbm(text: str) -> None:
    """Look at the trees of a model in LightGBM's text.

    Raises
    ------
    Refused
        LightGBM would crash on it, or it has what is not known here.
    """
    need("\0" not in text, "it ends in the middle")
    head, _, rest = text.partition("\n\n")
    header = _fields(head.removeprefix("tree\n"))
    need(all(re.fullmatch(r"\d{1,9}", header.get(name, ""), re.ASCII) for name in _HEADER), "its header is incomplete")
    features = int(header["max_feature_idx"]) + 1
    for name in ("feature_names", "feature_infos"):
        need(len(header.get(name, "").split(" ")) == features, f"it has not {features} {name}")
    classes, per_round = int(header["num_class"]), int(header["num_tree_per_iteration"])
    need(classes > 0 and per_round in (1, classes), "it has another number of classes than of trees for them")
    raw, at = rest.encode(), 0
    sizes = _integers(header, "tree_sizes", None) if header.get("tree_sizes") else []
    need(len(sizes) % per_round == 0, "a round of it has too few trees")
    for number, size in enumerate(sizes):
        block = raw[at : at + size].decode("utf-8", "replace")
        begin = f"Tree={number}\n"
        need(size > 0 and block.startswith(begin) and block.endswith("\n\n\n"), "a tree is not where it should be")
        _check_tree(_fields(block[len(begin) :].rstrip("\n")), features)
        at += size
    need(raw[at:].startswith(b"end of trees\n"), "it has more or fewer trees than it says")


def with_known_parameters(text: str, known: Collection[str]) -> str:
    """Leave out the lines of parameters that this LightGBM does not know: it would look for them in vain, and crash."""
    trees, mark, after = text.partition("\nparameters:\n")
    lines, end, rest = after.partition("\nend of parameters\n")
    kept = [line for line in lines.split("\n") if line[:1] + line[-1:] == "[]" and line[1:].partition(": ")[0] in known]
    return trees + mark + "\n".join(kept) + end + rest


def _fields(block: str) -> dict[str, str]:
    pairs = [line.partition("=")[::2] for line in block.split("\n")]
    fields = dict(pairs)
    need(len(fields) == len(pairs), "it says something twice")
    return fields


def _check_tree(tree: dict[str, str], features: int) -> None:
    need(tree.keys() <= _KNOWN and tree.get("is_linear", "0") in "01", "a tree has what is not known here")
    (leaves,), (categorical,) = _integers(tree, "num_leaves", 1), _integers(tree, "num_cat", 1)
    inner = leaves - 1
    need(inner >= 0 <= categorical, "a tree has no leaves")
    _numbers(tree, "leaf_value", leaves)
    _numbers(tree, "shrinkage", 1)
    for name, count in (*((name, leaves) for name in _PER_LEAF), *((name, inner) for name in _PER_NODE)):
        if tree.get(name):
            _numbers(tree, name, count)
    if tree.get("is_linear") == "1":
        _numbers(tree, "leaf_const", leaves)
        total = sum(map(abs, _integers(tree, "num_features", leaves)))
        packed = {name: " ".join(tree.get(name, "").split()) for name in ("leaf_features", "leaf_coeff")}
        if total or any(packed.values()):
            asked = _integers(packed, "leaf_features", total)
            need(all(0 <= n < features for n in asked), "a tree asks for a feature that is not")
            _numbers(packed, "leaf_coeff", total)
    if not inner:
        return
    need(
        all(0 <= n < features for n in _integers(tree, "split_feature", inner)), "a tree asks for a feature that is not"
    )
    for name in ("left_child", "right_child"):
        children = _integers(tree, name, inner)
        ends = all(node < child < inner or -leaves <= child < 0 for node, child in enumerate(children))
        need(ends, "a tree has a node whose child is not there")
    thresholds, kinds = _numbers(tree, "threshold", inner), _integers(tree, "decision_type", inner)
    chosen = [threshold for threshold, kind in zip(thresholds, kinds, strict=True) if kind & 1]
    need(
        all(text.isdigit() and int(text) < categorical for text in chosen),
        "a tree asks for categories that are not there",
    )
    if categorical:
        bounds = _integers(tree, "cat_boundaries", categorical + 1)
        rising = bounds[0] == 0 and all(a <= b for a, b in zip(bounds, bounds[1:], strict=False))
        need(
            rising and len(_numbers(tree, "cat_threshold", bounds[-1])), "a tree has categories that leave their table"
        )


def _integers(fields: dict[str, str], name: str, count: int | None) -> list[int]:
    text = fields.get(name, "")
    need(_INTEGERS.fullmatch(text), f"its {name} are no whole numbers")
    found = [int(part) for part in text.split(" ")]
    need(count is None or len(found) == count, f"it has another number of {name} than it says")
    return found


def _numbers(fields: dict[str, str], name: str, count: int) -> list[str]:
    text = fields.get(name, "")
    need(_NUMBERS.fullmatch(text), f"its {name} are no numbers")
    found = text.split(" ")
    if len(found) != count:
        raise Refused(f"it has another number of {name} than it says")
    return found
