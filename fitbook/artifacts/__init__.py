"""Where the files of runs live."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from fitbook.artifacts._base import Artifacts, checked
from fitbook.artifacts._local import LocalArtifacts
from fitbook.errors import InvalidValue

__all__ = ["Artifacts", "LocalArtifacts", "checked", "local_uri", "open_artifacts"]


def open_artifacts(uri: str) -> Artifacts:
    """Open the place that an artifact URI names: a local path or ``file:`` URI.

    Raises
    ------
    InvalidValue
        No backend speaks the URI's scheme.
    """
    return LocalArtifacts(_local_folder(uri))


def local_uri(location: str | Path) -> str:
    """Write a local place as the ``file:`` URI that means the same from every working directory.

    Raises
    ------
    InvalidValue
        It is somewhere else.
    """
    if not isinstance(location, (str, Path)):
        raise InvalidValue(f"The artifact location {location!r} is a {type(location).__name__}; give a text or a Path.")
    return _local_folder(str(location)).as_uri()


def _local_folder(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path)).absolute()
    if "://" not in uri:
        return Path(uri).expanduser().absolute()
    host = f" and names the host {parts.netloc!r}" if parts.netloc else ""
    raise InvalidValue(
        f"The artifact location {uri!r} has the scheme {parts.scheme!r}{host}; only places on this machine (paths and "
        "file:) work yet."
    )
