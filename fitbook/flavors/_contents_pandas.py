"""Tables as pandas writes them: compiled code goes by the places of columns and the codes of categories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fitbook.flavors._allowed import allowed
from fitbook.flavors._nodes import Items, Name, Node
from fitbook.flavors._stand_ins import Arrays, need

_BACKED = "pandas._libs.arrays __pyx_unpickle_NDArrayBacked"
_INDEX = "pandas.core.indexes.base _new_Index"
_INDICES = ("pandas Index", "pandas RangeIndex", "pandas.core.indexes.")
_MOST_ROWS, _MOST_COLUMNS = 1 << 48, 10_000_000


def index(arrays: Arrays, node: Node) -> None:
    """An index over an array, or a range: what makes it would make an object of any class."""
    known = len(node.args) == 2 and type(node.args[0]) is Name and node.args[0].startswith(_INDICES)
    need(known, "it builds an object by what is there for others")
    if not (type(node.args[1]) is Items and _is_strange(node.args[1].as_dict().get(b"data"))):
        _length(arrays, node)


def _length(arrays: Arrays, node: Any) -> int:
    made = type(node) is Node and node.callee == _INDEX and len(node.args) == 2
    need(made and type(node.args[1]) is Items, "a table has an index that is none")
    parts = node.args[1].as_dict()
    if node.args[0] in ("pandas RangeIndex", "pandas.core.indexes.range RangeIndex"):
        steps = [arrays.integer(parts.get(name)) for name in (b"start", b"stop", b"step")]
        need(steps[2] and max(map(abs, steps)) < _MOST_ROWS, "a table has an index that is none")
        return len(range(*steps))
    shape = _shape(arrays, parts.get(b"data"))
    need(len(shape) == 1, "a table has an index that is none")
    arrays.spend(8 * shape[0])
    return shape[0]


def _shape(arrays: Arrays, values: Any) -> tuple[int, ...]:
    need(type(values) is Node, "a table has values that are none")
    if values.callee == _BACKED:
        need(isinstance(values.state, tuple), "a column has another state than those have")
        values = values.state[1]
    return arrays.shape(values)


def _is_strange(values: Any) -> bool:
    """Whether values are of a class that is not on the list: then they were trusted by name, or are not loaded."""
    return type(values) is Node and values.callee not in allowed()["any"]


def column(arrays: Arrays, node: Node) -> None:
    """Made empty: what is in it is its state, which is looked at."""
    del arrays
    need(len(node.args) == 3 and node.args[2] is None, "a column is made in an odd way")


def filled_column(arrays: Arrays, node: Node) -> None:
    """A column of text, or of categories, each of which there is."""
    state = node.state
    need(isinstance(state, tuple) and 2 <= len(state) <= 3 and type(state[0]) is Node, "a column has another state")
    need(len(state) == 2 or set(state[2].flat[::2]) <= {b"_readonly"}, "a column brings more than it has")
    if node.args[0].endswith("StringArray"):
        need(state[0].callee.endswith(" StringDtype"), "a column has another type than it says")
        need(state[1].callee.endswith(" _reconstruct") and type(state[1].state[4]) is list, "a column has no text")
        return
    need(state[0].callee.endswith(" CategoricalDtype"), "a column has another type than it says")
    codes = arrays.array(state[1])
    need(codes.ndim == 1 and codes.dtype.kind == "i", "a column has categories that are none")
    categories = state[0].attributes().get(b"categories")
    if type(categories) is Node and _is_strange(categories.args[1].as_dict().get(b"data")):
        return
    known = _length(arrays, categories)
    inside = not len(codes) or (int(codes.min()) >= -1 and int(codes.max()) < known)
    need(inside, "a column has categories that are none")


def manager(arrays: Arrays, node: Node) -> None:
    """The blocks of a table: each column is in one of them, at one place."""
    import numpy as np  # noqa: PLC0415

    need(len(node.args) == 2 and isinstance(node.args[0], tuple), "a table has no blocks")
    taken = [np.zeros(0, dtype=np.int64)]
    for block in node.args[0]:
        need(type(block) is Node and block.callee.endswith(" _unpickle_block"), "a table has a block that is none")
        values, placement, dimensions = block.args
        taken.append(_places(arrays, placement))
        need(dimensions == 2, "a table has a block of another dimension")
        if not _is_strange(values):
            shape = _shape(arrays, values)
            columns = shape[0] if len(shape) == 2 else 1
            need(len(taken[-1]) == columns, "a table has a block that does not fit")
    found = np.sort(np.concatenate(taken))  # that there are as many as names of columns, pandas looks itself
    need(np.array_equal(found, np.arange(len(found))), "a table has columns at places that are none, or one twice")


def _places(arrays: Arrays, placement: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    if type(placement) is Node and placement.callee == "builtins slice":
        parts = [arrays.integer(part) for part in placement.args]
        need(len(parts) == 3 and parts[2] > 0 and 0 <= parts[0] <= parts[1] < _MOST_COLUMNS, "a block is nowhere")
        return np.arange(*parts)
    places = arrays.array(placement)
    need(places.ndim == 1 and places.dtype.kind == "i", "a block is nowhere")
    return places


def single_manager(arrays: Arrays, node: Node) -> None:
    """The one block of a column, over one axis."""
    del arrays
    need(isinstance(node.state, tuple) and len(node.state) == 4, "a column has another state than those have")
    described = node.state[3].as_dict()[b"0.14.1"].as_dict()
    axes, blocks = described[b"axes"], described[b"blocks"]
    need(type(axes) is type(blocks) is list and len(axes) == len(blocks) == 1, "a column has other axes than one")


def table(arrays: Arrays, node: Node) -> None:
    """A table or column has a manager of its own kind."""
    del arrays
    held = node.attributes().get(b"_mgr")
    wanted = " BlockManager" if node.callee.endswith(" DataFrame") else " SingleBlockManager"
    need(type(held) is Node and held.callee.endswith(wanted), "a table is managed by what is no manager")


CALLS: dict[str, Callable[[Arrays, Node], None]] = {
    _INDEX: index,
    "pandas.core.internals.managers BlockManager": manager,
    _BACKED: column,
}

STATES: dict[str, Callable[[Arrays, Node], None]] = {
    _BACKED: filled_column,
    "pandas.core.internals.managers SingleBlockManager": single_manager,
    **dict.fromkeys(
        ("pandas DataFrame", "pandas Series", "pandas.core.frame DataFrame", "pandas.core.series Series"), table
    ),
}
