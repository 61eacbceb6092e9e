"""What every place for artifacts can do, in five methods, and the one rule for paths."""

from __future__ import annotations

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


def checked(path: object, *, root_allowed: bool = False) -> str:
    """Return the path if it names something strictly inside the run, else raise `InvalidValue`.

    The rule is a list of what is allowed rather than of known tricks: plain segments, joined by single slashes.
    """
    if not isinstance(path, str):
        raise InvalidValue(f"The artifact path {path!r} is not text. Write it like 'plots/roc.png'.")
    if path == "" and root_allowed:
        return path
    reason = ""
    if "\\" in path or ":" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        reason = "backslashes, colons and control characters are not allowed"
    elif any(part in ("", ".", "..") or part != part.strip() for part in path.split("/")):
        reason = "it must be relative, without '.', '..', empty parts, or spaces around a part"
    elif any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")) or len(path) > 1024:
        reason = "a part may have 255 bytes, the whole 1024 characters"
    elif "%2e" in path.lower() or "%2f" in path.lower() or "%5c" in path.lower() or "%25" in path.lower():
        reason = "percent-encoded dots, slashes and percents are not allowed"
    elif path.startswith("~"):
        reason = "it must not begin with '~'"
    else:
        try:
            path.encode()
        except UnicodeEncodeError:
            reason = "it is not valid Unicode"
    if reason:
        raise InvalidValue(f"The artifact path {path!r} can't be used: {reason}. Write it like 'plots/roc.png'.")
    return path
