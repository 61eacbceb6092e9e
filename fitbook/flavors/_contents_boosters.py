"""Boosters of other libraries inside of pickles: their own formats, which are looked at as they are in files."""

from __future__ import annotations

from collections.abc import Callable

from fitbook.flavors._lightgbm_text import check_lightgbm
from fitbook.flavors._nodes import Node
from fitbook.flavors._stand_ins import Arrays, need, text
from fitbook.flavors._xgboost_trees import check_xgboost


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


BOOSTERS: dict[str, Callable[[Arrays, Node], None]] = {
    "lightgbm.basic Booster": _lightgbm,
    "xgboost.core Booster": _xgboost,
}
