"""From stand-ins to the arrays that they stand for, over the bytes of the file, which are never copied or trusted."""

from __future__ import annotations

import math
import re
from typing import Any

from fitbook.flavors._nodes import Items, Node, Refused

_MOST_DIMENSIONS = 32
_MOST_COPIES, _ALWAYS_FINE = 4, 1 << 24
_ALIGNED = 0x80  # of a dtype's flags: a struct laid out as C would; it has no other effect here


def need(condition: object, otherwise: str) -> None:
    """Refuse what does not hold."""
    if not condition:
        raise Refused(otherwise)


def text(value: Any) -> str:
    """Text, of which stand-ins keep the bytes; empty for anything else."""
    return value.decode("utf-8", "replace") if type(value) is bytes else ""


class Arrays:
    """numpy's objects in one pickle.

    Parameters
    ----------
    data : bytes
        The pickle.

    Attributes
    ----------
    depths : dict
        How deeply arrays of objects are nested in others, by id, with the array.
    """

    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)
        self._left = _MOST_COPIES * len(data) + _ALWAYS_FINE
        self.depths: dict[int, tuple[Node, int]] = {}
        self._dtypes: dict[int, tuple[Node, Any]] = {}
        self._described: dict[tuple[int, int], tuple[Any, int]] = {}

    def spend(self, size: int) -> None:
        """Count bytes that are copied: a few bytes of a file may name a large part of it again and again.

        Raises
        ------
        Refused
            It is far more than the file has.
        """
        self._left -= size
        need(self._left >= 0, "it copies its parts so often that they would fill the memory")

    def raw(self, part: slice) -> memoryview:
        """The bytes that a stand-in points to."""
        return self._view[part]

    def size(self, shape: Any) -> int:
        """How many elements an array of a shape has.

        Raises
        ------
        Refused
            It is no shape.
        """
        need(isinstance(shape, tuple) and len(shape) <= _MOST_DIMENSIONS, "an array has no shape")
        need(all(type(n) is int and n >= 0 for n in shape), "an array has a shape that is none")
        return math.prod(shape)

    def array(self, node: Any) -> Any:
        """The array, read-only.

        Raises
        ------
        Refused
            It stands for something else, or its parts do not fit.
        """
        import numpy as np  # noqa: PLC0415

        need(type(node) is Node, "there is no array where one belongs")
        if node.callee.endswith(" _frombuffer"):
            dtype, count = self.over_bytes(node)
            content, _, shape, order = node.args
            made = np.frombuffer(self._view, dtype, count, content.start)
            return made if len(shape) == 1 else made.reshape(shape, order="F" if order == b"F" else "C")
        need(
            node.callee.endswith(" _reconstruct") and isinstance(node.state, tuple),
            "there is no array where one belongs",
        )
        _, shape, kind, fortran, content = node.state
        dtype, count = self.dtype(kind), self.size(shape)
        need(
            type(content) is slice and not dtype.hasobject and dtype.itemsize,
            "an array of numbers holds something else",
        )
        need(content.stop - content.start == count * dtype.itemsize, "an array has not the bytes that its shape says")
        return np.frombuffer(self._view[content], dtype).reshape(shape, order="F" if fortran else "C")

    def over_bytes(self, node: Node) -> tuple[Any, int]:
        """The dtype and the number of elements of an array over bytes of the file.

        Raises
        ------
        Refused
            It has other bytes than these say.
        """
        need(len(node.args) == 4 and type(node.args[0]) is slice, "an array is made in an odd way")
        content, kind, shape, order = node.args
        need(type(order) is bytes, "an array is made in an odd way")
        known = self._described.get((id(kind), id(shape)))
        if known is None:  # the trees of a forest share both
            dtype, count = self.dtype(kind), self.size(shape)
            need(not dtype.hasobject and dtype.itemsize, "an array of numbers holds something else")
            known = self._described[id(kind), id(shape)] = dtype, count
        dtype, count = known
        need(content.stop - content.start == count * dtype.itemsize, "an array has not the bytes that its shape says")
        return known

    def shape(self, node: Any) -> tuple[int, ...]:
        """The shape of an array, whatever it holds.

        Raises
        ------
        Refused
            It stands for something else.
        """
        need(type(node) is Node, "there is no array where one belongs")
        holder, place = (node.args, 2) if node.callee.endswith(" _frombuffer") else (node.state, 1)
        found = isinstance(holder, tuple) and len(holder) > place and isinstance(holder[place], tuple)
        need(found, "there is no array where one belongs")
        return tuple(holder[place])

    def integer(self, value: Any) -> int:
        """A whole number, plain or numpy's.

        Raises
        ------
        Refused
            It is none.
        """
        if type(value) is Node and value.callee.endswith(" scalar") and len(value.args) == 2:
            import numpy as np  # noqa: PLC0415

            dtype = self.dtype(value.args[0])
            need(dtype.kind in "iu" and type(value.args[1]) is slice, "there is no number where one belongs")
            content = self._view[value.args[1]]
            need(len(content) == dtype.itemsize, "a number has more or fewer bytes than its type")
            return int(np.frombuffer(content, dtype)[0])
        need(type(value) is int, "there is no number where one belongs")
        return int(value)

    def number(self, value: Any) -> float:
        """A number, plain or numpy's; raises as `integer`."""
        if type(value) is Node and value.callee.endswith(" scalar") and len(value.args) == 2:
            import numpy as np  # noqa: PLC0415

            dtype = self.dtype(value.args[0])
            need(dtype.kind in "iuf" and type(value.args[1]) is slice, "there is no number where one belongs")
            return float(np.frombuffer(self._view[value.args[1]], dtype)[0])
        need(type(value) in (int, float), "there is no number where one belongs")
        return float(value)

    def new_dtype(self, node: Node) -> None:
        """Look at a dtype whose state is being set: arrays that had it before would change with it.

        Raises
        ------
        Refused
            It is none, or was used already.
        """
        need(id(node) not in self._dtypes, "a dtype is changed after it was used")
        self.dtype(node)

    def dtype(self, node: Any) -> Any:
        """The dtype, made anew: what a file says of its layout must be what numpy says itself.

        Raises
        ------
        Refused
            It is none, or a file that would have numpy take numbers for addresses.
        """
        need(type(node) is Node and node.callee == "numpy dtype", "there is no dtype where one belongs")
        known = self._dtypes.get(id(node))
        if known is None:
            known = self._dtypes[id(node)] = node, _made(self, node)
        return known[1]


