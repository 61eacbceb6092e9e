"""Journals: what many processes have to say of one run, appended to a file beside the SQLite store.

An entry takes ten microseconds, whoever else is writing to the store, and is durable against the death of the process.
Who keeps the run reads them, and moves them to where they belong; if it dies, the store does that when it ends the run.
This is the standard library only, for a worker process has loaded nothing else of fitbook.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One entry: the run that it is about, and what would be a tag's key and value."""

    about: str
    key: str
    value: str


def path_of(database: str, run_id: str) -> str:
    """Name the journal of a run in the store that is this file."""
    return f"{database}-notes-{run_id}"


def append(path: str, entry: Entry) -> None:
    """Append an entry, whose value is a JSON object without line breaks, to a journal that is there.

    Raises
    ------
    OSError
        There is none, as on another machine, or the disk is full.
    """
    # It begins a line, too, for the last one may be half an entry.
    line = f"\n{entry.about} {entry.key} {entry.value}\n".encode()
    last = getattr(_mine, "file", None)
    if last is None or last.path != path or not last.is_there():
        _mine.file = last = None  # closed before the next is opened, which may fail
        _mine.file = last = _Open(path)
    if os.write(last.handle, line) != len(line):
        raise OSError(f"There was no room for an entry in {path}.")


class _Open:
    """A journal that is open for appending: opening takes longer than all the rest of an entry."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._is = os.fstat(self.handle)[1:3]

    def is_there(self) -> bool:
        """Whether it has not been removed, as it is when its run is taken for dead."""
        return bool(self._links())

    def _links(self) -> int | None:
        """How many names the file has; None if the handle is another file's by now: programs may close all there are."""
        try:
            found = os.fstat(self.handle)
        except OSError:
            return None
        return found.st_nlink if found[1:3] == self._is else None

    def __del__(self) -> None:
        if hasattr(self, "_is") and self._links() is not None:
            os.close(self.handle)


# That which a thread has appended to last.
_mine = threading.local()


def objects(text: str) -> list[dict[str, Any]]:
    """Give the object that a JSON text is, or those in its list; none of any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [part for part in (found if isinstance(found, list) else [found]) if isinstance(part, dict)]


def entries(lines: bytes) -> Iterator[Entry]:
    """Read entries; half a one, of a process that was killed or had no room, is none."""
    for line in filter(None, lines.split(b"\n")):
        parts = line.decode("utf-8", "replace").split(" ", 2)
        if len(parts) == 3 and parts[1].startswith("fitbook.") and objects(parts[2]):
            yield Entry(*parts)


def left_behind(path: str) -> list[Entry]:
    """Read the journal of whoever may have died; nothing if there is none.

    Raises
    ------
    OSError
        There is one that can't be read.
    """
    try:
        with open(path, "rb") as file:
            return list(entries(file.read()))
    except FileNotFoundError:
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
        self._removed = False
        self._make()

    def _make(self) -> None:
        self._offset = 0
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))

    def read(self) -> list[Entry]:
        """Give what has been appended since the last time.

        Raises
        ------
        OSError
            It can't be read now.
        """
        if self._removed:
            return []
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                lines = file.read()
        except FileNotFoundError:  # somebody has taken its run for dead, long ago
            self._make()
            return []
        end = lines.rfind(b"\n") + 1
        self._offset += end
        return list(entries(lines[:end]))

    def remove(self) -> None:
        """Remove it: all is where it belongs."""
        if not self._removed:
            self._removed = True
            _mine.file = None
            with contextlib.suppress(OSError):
                os.unlink(self.path)
