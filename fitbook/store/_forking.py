"""Forks of a process that has a SQLite file open.

SQLite remembers in the process's memory which locks it has on a file. A forked process inherits the memory, but not the
locks: it would take none, and write beside everybody else. As soon as the last process with a lock closes the file, the
log is removed, with all that the child goes on writing to it. So no connection is open while a process forks.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from fitbook.errors import StoreUnavailable

# How long a fork waits for the transactions of other threads; a child is refused what it then inherits open.
WAIT_SECONDS = 2.0


class _Mine(threading.local):
    depth = 0  # transactions of this thread


_mine = _Mine()
_gate = threading.Condition()
_forks = 0  # that wait, or go on
_uses: weakref.WeakSet[Use] = weakref.WeakSet()


class Use:
    """What every transaction on one SQLite file is done in: a fork waits for its end, and it for the end of a fork.

    Parameters
    ----------
    close : callable
        Closes all connections that no transaction uses.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = weakref.WeakMethod(close)
        self._open = 0
        self._inherited = False
        _uses.add(self)

    def __enter__(self) -> None:
        if self._inherited:
            raise StoreUnavailable(
                "This process was forked while another thread of its parent was writing to the store, and can't use the "
                "same database: fork at another moment, or start processes by the method 'spawn'."
            )
        with _gate:
            # Else, where threads write all the time, a fork would never find a moment without a transaction. One within
            # another goes on, for the fork waits for the outer one.
            if _forks and not _mine.depth:
                _gate.wait_for(lambda: not _forks, WAIT_SECONDS)
            self._open += 1
        _mine.depth += 1

    def __exit__(self, *_: object) -> None:
        _mine.depth -= 1
        with _gate:
            self._open -= 1
            _gate.notify_all()

    def close(self) -> None:
        """Close what no transaction uses."""
        close = self._close()
        if close is not None:
            close()

    def inherit(self) -> None:
        """Begin the life of this in a forked process."""
        self._inherited, self._open = self._inherited or self._open > 0, 0

    def is_open(self) -> bool:
        """Tell whether a transaction goes on."""
        return self._open > 0


def _before() -> None:
    # Held until the fork is over: meanwhile nothing begins.
    global _forks
    _gate.acquire()
    _forks += 1
    _gate.wait_for(lambda: not any(use.is_open() for use in list(_uses)), WAIT_SECONDS)
    for use in list(_uses):
        use.close()


def _after_in_parent() -> None:
    global _forks
    _forks -= 1
    _gate.notify_all()
    _gate.release()


def _after_in_child() -> None:
    global _gate, _forks
    _gate, _forks = threading.Condition(), 0
    for use in list(_uses):
        use.inherit()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