def _made(arrays: Arrays, node: Node, depth: int = 0) -> Any:
    import numpy as np  # noqa: PLC0415

    code = text(node.args[0]) if node.args else ""
    need(re.fullmatch(r"[biufcmMOSUV][0-9]{0,9}", code), f"it makes a dtype of {code!r}")
    need(node.args[1:] == (False, True), "it would change a dtype that is not its own")
    plain = np.dtype(code)
    if node.state is Node:
        return plain
    state = node.state
    need(isinstance(state, tuple) and len(state) in (8, 9), "a dtype has another state than dtypes have")
    _, order, sub, names, fields, size, alignment, flags = state[:8]
    # Without their unit numpy ends the process.
    timed = plain.kind in "mM"
    need(state[0] == 3 + timed and len(state) == 8 + timed, "a dtype has another state than dtypes have")
    need(not timed or _is_unit(state[8]), "a dtype brings something of its own")
    if names is None and fields is None and sub is None:
        made = plain.newbyteorder(">" if order == b">" else "<") if order in (b"<", b">") else plain
        expected = made.__reduce__()[2]
        need((size, alignment, flags) == tuple(expected[5:8]), f"a dtype {code} lies about its layout")
        return made
    made = _structured(arrays, names, fields, size) if sub is None else _sub(arrays, sub)
    need(
        plain.kind == "V" and not made.hasobject and made.itemsize == size == plain.itemsize,
        "a dtype lies about its size",
    )
    need(type(flags) is int and flags & ~_ALIGNED == made.flags & ~_ALIGNED, "a dtype lies about its layout")
    need(alignment in (1, 2, 4, 8, 16), "a dtype lies about its layout")
    return made


def _structured(arrays: Arrays, names: Any, fields: Any, size: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    need(isinstance(names, tuple) and isinstance(fields, Items) and type(size) is int, "a dtype has no fields")
    described = fields.as_dict()
    fields.closed = True
    need(
        all(type(name) is bytes and name for name in names) and set(names) == set(described),
        "a dtype has other fields than names",
    )
    parts = [described[name] for name in names]
    need(
        all(isinstance(part, tuple) and len(part) == 2 and type(part[1]) is int for part in parts),
        "a dtype has odd fields",
    )
    try:
        return np.dtype(
            {
                "names": [text(name) for name in names],
                "formats": [arrays.dtype(part[0]) for part in parts],
                "offsets": [part[1] for part in parts],
                "itemsize": size,
            }
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused(f"a dtype has fields that do not fit ({error})") from None


def _sub(arrays: Arrays, sub: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    need(isinstance(sub, tuple) and len(sub) == 2, "a dtype has an odd part")
    arrays.size(sub[1])
    try:
        return np.dtype((arrays.dtype(sub[0]), sub[1]))
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused(f"a dtype has a part that does not fit ({error})") from None


def _is_unit(metadata: Any) -> bool:
    if not (isinstance(metadata, tuple) and len(metadata) == 2):
        return False
    if metadata[0] is not None and not (isinstance(metadata[0], Items) and not metadata[0].flat):
        return False
    unit = metadata[1]
    return isinstance(unit, tuple) and len(unit) == 4 and all(type(part) is int and part > 0 for part in unit[1:])
