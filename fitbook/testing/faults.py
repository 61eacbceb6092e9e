"""Faults at the n-th statement or file call: the same program is run again and again, until none is hit any more.

::

    for n in itertools.count(1):
        fault = Fault(n, DISK_FULL)
        with failing_statements(fault):
            program()
        if not fault.hit:
            break
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

DISK_IO = sqlite3.OperationalError, "disk I/O error"
DISK_FULL = sqlite3.OperationalError, "database or disk is full"
LOCKED = sqlite3.OperationalError, "database is locked"
DAMAGED = sqlite3.DatabaseError, "database disk image is malformed"
STATEMENT_FAULTS = (DISK_IO, DISK_FULL, LOCKED, DAMAGED)

NO_SPACE, BROKEN, DENIED = errno.ENOSPC, errno.EIO, errno.EACCES
FILE_FAULTS = (NO_SPACE, BROKEN, DENIED)


class Fault:
    """Raises at the n-th call, and at as many after it as it is to last.

    Parameters
    ----------
    n : int
        Counted from 1.
    error : tuple
        What is raised: an exception class and its arguments.
    times : float, default 1
        How many calls fail; with infinity all from the n-th on.
    """

    def __init__(self, n: int, error: tuple[Any, ...], *, times: float = 1) -> None:
        self.n, self.error, self.times = n, error, times
        self.calls, self.where = 0, ""
        self._lock = threading.Lock()

    @property
    def hit(self) -> bool:
        """Whether there was an n-th call."""
        return self.calls >= self.n

    def __call__(self, what: str) -> None:
        """Count a call, and raise if it is the one."""
        with self._lock:
            self.calls += 1
            fails = self.n <= self.calls < self.n + self.times
            if self.calls == self.n:
                self.where = what
        if fails:
            kind, *arguments = self.error
            raise kind(*arguments)


@contextlib.contextmanager
def failing_statements(fault: Fault) -> Iterator[None]:
    """Let the fault see every statement, and every commit, of SQLite connections that are opened in this block."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, values: Any = (), /) -> Any:
            fault(statement)
            return super().execute(statement, values)

        def executemany(self, statement: str, values: Any, /) -> Any:
            fault(statement)
            return super().executemany(statement, values)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, statement: str, values: Any = (), /) -> Any:
            return self.cursor().execute(statement, values)

        def executemany(self, statement: str, values: Any, /) -> Any:
            return self.cursor().executemany(statement, values)

        def commit(self) -> None:
            if self.in_transaction:
                fault("COMMIT")
            super().commit()

    connect = sqlite3.dbapi2.connect
    with mock.patch.object(sqlite3.dbapi2, "connect", lambda *a, **k: connect(*a, **{"factory": Connection, **k})):
        yield


@contextlib.contextmanager
def failing_files(fault: Fault, folder: Path) -> Iterator[None]:
    """Let the fault see every call that makes, writes, renames or removes a file of this program below a folder."""
    names = ("mkdir", "open", "unlink", "rename", "replace", "fsync", "rmdir", "link")
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(os, name, _watched(name, getattr(os, name), fault, folder)))
        fdopen, plain_open = os.fdopen, io.open

        def opened_by_number(number: int, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            file = fdopen(number, mode, *args, **kwargs)
            return (
                _Writing(file, fault)
                if "w" in mode and _is_below(os.readlink(f"/proc/self/fd/{number}"), folder)
                else file
            )

        def opened_by_name(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            writes = set(mode) & set("wxa+") and _is_below(file, folder)
            if writes:
                fault(f"open {file}")
            opened = plain_open(file, mode, *args, **kwargs)
            return _Writing(opened, fault) if writes else opened

        stack.enter_context(mock.patch.object(os, "fdopen", opened_by_number))
        stack.enter_context(mock.patch.object(io, "open", opened_by_name))
        yield


def _watched(name: str, call: Callable[..., Any], fault: Fault, folder: Path) -> Callable[..., Any]:
    def watched(path: Any, *args: Any, **kwargs: Any) -> Any:
        ours = any(key.endswith("dir_fd") and value is not None for key, value in kwargs.items())
        only_reads = name == "open" and not (args and args[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if not only_reads and (ours or (not isinstance(path, int) and _is_below(path, folder))):
            fault(f"{name} {path}")
        return call(path, *args, **kwargs)

    return watched


def _is_below(path: Any, folder: Path) -> bool:
    return isinstance(path, (str, os.PathLike)) and str(path).startswith(str(folder))


class _Writing:
    """A file whose writing and closing can fail."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self._file, self._fault = file, fault

    def write(self, content: Any) -> Any:
        # What is told of late has been written in part.
        try:
            self._fault("write")
        except OSError:
            self._file.write(content[: len(content) // 2])
            raise
        return self._file.write(content)

    def close(self) -> None:
        self._file.close()
        self._fault("close")

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
