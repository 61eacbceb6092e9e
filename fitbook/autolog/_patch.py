"""Putting hooks into other libraries' functions and classes, and taking them out without a trace.

Methods are replaced by real functions rather than by wrapt's proxies: ``pickle.dumps(model.fit)``, on which joblib
relies, works for functions only, and ``Model.fit is Model.fit`` holds for functions only. See
docs/decisions/0004-patching.md.
"""

from __future__ import annotations

import copy
import functools
import inspect
import types
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
F = TypeVar("F", bound=Callable[..., Any])

_FILE = "<fitbook, like importlib._bootstrap>"
# Else `inspect.stack` searches all modules that are loaded for it, which takes it 0.7 ms for each hook on the stack.
inspect.modulesbyfile[_FILE] = __name__


class Patches:
    """The hooks of one integration; applied and undone together. Applying a hook twice applies it once."""

    def __init__(self) -> None:
        self._ours: weakref.WeakSet[Any] = weakref.WeakSet()
        self._undo: list[Callable[[], None]] = []

    def method(self, owner: type, name: str, wrap: Wrap) -> bool:
        """Wrap a method that ``owner`` itself defines; False if what it defines is nothing that can be wrapped."""
        raw = owner.__dict__.get(name)
        if self.is_ours(raw):
            return True
        hooked = self._wrapped(raw, wrap)
        if hooked is None:
            return False
        setattr(owner, name, hooked)
        # The original keeps its class alive (``super()`` does that), so it is reached through the class, held weakly.
        reference = weakref.ref(owner)
        self._undo.append(functools.partial(self._restore_method, reference, name))
        return True

    def class_method(self, owner: type, name: str, function: Callable[..., Any]) -> None:
        """Give ``owner`` a class method that it does not define, or replace the one it does."""
        original = owner.__dict__.get(name)
        if self.is_ours(original):
            return
        self._ours.add(function)
        setattr(owner, name, classmethod(function))

        def undo() -> None:
            if self.is_ours(owner.__dict__.get(name)):
                if original is None:
                    delattr(owner, name)
                else:
                    setattr(owner, name, original)

        self._undo.append(undo)

    def cell(self, function: Any, variable: str, wrap: Wrap) -> bool:
        """Wrap what a function calls through a variable of its closure; False if it has no such variable.

        The function object stays the same, so it does not matter who imported it before. A decorator may stand around
        the function that has the variable.
        """
        while variable not in getattr(getattr(function, "__code__", None), "co_freevars", ()):
            function = getattr(function, "__wrapped__", None)
            if function is None:
                return False
        cell = function.__closure__[function.__code__.co_freevars.index(variable)]
        original = cell.cell_contents
        if self.is_ours(original):
            return True
        hooked = self._hook(original, wrap)
        cell.cell_contents = hooked

        def undo() -> None:
            if cell.cell_contents is hooked:
                cell.cell_contents = original

        self._undo.append(undo)
        return True

    def undo(self) -> None:
        """Take every hook out, the last one first; a hook that somebody else has wrapped since stays, and does nothing."""
        while self._undo:
            self._undo.pop()()

    def is_ours(self, raw: Any) -> bool:
        """Whether an entry of a class's ``__dict__`` is a hook of these."""
        if isinstance(raw, classmethod):
            raw = raw.__func__
        raw = getattr(raw, "fn", raw) if _is_conditional(raw) else raw
        return isinstance(raw, types.FunctionType) and raw in self._ours

    def _wrapped(self, raw: Any, wrap: Wrap) -> Any:
        if isinstance(raw, types.FunctionType):
            return self._hook(raw, wrap)
        if _is_conditional(raw):
            # scikit-learn's available_if: the descriptor decides whether the method is there at all.
            conditional = copy.copy(raw)
            conditional.fn, conditional.unhooked = self._hook(raw.fn, wrap), raw
            return conditional
        return None

    def _hook(self, original: Any, wrap: Wrap) -> Any:
        hooked = unseen(wrap(original), original)
        self._ours.add(hooked)
        return hooked

    def _restore_method(self, reference: weakref.ref[type], name: str) -> None:
        owner = reference()
        raw = None if owner is None else owner.__dict__.get(name)
        if owner is None or not self.is_ours(raw):
            return
        setattr(owner, name, raw.unhooked if _is_conditional(raw) else raw.__wrapped__)  # type: ignore[union-attr]


def unseen(hook: F, original: object = None) -> F:
    """Let a function be on the stack what it stands for, to those who look at it.

    It has the original's name there; and those who count frames, to say where a warning comes from or where a line was
    logged, count it as little as one of Python's import system, which they know by the name of its file.
    """
    function: Any = hook
    code = original.__code__ if isinstance(original, types.FunctionType) else function.__code__
    function.__code__ = function.__code__.replace(co_name=code.co_name, co_qualname=code.co_qualname, co_filename=_FILE)
    return hook


def _is_conditional(raw: Any) -> bool:
    return type(raw).__name__ == "_AvailableIfDescriptor" and isinstance(getattr(raw, "fn", None), types.FunctionType)
