"""The folder of this process for what was downloaded: only its user may read it, and it goes when the process ends.

A process that is killed leaves its folder behind; the next one that needs a folder removes it. That nobody uses one any
more is seen by its lock, which the system takes from a dead process.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from fitbook.artifacts._copy import at_once

_PREFIX = "fitbook-cache-"
_LOCK = ".lock"


class _Cache:
    """The folder, made on first use."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.lock = threading.Lock()
        self._folder: Path | None = None
        self._held = -1
        self._versions: dict[tuple[str, str], str] = {}

    def local(
        self, place: str, path: str, versions: Mapping[str, str], download: Callable[[str, BinaryIO], None]
    ) -> Path:
        """Give a file or folder of a place as a local path.

        Parameters
        ----------
        place : str
            Where the files are.
        path : str
            The file or folder asked for; ``""`` for all.
        versions : mapping of str to str
            The path of each file, and a text that changes with its content: only what changed is downloaded.
        download : callable
            Writes the file of a path into an open one.
        """
        with self.lock:
            folder = self._made() / hashlib.sha256(place.encode()).hexdigest()[:16]
            for old in [p for at, p in self._versions if at == place and _is_below(p, path) and p not in versions]:
                (folder / old).unlink(missing_ok=True)
                del self._versions[place, old]

            def fetch(wanted: str) -> None:
                _write(folder, wanted, download)
                self._versions[place, wanted] = versions[wanted]

            at_once(fetch, [p for p, version in versions.items() if self._versions.get((place, p)) != version])
            return folder / path

    def remove(self) -> None:
        """Remove the folder, with all in it."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self.let_go()

    def let_go(self) -> None:
        """Forget the folder without removing it: it is another process's."""
        if self._held >= 0:
            os.close(self._held)
        self._begin()

    def _made(self) -> Path:
        while self._folder is None or not self._folder.is_dir():
            _sweep()
            self._versions.clear()
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._held = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX)
            # Another process's sweep may have come between the two lines; then there is no folder any more.
            self._folder = folder
        return self._folder


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _write(folder: Path, path: str, download: Callable[[str, BinaryIO], None]) -> None:
    target = folder / path
    for parent in reversed(target.relative_to(folder.parent).parents[:-1]):
        (folder.parent / parent).mkdir(0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            download(path, file)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _sweep() -> None:
    """Remove what processes left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.geteuid():
                continue
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


_cache = _Cache()
local = _cache.local

atexit.register(_cache.remove)
os.register_at_fork(after_in_child=_cache.let_go)
