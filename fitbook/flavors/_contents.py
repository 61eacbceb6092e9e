"""What is in the objects of a pickle: compiled code takes sizes and indices from it on trust, and crashes on wrong ones.

Everything is looked at as stand-ins, before anything is built. What is copied when a state is set is checked at that
moment (`Contents.built`), what stays one object until the end is checked then (`Contents.finish`).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fitbook.flavors._contents_models import AT_THE_END, check_trees, neighbour_tree
from fitbook.flavors._nodes import Items, Name, Node
from fitbook.flavors._stand_ins import Arrays, need, text

_MT19937_WORDS = 624
_FROZEN_DEPTH = 32


class Contents:
    """The checks of one pickle.

    Parameters
    ----------
    data : bytes
        Where stand-ins of raw bytes point to.
    """

    def __init__(self, data: bytes) -> None:
        self.arrays = Arrays(data)
        self.trees: list[Node] = []
        self._depths: dict[int, tuple[Node, int]] = {}

    def built(self, node: Node) -> None:
        """Look at an object whose state is being set.

        Raises
        ------
        Refused
            The state would make compiled code read or write where it must not.
        """
        check = _AT_ONCE.get(node.callee)
        if check is not None:
            check(self, node)
        elif node.callee.startswith("scipy.stats."):
            _distribution(node)

    def finish(self, nodes: Mapping[Name, list[Node]], filled: Iterable[Name]) -> None:
        """Look at all objects as they are in the end, and at those that items are put into; raises as `built`."""
        for callee in filled:
            need(callee in _CONTAINERS or not callee.startswith("numpy"), f"it puts items into a {callee}")
        for callee, made in nodes.items():
            if check := _CALLS.get(callee):
                for node in made:
                    check(self, node)
            if late := AT_THE_END.get(callee):
                for node in made:
                    late(self.arrays, node)
        check_trees(self.arrays, self.trees)

    # -- numpy -------------------------------------------------------------------------------------------------------

    def dtype(self, node: Node) -> None:
        """A dtype's own state says where in an element objects lie: nothing of that is taken from a file."""
        self.arrays.new_dtype(node)

    def array(self, node: Node) -> None:
        """The state of an array as old protocols write it."""
        need(isinstance(node.state, tuple) and len(node.state) == 5, "an array has another state than arrays have")
        _, shape, kind, _, content = node.state
        size = self.arrays.size(shape)
        if self.arrays.dtype(kind).hasobject:
            need(
                type(content) is list and len(content) == size, "an array of objects has not as many as its shape says"
            )
            inner = max(
                (self._depths[id(x)][1] for x in content if type(x) is Node and id(x) in self._depths), default=0
            )
            need(inner < _FROZEN_DEPTH, "arrays are nested in arrays too deeply")
            self._depths[id(node)] = node, inner + 1
        else:
            need(type(content) is slice, "an array has no content")
            wanted = size * self.arrays.dtype(kind).itemsize
            need(
                content.stop - content.start == wanted, f"an array of {wanted} bytes has {content.stop - content.start}"
            )

    def empty_array(self, node: Node) -> None:
        """Made empty, and filled by its state: a shape here would be memory that nobody has written."""
        need(len(node.args) == 3 and type(node.args[0]) is Name, "an array is made of what is no class")
        need(node.args[1] == (0,) and type(node.args[2]) in (bytes, slice), "an array is made with a size of its own")
        need(node.state is not Node, "an array is never filled")

    def scalar(self, node: Node) -> None:
        """A number has the bytes that its type says."""
        kind = self.arrays.dtype(node.args[0])
        need(not kind.hasobject and len(node.args) == 2 and type(node.args[1]) is slice, "a number has no content")
        need(node.args[1].stop - node.args[1].start == kind.itemsize, "a number has more or fewer bytes than its type")

    def buffer(self, node: Node) -> None:
        """An array over bytes of the file."""
        self.arrays.over_bytes(node)

    def masked(self, node: Node) -> None:
        """A masked array."""
        need(len(node.args) == 4 and node.args[2] == (0,), "a masked array is made with a size of its own")
        need(all(type(part) is Name for part in node.args[:2]), "a masked array is made of what is no class")
        need(isinstance(node.state, tuple) and len(node.state) == 7, "a masked array has another state than those have")
        _, shape, kind, _, raw, mask, _ = node.state
        size, real = self.arrays.size(shape), self.arrays.dtype(kind)
        need(
            type(mask) is slice and mask.stop - mask.start == size * _mask_size(real), "a mask has not its array's size"
        )
        if real.hasobject:
            need(type(raw) is list and len(raw) == size, "a masked array has not as many objects as its shape says")
        else:
            need(type(raw) is slice and raw.stop - raw.start == size * real.itemsize, "a masked array has another size")

    # -- random numbers ----------------------------------------------------------------------------------------------

    def random_state(self, node: Node) -> None:
        """A place in the generator's table."""
        state = node.attributes().get(b"state")
        if isinstance(state, Items) and b"pos" in (words := state.as_dict()):
            place = words[b"pos"]
            need(type(place) is int and 0 <= place <= _MT19937_WORDS, "a random generator is at a place that is none")
            need(
                self.arrays.array(words.get(b"key")).shape == (_MT19937_WORDS,), "a random generator has another table"
            )

    def generator(self, node: Node) -> None:
        """Generators are made by calling what they name."""
        for part in node.args:
            made = part.callee if type(part) is Node else part if type(part) is Name else "numpy.random"
            need(made.startswith("numpy.random"), f"a random generator is made by {made}")

    # -- Python ------------------------------------------------------------------------------------------------------

    def attribute(self, node: Node) -> None:
        """SciPy's discrete distributions keep a method of their own."""
        need(
            len(node.args) == 2 and type(node.args[0]) is Node, "it takes an attribute of what is no object of its own"
        )
        own = node.args[0].callee.startswith("scipy.stats._discrete_distns ")
        need(own and node.args[1] == b"_entropy", f"it takes the attribute {text(node.args[1])!r} of an object")

    def plain_base(self, node: Node) -> None:
        """What stands below a class must not run its own constructor."""
        need(
            len(node.args) == 3 and node.args[1] in ("builtins object", "builtins dict"),
            "it builds an object in an odd way",
        )
        made = node.args[0]
        need(
            type(made) is Name
            and not (made in _AT_ONCE or made in AT_THE_END or made in _CALLS or made.startswith("scipy.stats.")),
            "it builds an object in another way than its class does",
        )

    def of_its_own(self, node: Node) -> None:
        """What makes objects of any class that it is given makes those of its own module only."""
        kind = node.args[0] if node.args else None
        need(
            type(kind) is Name and kind.startswith(_MAKES[node.callee]),
            "it builds an object by what is there for others",
        )

    def raw_bytes(self, node: Node) -> None:
        """Bytes are given, not a number of them."""
        need(all(type(part) is slice for part in node.args), "it reserves memory")


