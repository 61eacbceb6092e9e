"""Where the files of runs live."""

from __future__ import annotations

from pathlib import Path

from fitbook.artifacts._base import Artifacts, checked
from fitbook.artifacts._copy import at_once, copied, noted, pieces
from fitbook.artifacts._local import LocalArtifacts
from fitbook.artifacts._location import LocalPlace, checked_location, parse
from fitbook.artifacts._remote import RemoteArtifacts

__all__ = [
    "Artifacts",
    "LocalArtifacts",
    "RemoteArtifacts",
    "at_once",
    "checked",
    "checked_location",
    "copied",
    "noted",
    "open_artifacts",
    "pieces",
]


def open_artifacts(location: str | Path) -> Artifacts:
    """Open the place that an artifact location names; nothing is made or asked there before a file is.

    Raises
    ------
    InvalidValue
        It is no location that fitbook knows; `checked_location` says the same beforehand.
    """
    place = parse(location)
    return LocalArtifacts(place.folder) if isinstance(place, LocalPlace) else RemoteArtifacts(place)
