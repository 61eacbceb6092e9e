"""What every place for artifacts can do, in five methods, and the one rule for paths."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Protocol

from fitbook.entities import FileInfo
from fitbook.errors import InvalidValue


class Artifacts(Protocol):
    """The files of one run.

    Paths are relative, with forward slashes; `checked` refuses every other. A file appears whole or not at all: it is
    written under a temporary name and then renamed. Errors: `NotFound` for a path that is not there, `StoreUnavailable`
    if the place can't be reached or written.
    """

    def put(self, path: str, content: bytes | Path) -> None:
        """Write one file, given as bytes or as a local file to copy; overwrites."""

    def read(self, path: str) -> bytes:
        """Read one file whole."""

    def list(self, path: str = "") -> list[FileInfo]:
        """List what is directly inside a folder, by name; empty for a path that is not there."""

    def local_path(self, path: str = "") -> Path:
        """Give a file or folder as a local path, to be read only; downloads it if it is elsewhere."""

    def delete(self, path: str) -> None:
        """Remove one file or a folder with all in it."""


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
    reason = ""
    parts = path.split("/")
    # Some place that the files go to later may take look-alikes of dots and slashes for the real ones.
    folded = unicodedata.normalize("NFKC", path).split("/")
    if "\\" in path or ":" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        reason = "backslashes, colons and control characters are not allowed"
    elif any(not part.strip(".;") for part in parts + folded) or any(part != part.strip() for part in parts):
        reason = "it must be relative, without '.', '..', empty parts, or spaces around a part"
    elif any(len(part.encode("utf-8", "replace")) > 255 for part in parts) or len(path) > 1024:
        reason = "a part may have 255 bytes, the whole 1024 characters"
    elif _ENCODED.search(path):
        reason = "percent-encoded dots, slashes, percents and the like are not allowed"
    elif path.startswith("~"):
        reason = "it must not begin with '~'"
    elif any("\ud800" <= c <= "\udfff" for c in path):
        reason = "it is not valid Unicode"
    if reason:
        raise InvalidValue(f"The artifact path {path!r} can't be used: {reason}. Write it like 'plots/roc.png'.")
    return path
