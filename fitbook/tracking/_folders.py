"""Folders of the user's: what is copied from them, and to them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from fitbook.errors import InvalidValue, StoreUnavailable

LARGE_BYTES, LARGE_COUNT = 100_000_000, 500  # from here on a bar shows how far it is


def scan(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Give every file below a folder with its path there; refuses links, and what is no file."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_symlink():
                raise link(Path(entry.path))
            if entry.is_dir():
                yield from scan(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name, Path(entry.path)
            else:
                raise InvalidValue(f"{entry.path} is neither a file nor a folder, and can't be kept; remove it.")


def link(path: Path) -> InvalidValue:
    """The error for a symbolic link."""
    return InvalidValue(f"{path} is a symbolic link, which is refused; copy what it points to.")


def size(content: Path) -> int:
    """Tell the size of a local file in bytes; 0 if it can't be known."""
    with contextlib.suppress(OSError):  # who copies it says what is wrong
        return content.stat().st_size
    return 0


def made(folder: Path) -> None:
    """Make a folder that may be there already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"The folder {folder} can't be made: {error.strerror}. Choose another.") from error


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file that appears as ``target`` once it is complete."""
    made(target.parent)
    temporary = target.with_name(f".part-{uuid.uuid4().hex}")
    try:
        with open(temporary, "x+b") as file:
            yield file
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise StoreUnavailable(f"The file {target} can't be written: {error.strerror}. Check the disk.") from error
        raise


@contextlib.contextmanager
def progress(doing: str, count: int, total: int) -> Iterator[Callable[[int], object]]:
    """Show a bar where somebody may wait for it; gives what is to be told of the bytes that are done."""
    if (total < LARGE_BYTES and count < LARGE_COUNT) or sys.stderr is None or not sys.stderr.isatty():
        yield lambda size: None
        return
    from tqdm import tqdm  # noqa: PLC0415

    lock = threading.Lock()
    with tqdm(total=total, unit="B", unit_scale=True, desc=doing, file=sys.stderr) as bar:

        def done(size: int) -> None:
            with lock:
                bar.update(size)

        yield done
