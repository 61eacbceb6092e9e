"""Which models are the user's own work: written by this user, into a tracking directory that nobody else can write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fitbook.registry import PathUri, RemoteUri, RunUri
from fitbook.tracking._backend import Backend


def own_digests(backend: Backend, place: RunUri | PathUri | RemoteUri) -> frozenset[str]:
    """Give the digests of the pickles that fitbook noted when it wrote the model at a place; empty for other people's.

    The notes are in the store's database, not beside the model: who swaps a file does not change what is noted of it.
    """
    if not isinstance(place, RunUri) or backend.file is None:
        return frozenset()
    if not (_is_mine(backend.file) and _is_mine(backend.file.parent)):
        return frozenset()
    logged = backend.store.list_logged_models(str(place.run_id))
    return frozenset(model.sha256 for model in logged if model.artifact_path == place.path and model.sha256)


def _is_mine(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    # A group of the user's own, as many systems make one, is nobody else.
    shared = stat.S_IWOTH | (0 if found.st_gid == os.getegid() else stat.S_IWGRP)
    return found.st_uid == os.geteuid() and not found.st_mode & shared
