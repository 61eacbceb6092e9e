"""Where the files of a run are now, by the address that MLflow has noted for them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fitbook.artifacts import LocalArtifacts, open_artifacts
from fitbook.errors import FitbookError
from fitbook.transfer._records import Files

# The folders that MLflow makes for artifacts, wherever it is started.
PROXY = "mlflow-artifacts"
_ID = re.compile(r"(m-)?[0-9a-f]{32}")
_ROOTS = ("mlruns", "mlartifacts")


def find_files(uri: str, beside: Path, own: Path | None = None) -> Files | None:
    """Find the files at an artifact address of MLflow.

    An address may be relative to wherever MLflow was once started, and its folder may have been moved or copied since.

    Parameters
    ----------
    uri : str
        The address: a path, a ``file:`` URI, or an address elsewhere. A local one must end like those that MLflow makes,
        ``<id>/artifacts``: a record from a stranger must not be able to name any folder of this machine.
    beside : Path
        The folder in which the record lies.
    own : Path, optional
        Where the files are if they were moved together with the record.

    Returns
    -------
    Files or None
        None if they are behind a server, or nowhere.
    """
    noted = local_path(uri)
    if noted is None and uri:
        try:
            return open_artifacts(uri)
        except FitbookError:
            pass
    candidates = [own] if own is not None else []
    if (path := proxied_path(uri)) is not None and path.endswith("/artifacts") and ".." not in path:
        # A server's own store of artifacts, in the folder where it was started.
        candidates += [beside / root / path for root in _ROOTS]
    if noted is not None and noted.name == "artifacts" and _ID.fullmatch(noted.parent.name):
        candidates.append(beside / noted)
        steps = noted.parts
        candidates += [beside.joinpath(*steps[steps.index(root) :]) for root in _ROOTS if root in steps]
    candidates = [folder for folder in candidates if not folder.is_symlink()]
    for folder in candidates:
        if folder.is_dir():
            return LocalArtifacts(folder)
    # MLflow makes the folder of a run with its first file: beside those of others, it is one without any.
    return next((LocalArtifacts(folder) for folder in candidates if folder.parents[1].is_dir()), None)


def local_path(uri: str) -> Path | None:
    """The path that an address means; None if it is no path of this machine."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # brackets that hold no address
        return None
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return Path(uri) if uri and not parts.scheme else None


def proxied_path(uri: str) -> str | None:
    """The path of an address in a server's own store of artifacts; None for other addresses."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return parts.path.strip("/") if parts.scheme == PROXY else None
