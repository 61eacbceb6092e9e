"""Neighbour trees count the queries that they answer, and pickle the counts: ours must not be among them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

_MODULES = ("sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")
_MAX_DEPTH = 12


@contextlib.contextmanager
def uncounted(estimator: object) -> Iterator[None]:
    """Predict without leaving a trace in the neighbour trees of a fitted estimator, however deep inside they are."""
    trees = {id(tree): tree for tree in _trees_in(estimator, 0, {})} if any(map(sys.modules.get, _MODULES)) else {}
    before = [(tree, tree.__getstate__()) for tree in trees.values()]  # refers to the arrays, copies none
    try:
        yield
    finally:
        for tree, state in before:
            tree.__setstate__(state)


def _trees_in(value: Any, depth: int, seen: dict[int, Any]) -> Iterator[Any]:
    """The trees inside a value; ``seen`` holds what has been looked into, for estimators may refer to each other."""
    module = type(value).__module__
    if module in _MODULES:
        yield value
    elif depth > _MAX_DEPTH or id(value) in seen:
        return
    elif isinstance(value, (list, tuple)):
        seen[id(value)] = value
        first = list(_trees_in(value[0], depth + 1, seen)) if value else []
        yield from first
        # The hundreds of estimators of an ensemble are all alike: without a tree in the first, none is searched.
        for part in value[1:] if first or len(value) <= 20 else ():
            yield from _trees_in(part, depth + 1, seen)
    elif isinstance(value, Mapping) and len(value) <= 100:
        seen[id(value)] = value
        for part in value.values():
            yield from _trees_in(part, depth + 1, seen)
    elif module.startswith("sklearn.") and hasattr(value, "__dict__"):
        seen[id(value)] = value
        for part in vars(value).values():
            if type(part).__module__ not in ("builtins", "numpy") or isinstance(part, (list, tuple, dict)):
                yield from _trees_in(part, depth + 1, seen)
