"""The outermost fit is a run: the hook around every ``fit``."""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Protocol

from fitbook.autolog._guard import RECORDED, inside, quietly
from fitbook.autolog._integration import sent
from fitbook.autolog._portable import function_if_loaded
from fitbook.tracking._writer import writer


class Record(Protocol):
    """What takes down one fit."""

    def ended(self, result: Any) -> None:
        """The fit has returned."""

    def failed(self, error: BaseException) -> None:
        """The fit has raised."""


# What is being recorded here.
recording: ContextVar[Record | None] = ContextVar("fitbook_recording", default=None)

# Called when a task that was sent here is done: nothing of its is held back any more.
task_ends: list[Callable[[], None]] = []

Begin = Callable[[Any, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Record | None]


class Hook:
    """What a hooked function calls first; as a copy in a process without fitbook, nothing at all.

    A class of a script or notebook is pickled with all its methods (cloudpickle, so every joblib worker process), what
    they refer to included. A hook then loads as the one that has its name where autologging is on, or else as
    ``False``, so such a copy needs no fitbook, and does what it did before it was hooked. For that, hooked functions must
    refer to nothing of fitbook's but their hook.
    """

    __slots__ = ()
    name = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_NAMED, (self.name,)) if self.name else (bool, ())


# Hooks by name.
_named: dict[str, Hook] = {}


def named_hook(name: str) -> Hook | bool:
    """Find the hook that a pickled one is to be here."""
    return _named.get(name, False)


_NAMED = function_if_loaded("fitbook.autolog._session", "named_hook", operator.not_)


class FitHook(Hook):
    """Decides about each call of a fitting method whether it is recorded.

    Parameters
    ----------
    begin : callable
        Opens the record, given estimator, method name, method, args and kwargs; None if this fit is not to be recorded.
    name : str, optional
        By which a pickled one is found again.
    """

    __slots__ = ("_begin", "name")

    def __init__(self, begin: Begin, name: str = "") -> None:
        self._begin, self.name = begin, name
        if name:
            _named[name] = self

    def begin(
        self, estimator: Any, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Session | None:
        """Open the session of an outermost fit; None for any other.

        One that is not to be recorded (of a transformer, say) is a session too: what it fits inside is no run either.
        """
        if inside.get():
            return None
        record = None
        with quietly("beginning the record of a fit"):
            record = self._begin(estimator, original.__name__, original, args, kwargs)
        return Session(record)


class Session:
    """One outermost fit, from just before to just after it."""

    __slots__ = ("_before", "_record", "_token")

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self._token: Token[int] | None = None
        self._before: Token[Record | None] | None = None

    def enter(self) -> None:
        """The fit begins."""
        self._token, self._before = inside.set(RECORDED), recording.set(self._record)
        writer.fit_begins()

    def ended(self, result: Any) -> None:
        """The fit has returned."""
        self._leave()
        if self._record is not None:
            with quietly("recording a fit"):
                self._record.ended(result)
            finish_in_worker()

    def failed(self, error: BaseException) -> None:
        """The fit has raised."""
        self._leave()
        if self._record is not None:
            with quietly("recording a failed fit"):
                self._record.failed(error)
            finish_in_worker()

    def _leave(self) -> None:
        if self._token is not None and self._before is not None:
            writer.fit_ends()
            inside.reset(self._token)
            recording.reset(self._before)


def hook_fit(original: Callable[..., Any], hook: FitHook) -> Callable[..., Any]:
    """Wrap a fitting method so that its outermost call is recorded.

    What the method returns or raises reaches the caller untouched.
    """

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = hook and hook.begin(self, original, args, kwargs)
        try:
            if session:
                session.enter()
            result = original(self, *args, **kwargs)
        except BaseException as error:
            if session:
                session.failed(error)
            # This frame is none of the user's business. (`without_frame`, but a copy of this function has no fitbook.)
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        if session:
            session.ended(result)
        return result

    return fit


def in_worker() -> bool:
    """Whether this process is a worker, which may be ended at any moment without a last word."""
    process = sys.modules.get("multiprocessing.process")
    return (process is not None and process.parent_process() is not None) or sent.get() is not None


def finish_in_worker(*, ends: bool = False) -> None:
    """In a worker, wait for what must not be lost: everything in one of a Pool's, which is ended without notice.

    Others have time for pictures later, at the latest when they end. ``ends``: a task is done.
    """
    if in_worker():
        for end in task_ends if ends else ():
            end()
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.current_process().daemon:
            writer.flush()
        else:
            writer.catch_up()


def without_frame(error: BaseException) -> None:
    """Take the frame of the caller, which is none of the user's business, out of a traceback."""
    BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
