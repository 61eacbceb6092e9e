"""Which store and registry are current, opened on first use."""

from __future__ import annotations

import atexit
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fitbook import settings
from fitbook.artifacts import open_artifacts
from fitbook.entities import Experiment
from fitbook.errors import NotFound
from fitbook.registry import Registry, SqlRegistry
from fitbook.store import DEFAULT_EXPERIMENT_ID, Store, absolute_uri, open_store, patience
from fitbook.tracking._files import RunFiles
from fitbook.tracking._lease import leases
from fitbook.tracking._writer import writer

__all__ = [
    "Backend",
    "Place",
    "choose_experiment",
    "current",
    "current_experiment_id",
    "experiment_called",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "open_backend",
    "patience",
    "place",
    "readable",
    "set_tracking_uri",
]


@dataclass(frozen=True)
class Backend:
    """One tracking URI, opened."""

    uri: str = field(repr=False)
    store: Store
    registry: Registry
    file: Path | None = None  # of SQLite

    def artifacts(self, run_id: str) -> RunFiles:
        """Open the place for the files of a run."""
        return RunFiles(open_artifacts(self.store.get_run_info(run_id).artifact_uri), self.store, run_id)


class Place(NamedTuple):
    """Where new runs go."""

    uri: str
    experiment_id: (
        str | None
    )  # None: that of the experiment by this name, which is looked up, or made, for the first run
    experiment_name: str


_lock = threading.RLock()
_opened: dict[str, Backend] = {}
_chosen_uri: str | None = None
# What the environment, or the default, meant when it was first asked for: a program that then changes its working
# directory goes on writing to the same place.
_pinned: dict[str, str] = {}
_chosen_experiment: tuple[str, Experiment, int] | None = None
# What a task was sent here with, by another process.
as_sent: ContextVar[Place | None] = ContextVar("fitbook_as_sent", default=None)


def set_tracking_uri(uri: str | Path | None) -> None:
    """Choose where runs and models are kept from now on.

    Parameters
    ----------
    uri : str or Path or None
        A folder (path or ``file:`` URI), or a database URL; None or ``""`` goes back to ``FITBOOK_TRACKING_URI``, or
        ``./fitbook-runs``. Nothing is opened or made before it is used.

    Raises
    ------
    InvalidValue
        The URI is not one that fitbook knows.
    """
    global _chosen_uri
    as_sent.set(None)
    _chosen_uri = None if uri is None or uri == "" else absolute_uri(uri)


def get_tracking_uri() -> str:
    """Tell where runs and models are kept."""
    sent = as_sent.get()
    if sent is not None:
        return sent.uri
    if _chosen_uri is not None:
        return _chosen_uri
    text = settings.TRACKING_URI.get()
    pinned = _pinned.get(text)
    if pinned is None:
        pinned = _pinned.setdefault(text, absolute_uri(text))
    return pinned


def is_tracking_uri_set() -> bool:
    """Tell whether a tracking URI was chosen, by call or by environment."""
    return _chosen_uri is not None or settings.TRACKING_URI.get() != settings.TRACKING_URI.default


def current() -> Backend:
    """Open what is current, for writing."""
    return open_backend(get_tracking_uri())


def readable() -> Backend:
    """Open what is current after everything that this process has still to write is written."""
    writer.flush()
    return current()


def open_backend(uri: str, *, create: bool = True) -> Backend:
    """Open a tracking URI; one that is open already is used again."""
    uri = absolute_uri(uri)
    backend = _opened.get(uri)
    if backend is None:
        with _lock:
            backend = _opened.get(uri)
            if backend is None:
                store = open_store(uri, create=create)
                backend = _opened[uri] = Backend(uri, store, SqlRegistry(store.database), store.database.file)
    return backend


def choose_experiment(experiment_id: str) -> None:
    """Make an experiment of the current store the one for new runs."""
    global _chosen_experiment
    store = current().store
    if as_sent.get() is not None:
        experiment = store.get_experiment(experiment_id)
        as_sent.set(Place(get_tracking_uri(), experiment.experiment_id, experiment.name))
        return
    _chosen_experiment = (get_tracking_uri(), store.get_experiment(experiment_id), store.generation())


def current_experiment_id() -> str:
    """Give the experiment for new runs: the chosen one, that of the environment (made if new), or the default."""
    here = place()
    return experiment_called(here.experiment_name) if here.experiment_id is None else here.experiment_id


def place() -> Place:
    """Tell where new runs go; no store is opened for that, nor asked unless it was removed."""
    sent = as_sent.get()
    if sent is not None:
        return sent
    uri = get_tracking_uri()
    if _chosen_experiment is not None and _chosen_experiment[0] == uri:
        _, experiment, generation = _chosen_experiment
        if current().store.generation() != generation:
            # A new one knows nothing of the id.
            choose_experiment(experiment_called(experiment.name))
            return place()
        return Place(uri, experiment.experiment_id, experiment.name)
    name = settings.EXPERIMENT_NAME.get()
    return Place(uri, DEFAULT_EXPERIMENT_ID if name == settings.EXPERIMENT_NAME.default else None, name)


def experiment_called(name: str) -> str:
    """Give the id of an experiment by name; it is made if there is none, also when two processes ask at once."""
    store = current().store
    found = store.get_experiment_by_name(name)
    if found is None:
        try:
            return store.create_experiment(name)
        except Exception:
            found = store.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise NotFound(
            "active experiment",
            name,
            hint="It is deleted: restore it with Client().restore_experiment(), or take another.",
        )
    return found.experiment_id


def _close_at_exit() -> None:
    # Python 3.13 complains of connections that nobody has closed. The writer comes first: it still needs them.
    written = writer.finish()
    leases.stop()
    if written:
        for backend in _opened.values():
            backend.store.close()


atexit.register(_close_at_exit)
