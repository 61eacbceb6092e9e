"""What a database refuses, in fitbook's words; and trying again what another writer, or a lost connection, has undone."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from fitbook.errors import StoreBusy, StoreUnavailable
from fitbook.store._engines import jitter, seconds_to_wait
from fitbook.store._urls import hide_password

C = TypeVar("C", bound=type)

# PostgreSQL and MySQL: two transactions wait for each other, or this one read what is no more. 1205, a lock that was
# waited for in vain, is not among them: it was waited for as long as one may.
_CONFLICTS = ("40001", "40P01", 1213, 1020)
# Drivers give no code for a server that takes nobody now; nothing has begun yet then.
_TAKES_NOBODY = ("too many clients", "too many connections", "remaining connection slots", "is starting up")
_BAD_EXPRESSION = 1139  # MySQL's, for a regular expression
_ROW_RACES = 3
# What was waited for in vain, and what to do.
_BUSY = (
    (
        ("database is locked", "busy"),
        "Another process holds its write lock; try again, or raise FITBOOK_SQLITE_TIMEOUT.",
    ),
    (("lock timeout", "lock wait timeout", "locked"), "Another process holds a lock there; try again."),
)


class TryAgain(StoreBusy):
    """Nothing was written, and the same again may succeed."""


def failure(url: str, error: DBAPIError, *, committing: bool) -> StoreUnavailable:
    """Turn a driver's error into what users see.

    Parameters
    ----------
    url : str
        The database.
    error : sqlalchemy.exc.DBAPIError
        What went wrong.
    committing : bool
        It went wrong at the end of the transaction: if the connection was lost, nobody knows what was written.
    """
    reason = str(error.orig).strip()
    place = f"The store at {hide_password(url)} can't be used: {reason}."
    lowered = reason.lower()
    if error.connection_invalidated:
        if committing:
            return StoreUnavailable(
                f"{place} The connection was lost while this was written: look whether it is there."
            )
        return TryAgain(f"{place} The connection was lost.")
    if any(code in _CONFLICTS for code in _codes(error)) or any(phrase in lowered for phrase in _TAKES_NOBODY):
        return TryAgain(f"{place} Others write there just now; try again.")
    for phrases, advice in _BUSY:
        if any(phrase in lowered for phrase in phrases):
            return StoreBusy(f"{place} {advice}")
    return StoreUnavailable(f"{place} {_advice(lowered)}")


def refuses_value(error: DBAPIError) -> bool:
    """Tell whether a value is to blame, and not the database."""
    return isinstance(error, DataError) or _BAD_EXPRESSION in _codes(error)


def _codes(error: DBAPIError) -> tuple[object, ...]:
    """Give what the driver tells: the standard's code, and MySQL's own number, for the standard has none for some."""
    driver_error: Any = error.orig
    arguments = driver_error.args or (None,)
    return getattr(driver_error, "sqlstate", None), getattr(driver_error, "pgcode", None), arguments[0]


def _advice(reason: str) -> str:
    if "readonly" in reason or "read-only" in reason:
        return "Make the file and its folder writable for this user, or choose another tracking URI."
    if "malformed" in reason or "not a database" in reason:
        return "The file is damaged or not a database: restore it from a backup, or choose another tracking URI."
    if "full" in reason:
        return "The disk is full: make room."
    if "unable to open" in reason:
        return "Check that the folder exists and is writable for this user, or choose another tracking URI."
    return "Check that the database is there, and that this user may read and write it."


def retrying(cls: C) -> C:
    """Make each method of a contract try again what was undone by no fault of its own.

    Every such method is one short transaction that leaves nothing behind when it fails, so it can be run again: at once
    when a row that it looked for in vain was written by somebody else meanwhile, after a random pause when two
    transactions were in each other's way, and until a lock would not have been waited for any longer.
    """
    contract: set[str] = set().union(*(getattr(base, "__abstractmethods__", ()) for base in cls.__mro__))
    for name in contract - {"close"}:
        setattr(cls, name, _retried(getattr(cls, name)))
    return cls


def _retried(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except (TryAgain, IntegrityError) as error:
            return _again(method, args, kwargs, error)

    return call


def _again(method: Callable[..., Any], args: Any, kwargs: Any, error: Exception) -> Any:
    deadline = time.monotonic() + seconds_to_wait()
    races, pause = 0, 0.005
    while True:
        races += isinstance(error, IntegrityError)
        if races > _ROW_RACES or time.monotonic() > deadline:
            raise error
        if isinstance(error, TryAgain):
            time.sleep(jitter.uniform(0, pause))
            pause = min(2 * pause, 0.5)
        try:
            return method(*args, **kwargs)
        except (TryAgain, IntegrityError) as found:
            error = found
