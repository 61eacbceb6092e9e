"""Artifacts in object storage, through fsspec's drivers: S3, Google Cloud Storage, Azure, and memory for tests.

Objects appear whole: small files are one request, large ones are sent in parts that the service puts together at the
end, or forgets. Credentials come from the environment, as each driver documents.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import threading
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from fitbook import settings
from fitbook.artifacts import _cache
from fitbook.artifacts._base import checked, refusal
from fitbook.artifacts._copy import PIECE, at_once, copied, pieces
from fitbook.artifacts._location import RemotePlace
from fitbook.entities import FileInfo, StoredFile
from fitbook.errors import FitbookError, InvalidValue, NotFound, StoreUnavailable

_PART = 8 * PIECE  # of a large file; services take 10,000 parts at most
_MAX_KEY_BYTES = 1024
# The driver of each scheme under fsspec's name, and the extra that brings it.
_DRIVERS = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "abfs", "abfss": "abfs", "az": "abfs", "memory": "memory"}
_EXTRAS = {"s3": "s3", "gcs": "gcs", "abfs": "azure", "memory": "s3"}


class RemoteArtifacts:
    """The files of one run below ``place``; see `Artifacts` for the verbs."""

    remote = True

    def __init__(self, place: RemotePlace) -> None:
        self.place = place
        self.root = "/".join(filter(None, (place.container, place.key)))

    def put(self, path: str, content: bytes | Path) -> StoredFile:
        """Write one file: in one request if it is small, else in parts."""
        key, driver = self._key(checked(path)), self._driver()
        with self._as_unavailable(path):
            source = iter(pieces(content))
            first = list(islice(source, _PART // PIECE))
            if sum(map(len, first)) < _PART or isinstance(content, bytes) or self.place.scheme == "memory":
                parts: builtins.list[bytes] = []
                stored = copied(path, chain(first, source), parts.append)
                driver.pipe_file(key, parts[0] if len(parts) == 1 else b"".join(parts))
                return stored
            size = os.stat(content).st_size
            return self._put_in_parts(path, chain(first, source), driver, max(_PART, size // 9000))

    def _put_in_parts(self, path: str, source: Iterable[bytes], driver: Any, part: int) -> StoredFile:
        file = driver.open(self._key(path), "wb", block_size=part)
        try:
            stored = copied(path, source, file.write)
            file.close()
        except BaseException:
            # Closing it, as a `with` block and the garbage collector do, would make what was sent so far the file.
            with contextlib.suppress(Exception):
                file.discard()
            file.closed = True
            raise
        return stored

    def read(self, path: str) -> bytes:
        """Read one file whole."""
        key, driver = self._key(checked(path)), self._driver()
        with self._as_unavailable(path), self._existing(path):
            return cast(bytes, driver.cat_file(key))

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """Open one file for reading; what comes next of a large one is fetched ahead."""
        key, driver = self._key(checked(path)), self._driver()
        with self._as_unavailable(path), self._existing(path):
            if size is None:
                found = driver.info(key)
                if found["type"] != "file":
                    raise FileNotFoundError(key)
                size = int(found["size"])
            # Open files of memory are all one, with one position.
            if size <= _PART or self.place.scheme == "memory":
                return io.BytesIO(driver.cat_file(key))
            return cast(BinaryIO, driver.open(key, "rb", block_size=_PART, cache_type="readahead", size=size))

    def list(self, path: str = "") -> builtins.list[FileInfo]:
        """List a folder."""
        key, driver = self._key(checked(path, root_allowed=True)), self._driver()
        with self._as_unavailable(path):
            try:
                entries = driver.ls(key, detail=True)
            except FileNotFoundError:
                return []
            found = [info for entry in entries for info in self._below(path, entry)]
        return sorted(found, key=lambda info: info.path)

    def find(self, path: str = "") -> builtins.list[FileInfo]:
        """List every file below a folder."""
        return [info for info, _ in self._found(path)]

    def local_path(self, path: str = "") -> Path:
        """Download what is not in this process's cache yet."""
        found = self._found(path)
        if not found:
            raise self._missing(path)
        sizes = {info.path: info.file_size for info, _ in found}

        def download(path: str, target: BinaryIO) -> None:
            with self._as_unavailable(path), self.open(path, sizes[path]) as source:
                copied(path, pieces(source), target.write)

        return _cache.local(str(self.place), path, {info.path: version for info, version in found}, download)

    def delete(self, path: str) -> None:
        """Remove a file or folder, file by file."""
        found, driver = self.find(checked(path)), self._driver()
        if not found:
            raise self._missing(path)
        with self._as_unavailable(path):
            at_once(lambda info: driver.rm_file(self._key(info.path)), found)

    def _found(self, path: str) -> builtins.list[tuple[FileInfo, str]]:
        """List files with what changes when a file is written again."""
        key, driver = self._key(checked(path, root_allowed=True)), self._driver()
        with self._as_unavailable(path):
            entries = driver.find(key, detail=True)
            found = [
                (info, _version(entry))
                for entry in entries.values()
                for info in self._below(path, entry, itself=True)
                if not info.is_dir
            ]
        return sorted(found, key=lambda pair: pair[0].path)

    def _below(self, path: str, entry: dict[str, Any], *, itself: bool = False) -> Iterator[FileInfo]:
        """Describe an entry if it lies in the folder and has a name that no reader could take for another place."""
        name = str(entry["name"]).strip("/")
        inside = name.removeprefix(f"{self.root}/")
        lies_below = name != self.root and inside != name and (not path or inside.startswith(f"{path}/"))
        if (lies_below or (itself and path and inside == path)) and not refusal(inside):
            is_dir = entry["type"] == "directory"
            if is_dir or not str(entry["name"]).endswith("/"):  # as some tools mark folders
                yield FileInfo(inside, is_dir, None if is_dir else int(entry["size"] or 0))

    def _key(self, path: str) -> str:
        key = f"{self.root}/{path}" if path else self.root
        if "?" in path or "#" in path:
            raise InvalidValue(f"The artifact path {path!r} can't be used: in {self.place} '?' and '#' mean versions.")
        if len(key.encode()) > _MAX_KEY_BYTES:
            raise InvalidValue(f"The artifact path {path!r} can't be used: with {self.place} it has over 1024 bytes.")
        return key

    def _driver(self) -> Any:
        return _driver(self.place, os.getpid())

    @contextlib.contextmanager
    def _existing(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if self.list(path):
                raise IsADirectoryError(21, "Is a directory") from error
            raise self._missing(path) from None

    def _missing(self, path: str) -> NotFound:
        known = [info.path for info in self.list(path.rpartition("/")[0])]
        return NotFound("artifact", path or str(self.place), known)

    @contextlib.contextmanager
    def _as_unavailable(self, path: str) -> Iterator[None]:
        # The drivers raise what their libraries raise, which has no common base.
        try:
            yield
        except FitbookError:
            raise
        except Exception as error:
            shown = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            raise StoreUnavailable(
                f"The artifact {self.place}{'/' if path else ''}{path} can't be used: {shown}. Check the network, that "
                f"the bucket {self.place.container!r} exists, and that this process's credentials may read and write it."
            ) from error


def _version(entry: dict[str, Any]) -> str:
    keys = ("ETag", "etag", "md5Hash", "content_md5", "generation", "mtime", "LastModified", "last_modified", "created")
    return repr([entry.get("size"), *(str(entry[key]) for key in keys if key in entry)])


_drivers: dict[tuple[object, ...], Any] = {}
_lock = threading.Lock()


def _forget_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_lock)


def _driver(place: RemotePlace, process: int) -> Any:
    """Give the fsspec file system of a place: one for all threads of a process, but no fork shares one."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if place.scheme == "s3" and settings.S3_ENDPOINT_URL.get():
        options["endpoint_url"] = settings.S3_ENDPOINT_URL.get()
    if place.account:
        options["account_name"] = place.account
    key = (process, _DRIVERS[place.scheme], *options.values())
    with _lock:
        if key not in _drivers:
            _drivers[key] = _opened(place, options)
        return _drivers[key]


def _opened(place: RemotePlace, options: dict[str, Any]) -> Any:
    name = _DRIVERS[place.scheme]
    try:
        import fsspec  # noqa: PLC0415

        return fsspec.filesystem(name, skip_instance_cache=True, **options)
    except ImportError as error:
        raise StoreUnavailable(
            f"Artifacts in {place.scheme}:// need a driver that is not installed ({error}). Install it with "
            f"pip install 'fitbook[{_EXTRAS[name]}]'."
        ) from error
    except Exception as error:
        raise StoreUnavailable(
            f"The driver for {place} can't be started: {error}. Check the credentials in the environment."
        ) from error
