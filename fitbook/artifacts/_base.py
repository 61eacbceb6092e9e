"""What every place for artifacts can do, and the one rule for paths."""

from __future__ import annotations

import builtins
import re
import unicodedata
from pathlib import Path
from typing import BinaryIO, Protocol

from fitbook.entities import FileInfo, StoredFile
from fitbook.errors import InvalidValue


class Artifacts(Protocol):
    """The files of one run.

    Paths are relative, with forward slashes; `checked` refuses every other. A file appears whole or not at all.
    Threads may share one. Errors: `NotFound` for a path that is not there, `InvalidValue` for one that is refused,
    `StoreUnavailable` if the place can't be reached or written.
    """

    @property
    def remote(self) -> bool:
        """Whether each call waits for another machine, so that several at once are quicker."""

    def put(self, path: str, content: bytes | Path) -> StoredFile:
        """Write one file, given as bytes or as a local file to copy; overwrites. Never holds a local file in memory."""

    def read(self, path: str) -> bytes:
        """Read one file whole."""

    def open(self, path: str, size: int | None = None) -> BinaryIO:
        """Open one file to read it piece by piece; a ``size`` that a listing told saves a question."""

    def list(self, path: str = "") -> builtins.list[FileInfo]:
        """List what is directly inside a folder, by name; empty for a path that is not there."""

    def find(self, path: str = "") -> builtins.list[FileInfo]:
        """List every file below a folder, by path; the file itself for a file, empty for a path that is not there."""

    def local_path(self, path: str = "") -> Path:
        """Give a file or folder as a local path, to be read only; downloads it if it is elsewhere."""

    def delete(self, path: str) -> None:
        """Remove one file or a folder with all in it."""


MAX_PATH = 700  # characters; a database can still have an index on it

# What would be a dot, slash, backslash, percent or NUL, or is no Unicode, once somebody decodes it.
_ENCODED = re.compile(r"%(2[ef5]|5c|00|c[01]|u)", re.IGNORECASE)


def checked(path: object, *, root_allowed: bool = False) -> str:
    """Return the path if it names something strictly inside the run, else raise `InvalidValue`.

    The rule is a list of what is allowed rather than of known tricks: plain segments, joined by single slashes.
    """
    if not isinstance(path, str):
        raise InvalidValue(f"The artifact path {path!r} is not text. Write it like 'plots/roc.png'.")
    if path == "" and root_allowed:
        return path
    reason = refusal(path)
    if reason:
        raise InvalidValue(f"The artifact path {_short(path)} can't be used: {reason}. Write it like 'plots/roc.png'.")
    return path


def refusal(path: str) -> str:
    """Tell why a relative path is refused; empty if it is not."""
    parts = path.split("/")
    # Some place that the files go to later may take look-alikes of dots and slashes for the real ones.
    folded = unicodedata.normalize("NFKC", path).split("/")
    if "\\" in path or ":" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        return "backslashes, colons and control characters are not allowed"
    if any(not part.strip(".;") for part in parts + folded) or any(part != part.strip() for part in parts):
        return "it must be relative, without '.', '..', empty parts, or spaces around a part"
    if any("\ud800" <= c <= "\udfff" for c in path):
        return "it is not valid Unicode"
    if any(len(part.encode()) > 255 for part in parts) or len(path) > MAX_PATH:
        return f"a part may have 255 bytes, the whole {MAX_PATH} characters"
    if _ENCODED.search(path):
        return "percent-encoded dots, slashes, percents and the like are not allowed"
    if path.startswith("~"):
        return "it must not begin with '~'"
    return ""


def _short(path: str) -> str:
    return repr(path if len(path) <= 300 else path[:300] + "…")
