"""The runs that are active here: a stack for every thread and asyncio task."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fitbook.errors import WrongState

if TYPE_CHECKING:
    from fitbook.tracking._run import ActiveRun

Stack = tuple["ActiveRun", ...]

_stack: ContextVar[Stack] = ContextVar("fitbook_active_runs", default=())
_notebook = threading.local()
_last = threading.local()
_last_anywhere: str | None = None

# Called with each run that is taken off the stack, which happens before it ends.
taken_off: list[Callable[[ActiveRun], None]] = []


def stack() -> Stack:
    """The active runs, innermost last."""
    if _in_notebook():
        return getattr(_notebook, "stack", ())
    return _stack.get()


def set_stack(runs: Stack) -> None:
    """Replace the stack of this thread or task."""
    if _in_notebook():
        _notebook.stack = runs
    else:
        _stack.set(runs)


def push(run: ActiveRun) -> None:
    """Make a run the innermost active one."""
    set_stack((*stack(), run))
    remember(run.run_id)


def pop(run: ActiveRun | None = None) -> ActiveRun | None:
    """Take off the innermost run, or the one given wherever it stands; None if there is none."""
    runs = stack()
    if run is not None and run not in runs:
        return None
    if not runs:
        return None
    run = run or runs[-1]
    set_stack(tuple(other for other in runs if other is not run))
    remember(run.run_id)
    for call in taken_off:
        call(run)
    return run


def innermost() -> ActiveRun | None:
    """The run that logging goes to."""
    runs = stack()
    return runs[-1] if runs else None


def require_nested_allowed(nested: bool) -> None:
    """Raise `WrongState` if a run is active and a new one was not asked to be its child."""
    run = innermost()
    if run is not None and not nested:
        raise WrongState(
            f"The run {run.run_id} is active already. End it with end_run() first, or begin a child of it with "
            "start_run(nested=True)."
        )


def remember(run_id: str) -> None:
    """Note the run that began or ended last, which `last_run_id` answers with in this thread and where none did."""
    global _last_anywhere
    _last.run_id = _last_anywhere = run_id


def last_run_id() -> str | None:
    """The id of the run that was active last in this thread, or else in any."""
    return getattr(_last, "run_id", None) or _last_anywhere


def _in_notebook() -> bool:
    # A notebook runs each cell in a context of its own, so a run begun in one cell would be gone in the next.
    return "ipykernel" in sys.modules
