"""Journals: what many processes have to say of one run, appended to a file beside the SQLite store.

An entry takes ten microseconds, whoever else is writing to the store, and is durable against the death of the process.
Who keeps the run reads them, and moves them to where they belong; if it dies, the store does that when it ends the run.
This is the standard library only, for a worker process has loaded nothing else of fitbook.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

# How many files a process has open to append to; a search has one.
_MAX_OPEN = 4

_open: dict[str, tuple[int, tuple[int, int] | None]] = {}
_lock = threading.Lock()


class Entry(NamedTuple):
    """One entry: the run that it is about, and what would be a tag's key and value."""

    about: str
    key: str
    value: str


def path_of(database: str, run_id: str) -> str:
    """Name the journal of a run in the store that is this file."""
    return f"{database}-notes-{run_id}"


def append(path: str, entry: Entry) -> None:
    """Append an entry, whose value has no line breaks, to a journal that is there.

    Raises
    ------
    OSError
        There is none, as on another machine, or the disk is full.
    """
    line = f"{entry.about} {entry.key} {entry.value}\n".encode()
    with _lock:
        handle = _opened(path)
        if os.write(handle, line) != len(line):
            os.write(handle, b"\n")  # what comes next begins on a line of its own
            raise OSError(f"There was no room for an entry in {path}.")


def forget(path: str) -> None:
    """Close a journal that this process has appended to."""
    with _lock:
        _close(path)


def _opened(path: str) -> int:
    if path in _open and not _is_ours(*_open[path]):
        del _open[path]
    if path not in _open:
        while len(_open) >= _MAX_OPEN:
            _close(next(iter(_open)))
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        _open[path] = (handle, _identity(handle))
    return _open[path][0]


def _close(path: str) -> None:
    handle, identity = _open.pop(path, (-1, None))
    if _is_ours(handle, identity):
        os.close(handle)


def _is_ours(handle: int, identity: tuple[int, int] | None) -> bool:
    """Whether nobody has closed a handle of ours, and got another file by its number."""
    try:
        return _identity(handle) == identity
    except OSError:
        return False


def _identity(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_ino, found.st_dev


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def entries(lines: bytes) -> Iterator[Entry]:
    """Read entries; half a one, of a process that was killed, is none."""
    for line in lines.split(b"\n")[:-1]:
        parts = line.decode("utf-8", "replace").split(" ", 2)
        if len(parts) == 3 and parts[1].startswith("fitbook.") and parts[2][:1] + parts[2][-1:] == "{}":
            yield Entry(*parts)


def left_behind(path: str) -> list[Entry]:
    """Read the journal of whoever has died; nothing if there is none."""
    try:
        with open(path, "rb") as file:
            return list(entries(file.read() + b"\n"))
    except OSError:
        return []


class Journal:
    """A journal as it is read by who has made it.

    Parameters
    ----------
    path : str
        Where it is made.

    Raises
    ------
    OSError
        It can't be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._rest = b""

    def read(self) -> list[Entry]:
        """Give what has been appended since the last time."""
        if self._handle is None:
            return []
        parts = [self._rest]
        while part := os.read(self._handle, 1 << 20):
            parts.append(part)
        lines = b"".join(parts)
        end = lines.rfind(b"\n") + 1
        self._rest = lines[end:]
        return list(entries(lines[:end]))

    def remove(self) -> None:
        """Remove it: all is where it belongs."""
        forget(self.path)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            with contextlib.suppress(OSError):
                os.unlink(self.path)
