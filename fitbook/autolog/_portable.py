"""Pickling functions of fitbook's so that they can be loaded where no fitbook is."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from typing import Any


class Call:
    """A call that whoever unpickles this makes; it stands for the result."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._parts = function, args

    def __call__(self, *args: Any) -> Any:
        return pickle.loads(pickle.dumps(self))(*args)  # `copy.copy` of what is pickled with this comes here

    def __reduce__(self) -> tuple[Any, ...]:
        return self._parts


def function_if_loaded(module: str, name: str, otherwise: Callable[..., Any]) -> Call:
    """Give what loads as a function where its module is loaded, and as another one where it isn't.

    It is pickled as calls of what every Python has, and these together as one, for that is faster.

    Parameters
    ----------
    module, name : str
        Where the function is.
    otherwise : callable
        One of the standard library's.
    """
    modules = Call(getattr, Call(importlib.import_module, "sys"), "modules")
    found = Call(getattr, Call(Call(getattr, modules, "get"), module), name, otherwise)
    return Call(pickle.loads, pickle.dumps(found))


def function_or_nothing(module: str, name: str) -> Call:
    """Give what loads as a function where its module can be imported, and as one that returns None where it can't.

    Parameters
    ----------
    module, name : str
        Where the function is; it takes one argument.
    """
    attempt = f"try:\n from {module} import {name} as found\nexcept Exception:\n found = lambda _: None"
    return Call(eval, f"exec({attempt!r}) or found", {})
