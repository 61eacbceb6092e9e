"""Where the files of runs live."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from fitbook.artifacts._base import Artifacts, checked
from fitbook.artifacts._local import LocalArtifacts
from fitbook.errors import InvalidValue

__all__ = ["Artifacts", "LocalArtifacts", "checked", "open_artifacts"]


def open_artifacts(uri: str) -> Artifacts:
    """Open the place that an artifact URI names: a local path or ``file:`` URI.

    Raises
    ------
    InvalidValue
        No backend speaks the URI's scheme.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return LocalArtifacts(Path(unquote(parts.path)))
    if "://" not in uri:
        return LocalArtifacts(Path(uri).absolute())
    raise InvalidValue(
        f"The artifact location {uri!r} has the scheme {parts.scheme!r}; only local paths and file: work."
    )
