"""The guard between fitbook and the host program: what is ours never raises into it, and never works unseen by it."""

from __future__ import annotations

import contextlib
import copyreg
import errno
import functools
import re
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from fitbook import settings
from fitbook._log import FitbookWarning, logger
from fitbook.errors import StoreUnavailable

# Inside a recorded call, inside fitbook itself (OURS), or where the user wants no record (OFF): every hook then calls
# straight through.
RECORDED, OURS, OFF = 1, 2, 3
inside: ContextVar[int] = ContextVar("fitbook_inside", default=0)

# What was swallowed lately, for tests, which re-raise it: "never raises" must not hide "never works". In a program nothing
# is kept: an error's traceback holds the user's frames, and all that is in them.
swallowed: deque[tuple[str, BaseException]] = deque(maxlen=1000)
keeps_swallowed = False

_said: set[str] = set()
_silent = False

_OF_TESTS = re.compile(r"\.(tests|_mocking|_testing)(\.|$)")


class quietly:
    """Swallow whatever ordinary exception the block raises; warn once for each kind of it.

    Parameters
    ----------
    doing : str
        What the block does, for the warning: ``"drawing the figures"``.
    """

    __slots__ = ("doing", "failed")

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.failed: BaseException | None = None

    def __enter__(self) -> quietly:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        self.failed = error
        if keeps_swallowed:
            swallowed.append((self.doing, error))
        logger.debug("%s failed", self.doing, exc_info=error)
        if settings.DEBUG.get():
            traceback.print_exception(error)
        first_line = told(error).partition("\n")[0]
        say(
            f"{self.doing} failed, so that part was not recorded: {first_line}",
            once=(self.doing, first_line, *_trouble(error)),
        )
        return True


def _trouble(error: BaseException) -> tuple[str, ...]:
    """What a disk is in trouble with: one cause, however many things can't be written for it."""
    is_full = isinstance(error, StoreUnavailable) and "disk is full" in str(error)
    while isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, OSError):
        return ("no space",) if is_full else ()
    return ("no space",) if error.errno in (errno.ENOSPC, errno.EDQUOT) else (f"files: {error.strerror}",)


def told(error: BaseException) -> str:
    """Class and message of an exception, also of one whose message can't be made."""
    return "".join(traceback.format_exception_only(error)).strip()


def say(message: str, *, once: str | tuple[str, ...] = ()) -> None:
    """Warn the user, at the line of theirs that led here; not if any of the texts in ``once`` was said before."""
    keys = {once} if isinstance(once, str) else set(once or (message,))
    if _silent or keys & _said:
        return
    _said.update(keys)
    message = f"fitbook: {message}"
    try:
        warnings.warn(message, FitbookWarning, stacklevel=_depth_of_user_code())
    except Exception:
        # Warnings are errors in this program. Ours must not be.
        with contextlib.suppress(Exception):
            print(message, file=sys.stderr)  # noqa: T201


def tell(message: str, *, once: str = "", asked: bool = False) -> None:
    """Print a line on standard error, once; it is no warning, which would be a change to the program.

    Parameters
    ----------
    message : str
    once : str, optional
        What the line is known by, if not by its words.
    asked : bool
        The user wants it anywhere, rather than where somebody is watching: in a terminal or a notebook.
    """
    if _silent or (once or message) in _said:
        return
    _said.add(once or message)
    logger.info("%s", message)
    with contextlib.suppress(Exception):  # there may be no standard error, or a closed one
        if asked or "ipykernel" in sys.modules or sys.stderr.isatty():
            sys.stderr.write(f"{message}\n")


def start_over(*, silent: bool) -> None:
    """Forget what was said, as when autologging is turned on anew."""
    global _silent
    _silent = silent
    _said.clear()


@contextlib.contextmanager
def autolog_disabled() -> Iterator[None]:
    """Record nothing of what is fitted, scored or predicted in this block, by this thread or task and their workers.

    Also a decorator for functions (of a coroutine, use the block inside it). Costs nothing, and may be nested.

    Examples
    --------
    >>> with fitbook.autolog_disabled():
    ...     model.fit(X, y)
    """
    token = inside.set(OFF)
    try:
        yield
    finally:
        inside.reset(token)


@contextlib.contextmanager
def suppressed() -> Iterator[None]:
    """Call into the libraries without being recorded, and without their warnings reaching the user."""
    token = inside.set(OURS)
    filters: list[Any] = warnings.filters  # type: ignore[assignment]
    filters.insert(0, _OWN_WARNINGS)
    try:
        yield
    finally:
        _forget_own(filters)
        if warnings.filters is not filters:
            # Threads that have entered `catch_warnings` meanwhile have copies, of which one may be left in the end.
            _forget_own(warnings.filters)  # type: ignore[arg-type]
        inside.reset(token)


def _forget_own(filters: list[Any]) -> None:
    with contextlib.suppress(ValueError):
        filters.remove(_OWN_WARNINGS)


class _OnlyInside(type):
    def __subclasscheck__(cls, category: type) -> bool:
        # What the user's own fit warns of while the background writer is at work stays the user's.
        return inside.get() == OURS and category is not FitbookWarning


class _WarnedByUs(Warning, metaclass=_OnlyInside):
    """Every warning category counts as this one, but only where fitbook is at work."""


# scikit-learn sends the filters to worker processes, which may not have fitbook: there, it is a category of its own.
copyreg.pickle(_OnlyInside, lambda _: (type, ("_WarnedByUs", (Warning,), {})))  # type: ignore[arg-type, return-value]

# catch_warnings would also drop the warnings of other threads, and make Python forget which ones were shown already.
_OWN_WARNINGS = ("ignore", None, _WarnedByUs, None, 0)


def _depth_of_user_code() -> int:
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and is_library(frame.f_globals.get("__name__")):
        if package_of(frame.f_back.f_globals.get("__name__")) in ("threading", "concurrent", "multiprocessing"):
            break  # a thread or process that runs nothing of the user's
        frame = frame.f_back
        depth += "importlib._bootstrap" not in frame.f_code.co_filename  # which `warnings` does not count either
    return depth


def is_library(module: object) -> bool:
    """Whether a module's name is one of fitbook's, scikit-learn's or joblib's rather than of the user's program."""
    return package_of(module) in ("fitbook", "sklearn", "joblib", "contextlib")


def package_of(module: object) -> str:
    """The package that a module's name begins with; empty for what is no name, and for a package's tests.

    Those are programs like the user's: they have classes of their own, which draw random numbers, and compute scores.
    """
    return _package(module) if isinstance(module, str) else ""


@functools.lru_cache(maxsize=4096)
def _package(module: str) -> str:
    return "" if _OF_TESTS.search(module) else module.partition(".")[0]
