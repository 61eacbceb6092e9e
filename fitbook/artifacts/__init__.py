"""Where the files of runs live; for users also the functions of MLflow's ``artifacts``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.artifacts._base import Artifacts, checked
from fitbook.artifacts._copy import at_once, copied, noted, pieces
from fitbook.artifacts._local import LocalArtifacts
from fitbook.artifacts._location import REMOTE_SCHEMES, LocalPlace, checked_location, parse
from fitbook.artifacts._remote import RemoteArtifacts

__all__ = [
    "REMOTE_SCHEMES",
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


# What users find here under MLflow's names speaks of runs and models, and so is tracking's, which stands above this
# package: nothing here uses it.
_FOR_USERS = frozenset({"download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"})

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _FOR_USERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module("fitbook.tracking"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FOR_USERS})
