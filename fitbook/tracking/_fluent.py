"""The module-level verbs: each one line onto the active run, or onto a client of the current store."""

from __future__ import annotations

import atexit
import builtins
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fitbook import _validate, settings
from fitbook._log import FitbookWarning
from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    ModelVersion,
    PagedList,
    RegisteredModel,
    Run,
    RunStatus,
    ViewType,
)
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.store import absolute_uri
from fitbook.tracking import _active
from fitbook.tracking._backend import (
    choose_experiment,
    current,
    current_experiment_id,
    experiment_called,
    get_tracking_uri,
)
from fitbook.tracking._client import Client, active_experiments, download, listed
from fitbook.tracking._models import active_or_new_run
from fitbook.tracking._run import ActiveRun, RunHandle, new_draft, resume, start
from fitbook.tracking._writer import writer

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

# -- experiments -----------------------------------------------------------------------------------------------------


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None) -> Experiment:
    """Choose the experiment for new runs.

    Parameters
    ----------
    experiment_name : str, optional
        Made if there is none of that name.
    experiment_id : str, optional
        Instead of the name; must exist.

    Returns
    -------
    Experiment

    Raises
    ------
    InvalidValue
        Neither or both were given, or the name breaks a rule.
    NotFound
        There is no such id, or the experiment of that name is deleted.
    """
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidValue("set_experiment needs either a name or experiment_id=…, and not both.")
    number = experiment_called(experiment_name) if experiment_name is not None else str(experiment_id)
    experiment = current().store.get_experiment(number)
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        raise WrongState(f"The experiment {experiment.name!r} is deleted; restore it, or choose another.")
    choose_experiment(number)
    return experiment


def create_experiment(
    name: str, artifact_location: str | Path | None = None, tags: Mapping[str, Any] | None = None
) -> str:
    """Make an experiment without choosing it; returns its id.

    Parameters
    ----------
    name : str
        Not taken yet, also not by a deleted one.
    artifact_location : str or Path, optional
        The folder (path or ``file:`` URI) for the files of its runs; in the store's own if not given.
    tags : mapping, optional
        Tags of the experiment.

    Raises
    ------
    AlreadyExists
        The name is taken.
    InvalidValue
        The name breaks a rule, or the location is not a local one.
    """
    return Client().create_experiment(name, artifact_location, tags)


def get_experiment(experiment_id: str) -> Experiment:
    """Read an experiment."""
    return Client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Read an experiment by name; None if there is none."""
    return Client().get_experiment_by_name(name)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """List experiments, newest first."""
    return list(Client().search_experiments(view_type, max_results or 100_000, filter_string, order_by))


def delete_experiment(experiment_id: str) -> None:
    """Mark an experiment and its runs as deleted."""
    Client().delete_experiment(experiment_id)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set one tag of the chosen experiment."""
    Client().set_experiment_tag(current_experiment_id(), key, value)


# -- runs ------------------------------------------------------------------------------------------------------------


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
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
    backend = current()
    outer = _active.innermost()
    if run_id is None and outer is None and settings.RUN_ID.get():
        # Each process resumes the run that its environment names only once: the next is a new one.
        run_id = os.environ.pop(settings.RUN_ID.name)
    if run_id is not None:
        return resume(backend, run_id, run_name, tags)
    parent = parent_run_id or (outer.run_id if outer is not None else None)
    if parent is not None:
        info = backend.store.get_run(parent).info
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


def delete_run(run_id: str) -> None:
    """Mark a run as deleted."""
    Client().delete_run(run_id)


