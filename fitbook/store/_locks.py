"""A lock that one process at a time holds, for work that a transaction can't cover, such as changing a file in S3.

Whoever uses one store can reach its lock: PostgreSQL and MySQL have locks by name, and everybody who writes to a SQLite
file is on its machine, where a file beside it is locked. All of them let go when their holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from fitbook.errors import StoreUnavailable
from fitbook.store._database import Database
from fitbook.store._engines import jitter
from fitbook.store._urls import sqlite_file

PATIENCE_SECONDS = 60.0
FIRST_WAIT, LONGEST_WAIT = 0.001, 0.05

_here = threading.Lock()


def _after_fork() -> None:
    global _here
    _here = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def exclusive(database: Database, name: str) -> Iterator[None]:
    """Hold the lock of this name in this block; not to be taken again inside it.

    Raises
    ------
    StoreUnavailable
        Another holds it for more than a minute.
    """
    if database.dialect == "sqlite":
        held = _file_lock(f"{file}.lock", name) if (file := sqlite_file(database.url)) else _thread_lock(name)
    else:
        held = _server_lock(database, name)
    with held:
        yield


@contextlib.contextmanager
def _file_lock(path: str, name: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        for _ in _attempts(name):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        try:
            yield
        finally:
            # Closing is not enough where the process was forked meanwhile.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _thread_lock(name: str) -> Iterator[None]:
    lock = _here
    if not lock.acquire(timeout=PATIENCE_SECONDS):
        raise _taken(name)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _server_lock(database: Database, name: str) -> Iterator[None]:
    digest = hashlib.sha256(name.encode()).digest()
    if database.dialect == "postgresql":
        key = int.from_bytes(digest[:8], "big", signed=True)
        take = sa.select(sa.func.pg_try_advisory_xact_lock(key))
        free = None  # the end of the transaction does it
    else:
        key_text = f"fitbook.{digest.hex()[:40]}"
        take, free = sa.select(sa.func.get_lock(key_text, 0)), sa.select(sa.func.release_lock(key_text))
    # Each that waits has a connection: threads could take all of them, and leave none for the work of the one that goes on.
    with _thread_lock(name), database.write() as connection:
        for _ in _attempts(name):
            if connection.scalar(take):
                break
        try:
            yield
        finally:
            if free is not None:
                with contextlib.suppress(DBAPIError):  # a connection that is lost holds nothing any more
                    connection.execute(free)


def _attempts(name: str) -> Iterator[None]:
    deadline, wait = time.monotonic() + PATIENCE_SECONDS, FIRST_WAIT
    while True:
        yield
        if time.monotonic() > deadline:
            raise _taken(name)
        time.sleep(wait * jitter.uniform(0.5, 1.5))
        wait = min(wait * 2, LONGEST_WAIT)


def _taken(name: str) -> StoreUnavailable:
    return StoreUnavailable(f"Another process has been changing {name} for {PATIENCE_SECONDS:g} s; try again.")