def _mask_size(kind: Any) -> int:
    return max(1, len(kind.names or ()))


def _distribution(node: Node) -> None:
    # SciPy runs this text when the distribution is unpickled. It defines three functions that pass their parameters on.
    if node.callee.startswith("scipy.stats._distn_infrastructure rv_"):
        need(isinstance(node.state, Items), "a distribution has another state than those have")
        return
    template = node.attributes().get(b"_parse_arg_template", None)
    need(type(template) is bytes and _passes_parameters_on(text(template)), "a distribution brings code of its own")


def _passes_parameters_on(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    if not all(isinstance(part, ast.FunctionDef) for part in tree.body):
        return False
    return all(_passes_on(part) for function in tree.body for part in ast.walk(function))


def _passes_on(part: ast.AST) -> bool:
    if isinstance(part, ast.FunctionDef):
        return not part.decorator_list
    if isinstance(part, ast.Attribute):
        return part.attr == "_argcheck_rvs"
    if isinstance(part, ast.Call):
        return isinstance(part.func, ast.Attribute)
    return isinstance(part, _PASSING)


_PASSING = (ast.arguments, ast.arg, ast.Return, ast.Tuple, ast.Name, ast.Load, ast.Constant, ast.keyword)


# -- scipy.sparse ----------------------------------------------------------------------------------------------------


def _compressed(contents: Contents, node: Node) -> None:
    state = node.attributes()
    rows, columns = _shape_of(contents, state)
    indices, pointers = contents.arrays.array(state.get(b"indices")), contents.arrays.array(state.get(b"indptr"))
    data = contents.arrays.array(state.get(b"data"))
    need(indices.dtype.kind == pointers.dtype.kind == "i", "a sparse matrix has indices that are no numbers")
    block = data.shape[1:]
    if block:
        need(
            len(block) == 2 and all(block) and not rows % block[0] and not columns % block[1],
            "a sparse matrix has odd blocks",
        )
        rows, columns = rows // block[0], columns // block[1]
    if " csc_" in node.callee:
        rows, columns = columns, rows
    need(pointers.shape == (rows + 1,) and indices.ndim == 1, "a sparse matrix has not a pointer for each of its rows")
    need(
        int(pointers[0]) == 0 and bool((pointers[1:] >= pointers[:-1]).all()),
        "a sparse matrix has pointers that go back",
    )
    need(int(pointers[-1]) <= min(len(indices), len(data)), "a sparse matrix has pointers that leave its data")
    need(_inside(indices, columns), "a sparse matrix has indices that leave it")


def _coordinates(contents: Contents, node: Node) -> None:
    state = node.attributes()
    shape = _shape_of(contents, state)
    coords = state.get(b"coords", (state.get(b"row"), state.get(b"col")))
    need(isinstance(coords, tuple) and len(coords) == len(shape), "a sparse matrix has another number of coordinates")
    for places, size in zip(coords, shape, strict=True):
        found = contents.arrays.array(places)
        need(found.dtype.kind == "i" and _inside(found, size), "a sparse matrix has coordinates that leave it")
        need(
            found.shape == contents.arrays.array(state.get(b"data")).shape,
            "a sparse matrix has another number of values",
        )


def _shape_of(contents: Contents, state: dict[bytes, Any]) -> tuple[int, ...]:
    shape = state.get(b"_shape")
    shape = tuple(contents.arrays.integer(size) for size in shape) if isinstance(shape, tuple) else ()
    need(len(shape) in (1, 2) and math.prod(shape) < 2**62, "a sparse matrix has no shape")
    return shape if len(shape) == 2 else (1, *shape)


def _inside(values: Any, size: int) -> bool:
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < size)