def search_runs(
    experiment_ids: Sequence[str] | str | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: str = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | str | None = None,
) -> pd.DataFrame | list[Run]:
    """Find runs.

    Parameters
    ----------
    experiment_ids, experiment_names : str or sequence of str, optional
        Where to look: the chosen experiment if neither is given.
    filter_string : str, optional
        For instance ``"metrics.accuracy > 0.9 and params.model = 'rf'"``.
    run_view_type : int
        A `ViewType`: active (the default), deleted, or all.
    max_results : int, default 100000
        How many at most.
    order_by : sequence of str, optional
        For instance ``["metrics.accuracy DESC"]``; newest first if not given.
    output_format : {"pandas", "list"}
        A DataFrame with a column for each metric, param and tag, or a list of `Run`.
    search_all_experiments : bool, default False
        Look in every active experiment.

    Raises
    ------
    InvalidFilter
        The filter or ordering can't be read; says where.
    NotFound
        There is no experiment of a name.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidValue(f"output_format is {output_format!r}; 'pandas' and 'list' are possible.")
    client = Client()
    if experiment_ids is not None and experiment_names is not None:
        raise InvalidValue("search_runs takes experiment_ids or experiment_names, not both.")
    if experiment_names is not None:
        ids = [_experiment_id(client, name) for name in listed("experiment_names", experiment_names)]
    elif experiment_ids is not None:
        ids = [str(e) for e in listed("experiment_ids", experiment_ids)]
    else:
        ids = active_experiments(client) if search_all_experiments else [current_experiment_id()]
    runs = _pages(
        lambda size, token: client.search_runs(ids, filter_string, run_view_type, size, order_by, token), max_results
    )
    return runs if output_format == "list" else _frame(runs)


def _pages(search: Callable[[int, str | None], PagedList[T]], max_results: int, most: int = 10_000) -> builtins.list[T]:
    if not isinstance(max_results, int) or max_results < 0:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number of at least 0.")
    found: builtins.list[T] = []
    token: str | None = None
    while len(found) < max_results:
        page = search(min(most, max_results - len(found)), token)
        found += page
        token = page.token
        if token is None:
            break
    return found


def _experiment_id(client: Client, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        known = [experiment.name for experiment in client.search_experiments(ViewType.ALL)]
        raise NotFound("experiment", name, known)
    return found.experiment_id


def _frame(runs: Sequence[Run]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    info = ("run_id", "experiment_id", "status", "artifact_uri")
    columns: dict[str, Any] = {name: [getattr(run.info, name) for run in runs] for name in info}
    for name in ("start_time", "end_time"):
        columns[name] = pd.to_datetime([getattr(run.info, name) for run in runs], unit="ms", utc=True)
    for kind, missing in (("metrics", float("nan")), ("params", None), ("tags", None)):
        keys = sorted({key for run in runs for key in getattr(run.data, kind)})
        for key in keys:
            columns[f"{kind}.{key}"] = [getattr(run.data, kind).get(key, missing) for run in runs]
    return pd.DataFrame(columns)


# -- registry --------------------------------------------------------------------------------------------------------


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[RegisteredModel]:
    """Find registered models; all of them if ``max_results`` is not given."""
    search = Client().search_registered_models
    return _pages(lambda size, token: search(filter_string, size, order_by, token), _or_all(max_results), 1000)


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[ModelVersion]:
    """Find versions of registered models; all of them if ``max_results`` is not given."""
    search = Client().search_model_versions
    return _pages(lambda size, token: search(filter_string, size, order_by, token), _or_all(max_results), 1000)


def get_registry_uri() -> str:
    """Tell where registered models are kept: where the runs are."""
    return get_tracking_uri()


def set_registry_uri(uri: str | Path | None) -> None:
    """Accept what MLflow's scripts say, and warn if it is another place than the runs', where the registry stays."""
    if uri and absolute_uri(uri) != get_tracking_uri():
        warnings.warn(
            f"Registered models are kept where the runs are, in {get_tracking_uri()}; set_registry_uri({str(uri)!r}) "
            "changes nothing. set_tracking_uri() chooses the place of both.",
            FitbookWarning,
            stacklevel=2,
        )


def _or_all(max_results: int | None) -> int:
    return sys.maxsize if max_results is None else max_results


# -- logging to the active run, which is begun if there is none ------------------------------------------------------


def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Write one parameter of the active run; returns its value.

    Parameters
    ----------
    key : str
        Up to 250 letters, digits, and ``_ - . : /`` or space.
    value : object
        Kept whole, as text.

    Raises
    ------
    ParamConflict
        The parameter has another value already.
    InvalidValue
        The key breaks a rule.
    """
    return active_or_new_run().log_param(key, value)


