"""Tags put into a SQLite store at once, from a process that has loaded nothing else of fitbook.

What a worker process of a search has to say takes it twenty microseconds, and loading the store would take it half a
second. So this is the standard library only, and knows the one table that it writes to.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sqlite3
import threading
from collections.abc import Sequence
from urllib.parse import quote

# How long a fork waits for a write that is under way.
_FORK_SECONDS = 2.0

_PUT = (
    "INSERT INTO tags (run, key, value) SELECT id, ?, ? FROM runs WHERE run_id = ? AND lifecycle_stage = 'active' "
    "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value"
)


class Inbox:
    """The tags of one SQLite file; safe to use from several threads, and in a process that forks.

    Parameters
    ----------
    file : str
        A store's database, which is there.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._url = f"file:{quote(file)}?mode=rw"
        self._lock = threading.Lock()
        self._held = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._waits = -1.0

    def put(self, run_id: str, tags: Sequence[tuple[str, str]], wait: float) -> bool:
        """Set tags of a run, all or none; they are durable against the death of the process when this returns.

        Parameters
        ----------
        run_id : str
            The run.
        tags : sequence of (str, str)
            Keys and values, which are taken as they are.
        wait : float
            Seconds that the database may be locked.

        Returns
        -------
        bool
            False if there is no such run, or it is deleted.

        Raises
        ------
        sqlite3.Error, OSError
            The database is locked, full, damaged, or gone.
        """
        with self._lock:
            connection = self._opened(wait)
            if len(tags) == 1:  # one statement is its own transaction
                return connection.execute(_PUT, (*tags[0], run_id)).rowcount > 0
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = connection.executemany(_PUT, [(*tag, run_id) for tag in tags]).rowcount
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            return done > 0

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self, wait: float) -> sqlite3.Connection:
        found = os.stat(self._file)
        identity = (found.st_ino, found.st_dev)
        if self._connection is None or identity != self._identity:
            self._close()
            self._connection = sqlite3.connect(
                self._url, uri=True, timeout=wait, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._identity, self._waits = identity, wait
        if wait != self._waits:
            self._connection.execute(f"PRAGMA busy_timeout={int(wait * 1000)}")
            self._waits = wait
        return self._connection

    def _forks(self) -> None:
        # SQLite's locks belong to a process: no connection of it may be open in another.
        self._held = self._lock.acquire(timeout=_FORK_SECONDS)
        if self._held:
            self._close()

    def _forked(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def _is_child(self) -> None:
        self._lock, self._held = threading.Lock(), False
        if self._connection is not None:
            _of_the_parent.append(self._connection)
            self._connection = None


_inboxes: dict[str, Inbox] = {}
# Closing these, if only by forgetting them, would be the parent's business.
_of_the_parent: list[sqlite3.Connection] = []


def inbox(file: str) -> Inbox:
    """Give the inbox of a SQLite file, of which this process has one."""
    found = _inboxes.get(file)
    return found if found is not None else _inboxes.setdefault(file, Inbox(file))


@atexit.register
def _close() -> None:
    # Python 3.13 complains of connections that nobody has closed.
    for found in _inboxes.values():
        found.close()


def _each(method: str) -> None:
    for found in list(_inboxes.values()):
        getattr(found, method)()


os.register_at_fork(
    before=lambda: _each("_forks"), after_in_parent=lambda: _each("_forked"), after_in_child=lambda: _each("_is_child")
)
