"""The module-level verbs that begin, end, read and delete runs."""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from fitbook import _validate, settings
from fitbook._log import FitbookWarning
from fitbook.entities import LifecycleStage, Run, RunStatus
from fitbook.errors import NotFound, WrongState
from fitbook.tracking import _active
from fitbook.tracking._backend import current, current_experiment_id
from fitbook.tracking._client import Client
from fitbook.tracking._run import ActiveRun, new_draft, resume, start


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
) -> ActiveRun:
    """Begin a run and make it the active one; best used as ``with fitbook.start_run() as run:``.

    Parameters
    ----------
    run_id : str, optional
        Resume this run instead of beginning a new one.
    experiment_id : str, optional
        Where the run belongs; if not given, the parent's experiment, or else the chosen one.
    run_name : str, optional
        A made-up one if not given.
    nested : bool, default False
        Begin a child of the active run. Without it, an active run is an error.
    parent_run_id : str, optional
        Begin a child of this run.
    tags : mapping, optional
        More tags.
    description : str, optional
        A note, kept in the tag ``mlflow.note.content``.
    log_system_metrics : bool, optional
        MLflow's; nothing is recorded of the machine, and True is answered with a warning.

    Returns
    -------
    ActiveRun
        Ends as FINISHED at the end of its ``with`` block, FAILED if an error leaves it, KILLED if an interrupt does.

    Raises
    ------
    WrongState
        A run is active and ``nested`` is not set, or the run to resume, or to be the parent, is deleted.
    NotFound
        The run or experiment does not exist.
    """
    _active.require_nested_allowed(nested)
    if log_system_metrics:
        warnings.warn("fitbook records no system metrics; the run is recorded without them.", FitbookWarning, 2)
    backend = current()
    outer = _active.innermost()
    if run_id is None and outer is None and settings.RUN_ID.get():
        # Each process resumes the run that its environment names only once: the next is a new one.
        run_id = os.environ.pop(settings.RUN_ID.name)
    if run_id is not None:
        return resume(backend, run_id, run_name, tags)
    parent = parent_run_id or (outer.run_id if outer is not None else None)
    if parent is not None:
        info = backend.store.get_run_info(parent)
        if info.lifecycle_stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The run {parent} is deleted; restore it before it gets a child.")
        experiment_id = experiment_id or info.experiment_id
    elif experiment_id is None:
        experiment_id = current_experiment_id()
    draft = new_draft(str(experiment_id), run_name, parent_run_id=parent, tags=tags, description=description)
    return start(backend, draft)


def end_run(status: str = RunStatus.FINISHED) -> None:
    """End the innermost active run; does nothing if there is none."""
    _validate.one_of("run status", status, RunStatus.ALL)
    run = _active.pop()
    if run is not None:
        run.end(status)


def active_run() -> ActiveRun | None:
    """Give the innermost active run of this thread or task; None if there is none."""
    return _active.innermost()


def last_active_run() -> Run | None:
    """Read the run that was active last in this thread (or, if it had none, in the process), ended or not.

    Runs that autologging made count.
    """
    run_id = _active.last_run_id()
    if run_id is None:
        return None
    try:
        return Client().get_run(run_id)
    except NotFound:
        return None


def get_run(run_id: str) -> Run:
    """Read a run; raises `NotFound` if there is none."""
    return Client().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Read the run that a nested run belongs to; None if it is not nested."""
    return Client().get_parent_run(run_id)


def delete_run(run_id: str, children: bool = False) -> None:
    """Mark a run as deleted, with its children and theirs if asked for."""
    Client().delete_run(run_id, children)


def restore_run(run_id: str, children: bool = False) -> None:
    """Undo `delete_run`, for the children as well if asked for."""
    Client().restore_run(run_id, children)


_inherited: tuple[ActiveRun, ...] = ()


def _note_inherited() -> None:
    global _inherited
    _inherited = _active.stack()


def _end_at_exit() -> None:
    for run in reversed(_active.stack()):
        # What was active when this process was forked goes on in its parent.
        if run not in _inherited:
            run.end(_status_at_exit())


def _status_at_exit() -> str:
    # Python keeps the exception that nobody has caught. In a notebook or prompt that was some line before, and no end.
    error = getattr(sys, "last_value", None)
    if error is None or hasattr(sys, "ps1") or "IPython" in sys.modules:
        return RunStatus.FINISHED
    return RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED


atexit.register(_end_at_exit)
os.register_at_fork(after_in_child=_note_inherited)
