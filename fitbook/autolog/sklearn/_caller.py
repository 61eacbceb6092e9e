"""The line that made a call: whether it is the user's own, and what it calls the data that it gave."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

from fitbook.autolog._guard import is_library, package_of

UNKNOWN_DATA = "unknown_dataset"

# Whose frames stand between one of scikit-learn's functions and its caller.
_VALIDATION = ("sklearn.utils._param_validation", "sklearn.utils.validation")
# What starts the user's functions in threads of joblib's.
_PARALLEL = "sklearn.utils.parallel"


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The frame that made a call, if the user wanted that call.

    None if scikit-learn made it, or if it is at work further out: what a scorer of the user's computes for
    ``permutation_importance`` is a step of that, and nobody's result.
    """
    while frame is not None and frame.f_globals.get("__name__") in _VALIDATION:
        frame = frame.f_back
    if frame is None or is_library(frame.f_globals.get("__name__")):
        return None
    outer = frame.f_back
    while outer is not None:
        module = outer.f_globals.get("__name__")
        if package_of(module) == "sklearn" and module != _PARALLEL:
            return None
        outer = outer.f_back
    return frame


def name_of(
    position: int, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType, method: str | None = None
) -> str:
    """What the calling code calls the data that it gave; the names of metrics end with it, as MLflow's do.

    Parameters
    ----------
    position : int
        Which of ``args`` is the data; it may also be given as ``X=``.
    args, kwargs
        What was given.
    frame : frame
        That of the caller.
    method : str, optional
        Which method was called; without it, the caller called any object.
    """
    given = [*args, *kwargs.values()]
    if len(args) <= position:
        position = len(args) + next((i for i, name in enumerate(kwargs) if name == "X"), 0)
    if len(given) <= position or given[position] is None:
        return UNKNOWN_DATA
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        # Reading f_locals of a function would here change the dict that its own locals() has returned.
        names = _names_in_call(frame.f_code, frame.f_lasti, method)
        name = names[position] if len(names) == len(given) else None
    else:
        name = _name_in(frame.f_locals, given[position])
    return name or _name_in(frame.f_globals, given[position]) or UNKNOWN_DATA


def _name_in(variables: Mapping[str, Any], data: Any) -> str | None:
    found = (name for name, value in list(variables.items()) if value is data and not name.startswith("_"))
    return next(found, None)


@functools.lru_cache(maxsize=1024)
def _names_in_call(code: CodeType, offset: int, method: str | None) -> tuple[str | None, ...]:
    """The variables that ``….method(a, b=c)`` gives, None for other expressions; empty if no such call is there.

    Reads backwards: the instructions of one argument are those that leave one more value on the stack.
    """
    before = list(itertools.takewhile(lambda one: one.offset <= offset, dis.get_instructions(code)))
    if not before or before[-1].opname != "CALL":
        return ()
    wanted, names, depth, length = before[-1].arg or 0, list[str | None](), 0, 0
    chosen = False
    for opname in ("CALL", "PRECALL", "KW_NAMES"):
        if before and before[-1].opname == opname:
            chosen |= before.pop().is_jump_target
    while before and len(names) < wanted:
        one = before.pop()
        if chosen or one.is_jump_target:  # a condition chooses between expressions
            return ()
        depth, length = depth + dis.stack_effect(one.opcode, one.arg), length + 1
        if depth == 1:
            is_variable = length == 1 and one.opname.startswith(("LOAD_FAST", "LOAD_DEREF"))
            names.append(one.argval if is_variable and not one.argval.startswith("_") else None)
            depth = length = 0
    if method is not None and not (
        before and before[-1].opname in ("LOAD_METHOD", "LOAD_ATTR") and before[-1].argval == method
    ):
        return ()
    return tuple(reversed(names))
