"""What a scanned pickle consists of, as stand-ins: nothing here is what it stands for."""

from __future__ import annotations

from typing import Any


class _Unknown:
    __slots__ = ()


OPAQUE = _Unknown()
"""Stands for a value that nobody asks for: what is asked for and found to be this is refused."""

HUGE = _Unknown()
"""Stands for a whole number of more than 255 bits; refused like `OPAQUE`."""


class Refused(Exception):
    """The pickle does what no model needs; says what."""


class Name(str):
    """A module and a name in it, with a space between: what an import would find."""

    __slots__ = ()


class Node:
    """What a call would return, or an object made without its constructor.

    Attributes
    ----------
    callee : Name
    args : tuple
        Stand-ins.
    state : object
        What is set afterwards; `Node` itself, if nothing is.
    """

    __slots__ = ("args", "callee", "state")

    def __init__(self, callee: Name, args: tuple[Any, ...]) -> None:
        self.callee = callee
        self.args = args
        self.state: Any = Node

    def attributes(self) -> dict[bytes, Any]:
        """The state, where it is a dict, with keys as stand-ins of text are: in UTF-8."""
        return self.state.as_dict() if isinstance(self.state, Items) else {}


class Items:
    """A dict: keys and values in turn."""

    __slots__ = ("_read", "closed", "flat")

    def __init__(self) -> None:
        self.flat: list[Any] = []
        self._read: dict[bytes, Any] | None = None
        self.closed = False

    def as_dict(self) -> dict[bytes, Any]:
        """By key; keys that are neither text nor objects are left out.

        Raises
        ------
        Refused
            There are so many that they were passed over, or one is an object, which may be equal to a text.
        """
        if self._read is not None:
            return self._read
        if Node in map(type, self.flat[::2]):
            raise Refused("the state of an object has names that are no plain text")
        values = iter(self.flat)
        read = {key: value for key, value in zip(values, values, strict=True) if type(key) is bytes}
        if len(read) * 2 < len(self.flat) and OPAQUE in self.flat[::2]:
            raise Refused("the state of an object hides its names among thousands of others")
        if self.closed:  # until then it may still grow
            self._read = read
        return read
