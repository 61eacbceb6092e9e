"""Artifacts in a folder of this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fitbook.artifacts._base import checked
from fitbook.entities import FileInfo
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable


class LocalArtifacts:
    """The files of one run under ``root``, which is made by the first `put`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: bytes | Path) -> None:
        """Write one file; see `Artifacts`."""
        target = self._inside(checked(path))
        with _as_unavailable(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as file:
                    if isinstance(content, Path):
                        with content.open("rb") as source:
                            shutil.copyfileobj(source, file, 1 << 20)
                    else:
                        file.write(content)
                os.chmod(temporary, 0o666 & ~_umask())
                os.replace(temporary, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise

    def read(self, path: str) -> bytes:
        """Read one file; see `Artifacts`."""
        target = self._existing(path)
        with _as_unavailable(target):
            return target.read_bytes()

    def list(self, path: str = "") -> list[FileInfo]:
        """List a folder; see `Artifacts`."""
        folder = self._inside(path)
        if not folder.is_dir():
            return []
        with _as_unavailable(folder), os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
            return [
                FileInfo(
                    f"{path}/{entry.name}" if path else entry.name,
                    entry.is_dir(),
                    None if entry.is_dir() else entry.stat().st_size,
                )
                for entry in found
                if not entry.is_symlink() and not entry.name.startswith(".part-")
            ]

    def local_path(self, path: str = "") -> Path:
        """Give the path itself; see `Artifacts`."""
        return self._existing(path)

    def delete(self, path: str) -> None:
        """Remove a file or folder; see `Artifacts`."""
        target = self._existing(checked(path))
        with _as_unavailable(target):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()

    def _inside(self, path: str) -> Path:
        target = self.root.joinpath(checked(path, root_allowed=True))
        # A link planted inside the run would lead out of it without any '..' in the path.
        step = self.root
        for part in target.relative_to(self.root).parts:
            step = step / part
            if step.is_symlink():
                raise InvalidValue(f"The artifact path {path!r} leads through a symbolic link, which is refused.")
        return target

    def _existing(self, path: str) -> Path:
        target = self._inside(path)
        if not target.exists():
            known = [info.path for info in self.list(path.rpartition("/")[0])]
            raise NotFound("artifact", path or str(self.root), known)
        return target


@contextlib.contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The artifact {path} can't be used: {error.strerror or error}. Check the disk, and that this user may read "
            "and write there."
        ) from error


@functools.cache
def _umask() -> int:
    # Reading it means setting it; Linux also shows it, which is safe while other threads make files.
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022