def log_params(params: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:
    """Write several parameters; all or none. See `log_param`."""
    _target(run_id).log_params(params)


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
) -> None:
    """Add one point to a metric of the active run; durable when it returns.

    Parameters
    ----------
    key : str
        Up to 250 letters, digits, and ``_ - . : /`` or space.
    value : float
        Any real number; NaN and infinities are kept exactly.
    step : int, optional
        Position on the metric's own axis, 0 if not given.
    timestamp : int, optional
        Milliseconds since the epoch; now if not given.
    run_id : str, optional
        Another run than the active one.

    Raises
    ------
    InvalidValue
        The key breaks a rule, or the value is not a real number.
    """
    (active_or_new_run() if run_id is None else _target(run_id)).log_metric(key, value, step, timestamp)


def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
) -> None:
    """Add one point to each of several metrics; all or none. See `log_metric`."""
    _target(run_id).log_metrics(metrics, step, timestamp)


def set_tag(key: str, value: Any, synchronous: bool | None = None) -> None:
    """Set or overwrite one tag of the active run."""
    active_or_new_run().set_tag(key, value)


def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None) -> None:
    """Set or overwrite several tags of the active run; all or none."""
    active_or_new_run().set_tags(tags)


def delete_tag(key: str) -> None:
    """Remove one tag of the active run."""
    active_or_new_run().delete_tag(key)


def log_input(dataset: Any, context: str | None = None, tags: Mapping[str, str] | None = None) -> None:
    """Note a data set (`fitbook.entities.Dataset`) that the active run used, and for what."""
    if not isinstance(dataset, Dataset):
        raise InvalidValue(f"log_input got a {type(dataset).__name__}; give a fitbook.entities.Dataset.")
    noted = {**(tags or {}), **({"mlflow.data.context": context} if context else {})}
    active_or_new_run().log_batch(datasets=[DatasetInput(dataset, noted)])


def log_artifact(local_path: str | Path, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Copy a local file (or folder) into the run, under ``artifact_path`` if given.

    Raises
    ------
    NotFound
        There is no such file.
    InvalidValue
        The artifact path leads outside the run.
    """
    _target(run_id).log_artifact(local_path, artifact_path)


def log_artifacts(local_dir: str | Path, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Copy everything in a local folder into the run, under ``artifact_path`` if given."""
    _target(run_id).log_artifacts(local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Write text as a file of the run."""
    _target(run_id).log_text(text, artifact_file)


def log_dict(dictionary: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write a dictionary as a JSON file of the run, or YAML if the file is called ``.yml`` or ``.yaml``."""
    _target(run_id).log_dict(dictionary, artifact_file)


def log_figure(figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None) -> None:
    """Write a matplotlib or plotly figure as a file of the active run, in the format of the file's ending."""
    active_or_new_run().log_figure(figure, artifact_file, save_kwargs=save_kwargs)


def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write a DataFrame, or a dict of columns, as a JSON table of the run; adds to one that is there."""
    _target(run_id).log_table(data, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Tell where the files of the active run are."""
    root = active_or_new_run().info.artifact_uri
    return f"{root}/{artifact_path}" if artifact_path else root


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str = "",
    dst_path: str | Path | None = None,
) -> str:
    """Give a file or folder of a run as a local path: by ``run_id`` and path, or by a ``runs:/<run_id>/<path>`` URI."""
    if artifact_uri is not None:
        head, _, rest = artifact_uri.removeprefix("runs:/").partition("/")
        if not artifact_uri.startswith("runs:/") or not head:
            raise InvalidValue(f"The artifact URI {artifact_uri!r} is not like runs:/<run_id>/<path>.")
        run_id, artifact_path = head, rest.rstrip("/")
    return download(_target(run_id), artifact_path, dst_path)


def flush() -> None:
    """Wait until everything that this process has recorded is written."""
    writer.flush()


def _target(run_id: str | None) -> RunHandle:
    return active_or_new_run() if run_id is None else RunHandle(current(), run_id)


_inherited: tuple[ActiveRun, ...] = ()


def _note_inherited() -> None:
    global _inherited
    _inherited = _active.stack()


def _end_at_exit() -> None:
    for run in reversed(_active.stack()):
        # What was active when this process was forked goes on in its parent.
        if run not in _inherited:
            run.end()


atexit.register(_end_at_exit)
os.register_at_fork(after_in_child=_note_inherited)
