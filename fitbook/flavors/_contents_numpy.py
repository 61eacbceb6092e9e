"""numpy's objects: as large as they say, and generators of random numbers at a place that there is."""

from __future__ import annotations

from typing import Any

from fitbook.flavors._nodes import Items, Name, Node
from fitbook.flavors._stand_ins import Arrays, need

_MT19937_WORDS = 624
_PHILOX_WORDS = 4
_FROZEN_DEPTH = 32


def array(arrays: Arrays, node: Node) -> None:
    """The state of an array as old protocols write it."""
    need(isinstance(node.state, tuple) and len(node.state) == 5, "an array has another state than arrays have")
    _, shape, kind, _, content = node.state
    size = arrays.size(shape)
    if not arrays.dtype(kind).hasobject:
        need(type(content) is slice, "an array has no content")
        wanted = size * arrays.dtype(kind).itemsize
        need(content.stop - content.start == wanted, f"an array of {wanted} bytes has {content.stop - content.start}")
        arrays.spend(wanted)
        return
    need(type(content) is list and len(content) == size, "an array of objects has not as many as its shape says")
    arrays.spend(8 * size)
    inner = max((arrays.depths[id(x)][1] for x in content if type(x) is Node and id(x) in arrays.depths), default=0)
    need(inner < _FROZEN_DEPTH, "arrays are nested in arrays too deeply")
    arrays.depths[id(node)] = node, inner + 1


def empty_array(arrays: Arrays, node: Node) -> None:
    """Made empty, and filled by its state: a shape here would be memory that nobody has written."""
    del arrays
    need(len(node.args) == 3 and node.args[0] == "numpy ndarray", "an array is made of what is none")
    need(node.args[1] == (0,) and type(node.args[2]) in (bytes, slice), "an array is made with a size of its own")


def scalar(arrays: Arrays, node: Node) -> None:
    """A number has the bytes that its type says."""
    kind = arrays.dtype(node.args[0])
    need(not kind.hasobject and len(node.args) == 2 and type(node.args[1]) is slice, "a number has no content")
    need(node.args[1].stop - node.args[1].start == kind.itemsize, "a number has more or fewer bytes than its type")
    arrays.spend(kind.itemsize)


def empty_masked(arrays: Arrays, node: Node) -> None:
    """Made empty, as `empty_array`."""
    del arrays
    need(len(node.args) == 4 and node.args[2] == (0,), "a masked array is made with a size of its own")
    made = node.args[0] in ("numpy.ma MaskedArray", "numpy.ma.core MaskedArray") and node.args[1] == "numpy ndarray"
    need(made, "a masked array is made of what is none")


def masked(arrays: Arrays, node: Node) -> None:
    """The state of a masked array."""
    need(isinstance(node.state, tuple) and len(node.state) == 7, "a masked array has another state than those have")
    _, shape, kind, _, raw, mask, _ = node.state
    size, real = arrays.size(shape), arrays.dtype(kind)
    flags = size * max(1, len(real.names or ()))
    need(type(mask) is slice and mask.stop - mask.start == flags, "a mask has not its array's size")
    arrays.spend(flags + size * real.itemsize)
    if real.hasobject:
        need(type(raw) is list and len(raw) == size, "a masked array has not as many objects as its shape says")
    else:
        need(type(raw) is slice and raw.stop - raw.start == size * real.itemsize, "a masked array has another size")


def generator(arrays: Arrays, node: Node) -> None:
    """Generators are made by calling what they name."""
    del arrays
    for part in node.args:
        made = part.callee if type(part) is Node else part if type(part) is Name else "numpy.random"
        need(made.startswith("numpy.random"), f"a random generator is made by {made}")


def random_state(arrays: Arrays, node: Node) -> None:
    """A generator's place in its table, in every form: NumPy 2 adds where the seed came from."""
    state = node.state
    if isinstance(state, tuple) and len(state) == 2 and node.callee.endswith(" __bit_generator_ctor"):
        state = state[0]
    need(type(state) is Items, "a random generator has another state than those have")
    known = state.as_dict()
    state.closed = True
    words = known.get(b"state")
    words.closed = True
    held = words.as_dict()
    if b"pos" in held:
        _place(held[b"pos"], _MT19937_WORDS)
        need(arrays.array(held.get(b"key")).shape == (_MT19937_WORDS,), "a random generator has another table")
    if b"buffer_pos" in known or b"buffer" in known:
        _place(known.get(b"buffer_pos"), _PHILOX_WORDS)


def _place(value: Any, words: int) -> None:
    need(type(value) is int and 0 <= value <= words, "a random generator is at a place that is none")
