"""Copying in pieces, with the digest made on the way: a file is read once, and never held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO, TypeVar

from fitbook.entities import StoredFile

T = TypeVar("T")
U = TypeVar("U")

PIECE = 1 << 20
TRANSFERS = 16  # at once, where each waits for another machine


def pieces(content: bytes | Path | BinaryIO) -> Iterator[bytes]:
    """Give bytes as they are, a local file or an open one piece by piece."""
    if isinstance(content, (bytes, bytearray)):
        yield content
    elif isinstance(content, Path):
        with content.open("rb") as file:
            yield from pieces(file)
    else:
        while piece := content.read(PIECE):
            yield piece


def copied(path: str, source: Iterable[bytes], write: Callable[[bytes], object]) -> StoredFile:
    """Write all pieces; returns what was written."""
    digest, size = hashlib.sha256(), 0
    for piece in source:
        digest.update(piece)
        write(piece)
        size += len(piece)
    return StoredFile(path, size, digest.hexdigest())


def noted(path: str, source: Iterable[bytes]) -> StoredFile:
    """Tell size and digest of what is there."""
    return copied(path, source, len)


def at_once(work: Callable[[T], U], items: Iterable[T], workers: int = TRANSFERS) -> list[U]:
    """Do the same to all items, several at once; the first error ends it, and nothing new is begun after it."""
    waiting = list(items)
    if workers <= 1 or len(waiting) <= 1:
        return [work(item) for item in waiting]
    with ThreadPoolExecutor(min(workers, len(waiting)), "fitbook-transfer") as pool:
        try:
            futures = [pool.submit(work, item) for item in waiting]
        except RuntimeError:  # the interpreter is ending, and starts no threads any more
            return [work(item) for item in waiting]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
        failed = [future for future in futures if not future.cancelled() and future.exception()]
        return [future.result() for future in failed or futures]