def _tree(contents: Contents, node: Node) -> None:
    need(len(node.args) == 3 and isinstance(node.state, Items), "a tree has another state than trees have")
    contents.trees.append(node)


def _neighbours(contents: Contents, node: Node) -> None:
    neighbour_tree(contents.arrays, node)


_Check = Callable[[Contents, Node], None]

_AT_ONCE: dict[str, _Check] = {
    "numpy dtype": Contents.dtype,
    "numpy.random._pickle __randomstate_ctor": Contents.random_state,
    "numpy.random._pickle __bit_generator_ctor": Contents.random_state,
    "sklearn.tree._tree Tree": _tree,
    "sklearn.neighbors._kd_tree newObj": _neighbours,
    "sklearn.neighbors._ball_tree newObj": _neighbours,
    "numpy.ma.core _mareconstruct": Contents.masked,
    **{f"{module} _reconstruct": Contents.array for module in ("numpy._core.multiarray", "numpy.core.multiarray")},
    **{
        f"scipy.sparse._{kind} {kind}_{what}": _compressed
        for kind in ("csr", "csc", "bsr")
        for what in ("matrix", "array")
    },
    **{f"scipy.sparse._coo coo_{what}": _coordinates for what in ("matrix", "array")},
}

# What makes objects of any class, and how the names of those begin that it is there for.
_MAKES: dict[str, tuple[str, ...]] = {
    "sklearn.metrics._dist_metrics newObj": ("sklearn.metrics._dist_metrics ",),
    "sklearn.neighbors._kd_tree newObj": ("sklearn.neighbors._kd_tree ",),
    "sklearn.neighbors._ball_tree newObj": ("sklearn.neighbors._ball_tree ",),
    "pandas.core.indexes.base _new_Index": ("pandas Index", "pandas RangeIndex", "pandas.core.indexes."),
}

_CALLS: dict[str, _Check] = {
    **dict.fromkeys(_MAKES, Contents.of_its_own),
    "builtins getattr": Contents.attribute,
    "builtins bytearray": Contents.raw_bytes,
    "copyreg _reconstructor": Contents.plain_base,
    "numpy.ma.core _mareconstruct": Contents.masked,
    **{
        f"numpy.random._pickle __{kind}_ctor": Contents.generator
        for kind in ("randomstate", "generator", "bit_generator")
    },
    **{
        f"numpy.{core}.{name}": check
        for core in ("core", "_core")
        for name, check in (
            ("multiarray _reconstruct", Contents.empty_array),
            ("multiarray scalar", Contents.scalar),
            ("numeric _frombuffer", Contents.buffer),
        )
    },
}

_CONTAINERS = frozenset(("collections OrderedDict", "collections defaultdict", "collections deque"))
