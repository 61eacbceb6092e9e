"""The record as the commands read it: an existing store, runs by short ids, experiments by name."""

from __future__ import annotations

from typing import Any

from fitbook.cli._common import chosen_uri
from fitbook.entities import Experiment, Run, ViewType
from fitbook.errors import InvalidValue, NotFound
from fitbook.store import Store
from fitbook.tracking import get_tracking_uri
from fitbook.tracking._backend import Backend, open_backend

SHORT = 8

NOTHING_YET = (
    "No runs yet. Put `import fitbook; fitbook.autolog()` at the top of a script that fits a model, run it, "
    "and look here again."
)


def opened() -> Backend:
    """Open the store that the command line names; one that is not there is not made.

    Raises
    ------
    StoreUnavailable
        There is none, or it can't be read.
    """
    return open_backend(chosen_uri() or get_tracking_uri(), create=False)


def short(run_id: str) -> str:
    """The beginning of a run's id that is shown, and accepted back."""
    return run_id[:SHORT]


def find_run(store: Store, beginning: str) -> Run:
    """Read the one run whose id begins with a text.

    Raises
    ------
    NotFound
        There is none.
    InvalidValue
        There are several.
    """
    found = store.find_runs(beginning) if beginning else []
    if beginning in found:
        found = [beginning]
    if not found:
        ids = [experiment.experiment_id for experiment in experiments(store)]
        recent = [short(run.info.run_id) for run in store.search_runs(ids, max_results=200)]
        raise NotFound("run", beginning, recent, "`fitbook runs list` shows the runs.")
    if len(found) > 1:
        shown = ", ".join(run_id[: max(SHORT, len(beginning) + 4)] for run_id in found)
        raise InvalidValue(f"Several runs begin with {beginning!r}: {shown}. Give more of the id.")
    return store.get_run(found[0])


def experiments(store: Store, names: tuple[str, ...] = ()) -> list[Experiment]:
    """The experiments with these names or ids; all that are not deleted if none is given.

    Raises
    ------
    NotFound
        One of them does not exist.
    """
    every = every_experiment(store, ViewType.ACTIVE_ONLY)
    if not names:
        return every
    by_key = {e.experiment_id: e for e in every} | {e.name: e for e in every}
    for name in names:
        if name not in by_key:
            raise NotFound("experiment", name, [experiment.name for experiment in every])
    return list({by_key[name].experiment_id: by_key[name] for name in names}.values())


def every_experiment(store: Store, view_type: int = ViewType.ALL) -> list[Experiment]:
    """List all experiments, however many there are."""
    page = store.search_experiments(view_type)
    every = list(page)
    while page.token:
        page = store.search_experiments(view_type, page_token=page.token)
        every += page
    return every


def run_as_dict(run: Run, experiment: str) -> dict[str, Any]:
    """A run for JSON."""
    info = run.info
    return {
        "run_id": info.run_id,
        "run_name": info.run_name,
        "experiment_id": info.experiment_id,
        "experiment": experiment,
        "status": info.status,
        "start_time": info.start_time,
        "end_time": info.end_time,
        "user": info.user_id,
        "artifact_uri": info.artifact_uri,
        "params": dict(run.data.params),
        "metrics": dict(run.data.metrics),
        "tags": dict(run.data.tags),
    }
