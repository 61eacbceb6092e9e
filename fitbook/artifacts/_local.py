"""Artifacts in a folder of this machine.

Every path is walked from the root by handles of folders, and no step follows a symbolic link: what is opened is inside
the root also when somebody swaps a folder for a link between two steps.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fitbook.artifacts._base import checked
from fitbook.artifacts._copy import copied, pieces
from fitbook.entities import FileInfo, StoredFile
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Opening a named pipe would wait for its other end.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY = re.compile(r"\.part-[0-9a-f]{32}")


class LocalArtifacts:
    """The files of one run under ``root``, which is made by the first `put`; see `Artifacts` for the verbs."""

    remote = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: bytes | Path) -> StoredFile:
        """Write one file under a temporary name, and rename it."""
        *folders, name = checked(path).split("/")
        with self._as_unavailable(path), self._folder(path, folders, create=True) as folder:
            if _kind(name, folder) == stat.S_IFLNK:
                raise _link(path)
            temporary = f".part-{uuid.uuid4().hex}"
            try:
                # No fsync: what is lost with the machine's power is noticed by its digest, as with the store's rows.
                with os.fdopen(os.open(temporary, _NEW, 0o666, dir_fd=folder), "wb") as file:
                    stored = copied(path, pieces(content), file.write)
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
        return stored

    def read(self, path: str) -> bytes:
        """Read one file whole."""
        with self._as_unavailable(path), self.open(path) as file:
            return file.read()

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """Open one file for reading."""
        *folders, name = checked(path).split("/")
        with self._as_unavailable(path), self._existing(path), self._folder(path, folders) as folder:
            try:
                handle = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise _link(path) from None
                raise
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                os.close(handle)
                code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
                raise OSError(code, "Is a directory" if stat.S_ISDIR(mode) else "Is no regular file")
            return os.fdopen(handle, "rb")

    def list(self, path: str = "") -> builtins.list[FileInfo]:
        """List a folder."""
        return self._listed(checked(path, root_allowed=True), deep=False)

    def find(self, path: str = "") -> builtins.list[FileInfo]:
        """List every file below a folder."""
        *folders, name = checked(path, root_allowed=True).split("/")
        with self._as_unavailable(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            with self._folder(path, folders) as folder:
                found = _info(path, name, folder) if name else None
            if found is not None and not found.is_dir:
                return [found]
        return self._listed(path, deep=True)

    def local_path(self, path: str = "") -> Path:
        """Give the path itself."""
        *folders, name = checked(path, root_allowed=True).split("/")
        with self._as_unavailable(path), self._existing(path), self._folder(path, folders) as folder:
            if name and _kind(name, folder) == stat.S_IFLNK:
                raise _link(path)
            os.stat(name or ".", dir_fd=folder)
        return self.root / path

    def delete(self, path: str) -> None:
        """Remove a file or folder."""
        *folders, name = checked(path).split("/")
        with self._as_unavailable(path), self._existing(path), self._folder(path, folders) as folder:
            kind = _kind(name, folder)
            if kind == stat.S_IFLNK:
                raise _link(path)
            if kind == stat.S_IFDIR:
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)

    def _listed(self, path: str, *, deep: bool) -> builtins.list[FileInfo]:
        with self._as_unavailable(path):
            try:
                with self._folder(path, path.split("/") if path else []) as folder:
                    return list(_entries(path, folder, deep))
            except (FileNotFoundError, NotADirectoryError):
                return []

    @contextlib.contextmanager
    def _folder(self, path: str, folders: builtins.list[str], *, create: bool = False) -> Iterator[int]:
        """Open a folder inside the root, which may itself stand behind a link."""
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root, _FOLDER)
        try:
            for name in folders:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=handle)
                inner = _inner(path, name, handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _existing(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            known = [info.path for info in self.list(path.rpartition("/")[0])]
            raise NotFound("artifact", path or str(self.root), known) from None

    @contextlib.contextmanager
    def _as_unavailable(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(
                f"The artifact {self.root / path} can't be used: {error.strerror or error}. Check the disk, and that "
                "this user may read and write there."
            ) from error


def _inner(path: str, name: str, folder: int) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        # Which of the two a link gives depends on the system.
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and _kind(name, folder) == stat.S_IFLNK:
            raise _link(path) from None
        raise


def _entries(path: str, folder: int, deep: bool) -> Iterator[FileInfo]:
    for name in sorted(os.listdir(folder)):
        found = _info(f"{path}/{name}" if path else name, name, folder)
        if found is None or _TEMPORARY.fullmatch(name):
            continue
        if not (deep and found.is_dir):
            yield found
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, InvalidValue):  # gone, or swapped
            inner = _inner(found.path, name, folder)
            try:
                yield from _entries(found.path, inner, deep)
            finally:
                os.close(inner)


def _info(path: str, name: str, folder: int) -> FileInfo | None:
    """Describe one entry; None for links, pipes and devices."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return FileInfo(path, True, None)
    return FileInfo(path, False, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _kind(name: str, folder: int) -> int:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0


def _link(path: str) -> InvalidValue:
    return InvalidValue(f"The artifact path {path!r} leads through a symbolic link, which is refused.")
