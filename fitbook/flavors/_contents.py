"""What is in the objects of a pickle: compiled code takes sizes and indices from it on trust, and crashes on wrong ones.

Everything is looked at as stand-ins, before anything is built: when it is made or its state is set, for that is when what
it is given is copied; and in the end what stays one object until then.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fitbook.flavors import _contents_numpy, _contents_pandas, _contents_python, _contents_sparse
from fitbook.flavors._allowed import RENAMED_MODULES, allowed
from fitbook.flavors._contents_boosters import BOOSTERS
from fitbook.flavors._contents_estimators import ESTIMATORS
from fitbook.flavors._contents_models import MODELS, TREE, check_trees
from fitbook.flavors._contents_neighbours import NEIGHBOURS, distance, neighbour_tree
from fitbook.flavors._nodes import Items, Name, Node, Refused
from fitbook.flavors._stand_ins import Arrays, need

Check = Callable[[Arrays, Node], object]


class Contents:
    """The checks of one pickle.

    Parameters
    ----------
    data : bytes
        Where stand-ins of raw bytes point to.
    """

    def __init__(self, data: bytes) -> None:
        self.arrays = Arrays(data)
        self._listed, self._made = allowed()["any"], allowed()["make"]
        self._refusal: Exception | None = None

    def called(self, node: Node) -> None:
        """Look at an object that is being made; what is wrong is told by `finish`, after names that nobody knows."""
        check = CALLS.get(node.callee)
        if check is not None:
            try:
                check(self.arrays, node)
            except (Refused, LookupError) as refusal:
                self._refusal = self._refusal or refusal

    def built(self, node: Node) -> None:
        """Look at an object whose state is being set; as `called`."""
        callee = node.callee
        check = STATES.get(callee)
        if check is None and callee in self._listed and callee not in _STATES_OF_THEIR_OWN:
            check = _contents_python.distribution if callee.startswith("scipy.stats.") else _contents_python.plain_state
        if check is not None:
            try:
                check(self.arrays, node)
            except (Refused, LookupError) as refusal:
                self._refusal = self._refusal or refusal

    def finish(
        self, nodes: Mapping[Name, list[Node]], filled: Iterable[Name] = (), passed: Mapping[Name, int] | None = None
    ) -> None:
        """Look at all objects as they are in the end, at those that items are put into, and at values.

        Raises
        ------
        Refused
            Something would make compiled code read or write where it must not.
        """
        if self._refusal is not None:
            raise self._refusal
        for callee in filled:
            need(callee in _FILLED or callee not in self._listed, f"it puts items into a {callee}")
        for callee, made in nodes.items():
            if callee in STATES and callee not in _NO_STATE_NEEDED:
                need(all(node.state is not Node for node in made), f"a {callee.replace(' ', '.')} is never filled")
            if late := AT_THE_END.get(callee):
                for node in made:
                    late(self.arrays, node)
        check_trees(self.arrays, nodes.get(Name(TREE), []))
        if "builtins range" in nodes:
            _ranges(nodes)
        _loops(nodes, passed or {})
        for callee, made in nodes.items():
            if callee in self._made:
                _hides_nothing(callee, made)


def _ranges(nodes: Mapping[Name, list[Node]]) -> None:
    for made in nodes.values():
        need(not any(_contents_python.holds_range(node.args) for node in made), "it calls something with a range")


def _loops(nodes: Mapping[Name, list[Node]], passed: Mapping[Name, int]) -> None:
    # These loops of k-means are compiled and ask for no shapes. Their one place is the estimator that sets them itself.
    for name in _LOOPS:
        if passed.get(Name(name)):
            made = nodes.get(Name("sklearn.cluster._bisect_k_means BisectingKMeans"), [])
            own = sum(node.attributes().get(b"_kmeans_single") == name for node in made)
            need(own == passed[Name(name)], f"it passes {name.replace(' ', '.')} on")


def _hides_nothing(callee: Name, made: list[Node]) -> None:
    """The state of an object must not take the place of methods of its class, by which what it is asked is validated."""
    if not callee.startswith(_OF_PYTHON):
        return
    names = {
        key for node in made if isinstance(node.state, Items) for key in node.state.flat[::2] if type(key) is bytes
    }
    kind = _class_of(callee) if names else None
    for key in names - _MAY_BE_HIDDEN:
        own = getattr(kind, key.decode("utf-8", "replace"), None)
        hidden = f"a {callee.replace(' ', '.')} hides what its class has as {key!r}"
        need(own is None or isinstance(own, (property, bool, int, float)), hidden)


def _class_of(callee: Name) -> Any:
    # Its name is on the list: to import it is what unpickling does next.
    module, _, name = callee.partition(" ")
    try:
        return getattr(importlib.import_module(RENAMED_MODULES.get(module, module)), name, None)
    except ImportError:
        return None  # which unpickling tells


# When an object is made.
CALLS: dict[str, Check] = {
    **dict.fromkeys(_contents_python.MAKES, _contents_python.of_its_own),
    **_contents_pandas.CALLS,
    "builtins getattr": _contents_python.attribute,
    "builtins bytearray": _contents_python.raw_bytes,
    "builtins range": _contents_python.numbers,
    "collections Counter": _contents_python.counter,
    **{f"collections {kind}": _contents_python.empty for kind in ("OrderedDict", "defaultdict", "deque")},
    "numpy.ma.core _mareconstruct": _contents_numpy.empty_masked,
    **{
        f"numpy.random._pickle __{kind}_ctor": _contents_numpy.generator
        for kind in ("randomstate", "generator", "bit_generator")
    },
    **{
        f"numpy.{core}.{name}": check
        for core in ("core", "_core")
        for name, check in (
            ("multiarray _reconstruct", _contents_numpy.empty_array),
            ("multiarray scalar", _contents_numpy.scalar),
            ("numeric _frombuffer", Arrays.over_bytes),
        )
    },
}

# When its state is set, which it must be.
STATES: dict[str, Check] = {
    **_contents_sparse.CHECKS,
    **_contents_pandas.STATES,
    "numpy dtype": Arrays.new_dtype,
    **{f"numpy.random._pickle __{kind}_ctor": _contents_numpy.random_state for kind in ("randomstate", "generator")},
    "numpy.random._pickle __bit_generator_ctor": _contents_numpy.random_state,
    "numpy.ma.core _mareconstruct": _contents_numpy.masked,
    **{f"numpy.{core}.multiarray _reconstruct": _contents_numpy.array for core in ("core", "_core")},
    TREE: _contents_python.plain_state,
    "sklearn.neighbors._kd_tree newObj": neighbour_tree,
    "sklearn.neighbors._ball_tree newObj": neighbour_tree,
    "sklearn.metrics._dist_metrics newObj": distance,
}
_NO_STATE_NEEDED = {"numpy dtype", *(name for name in STATES if name.startswith("numpy.random."))}
# Cython takes a tuple, and sets what its class has declared.
_STATES_OF_THEIR_OWN = {"functools partial", *(name for name in allowed()["call"] if " __pyx_unpickle_" in name)}

# When all is there.
AT_THE_END: dict[str, Check] = {**MODELS, **NEIGHBOURS, **ESTIMATORS, **BOOSTERS}

_FILLED = {"collections OrderedDict", "collections defaultdict", "collections deque", "sklearn.utils._bunch Bunch"}
_LOOPS = ("sklearn.cluster._kmeans _kmeans_single_lloyd", "sklearn.cluster._kmeans _kmeans_single_elkan")
_OF_PYTHON = ("sklearn.", "scipy.", "imblearn.", "numpy vectorize")
_MAY_BE_HIDDEN = {b"__doc__", b"__name__"}
