"""The module-level verbs that log params, metrics, tags and data sets to the active run, which is begun if there is none."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from fitbook._log import FitbookWarning
from fitbook.errors import InvalidValue
from fitbook.tracking._backend import current
from fitbook.tracking._datasets import dataset_input
from fitbook.tracking._models import active_or_new_run
from fitbook.tracking._operations import RunOperations, done
from fitbook.tracking._run import RunHandle
from fitbook.tracking._writer import writer


def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Write one parameter of the active run; returns its value.

    Parameters
    ----------
    key : str
        Up to 250 letters, digits, and ``_ - . : /`` or space.
    value : object
        Kept whole, as text.
    synchronous : bool, optional
        MLflow's: every verb here is done when it returns; with False it returns a `RunOperations` to wait for.

    Raises
    ------
    ParamConflict
        The parameter has another value already; `correct_param` changes it.
    InvalidValue
        The key breaks a rule.
    """
    logged = active_or_new_run().log_param(key, value)
    return logged if synchronous is not False else done(synchronous)


def log_params(
    params: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None
) -> RunOperations | None:
    """Write several parameters; all or none. See `log_param`."""
    target(run_id).log_params(params)
    return done(synchronous)


def correct_param(key: str, value: Any, reason: str | None = None, run_id: str | None = None) -> None:
    """Replace the value of a parameter that was logged wrongly; the old one is kept in `Client.get_param_history`.

    Parameters
    ----------
    key : str
        A parameter that the run has.
    value : object
        Kept whole, as text.
    reason : str, optional
        Why; kept with the correction.
    run_id : str, optional
        Another run than the active one.

    Raises
    ------
    NotFound
        The run has no such parameter.
    """
    target(run_id).correct_param(key, value, reason)


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> RunOperations | None:
    """Add one point to a metric of the active run; durable when it returns.

    Parameters
    ----------
    key : str
        Up to 250 letters, digits, and ``_ - . : /`` or space.
    value : float
        Any real number; NaN and infinities are kept exactly.
    step : int, optional
        Position on the metric's own axis, 0 if not given.
    synchronous : bool, optional
        See `log_param`.
    timestamp : int, optional
        Milliseconds since the epoch; now if not given.
    run_id : str, optional
        Another run than the active one.
    model_id : str, optional
        MLflow's; metrics belong to the run, whose models are in its record.
    dataset : optional
        The data set that was measured on; noted as an input of the run.

    Raises
    ------
    InvalidValue
        The key breaks a rule, or the value is not a real number.
    """
    measured_on = None if dataset is None else dataset_input(dataset)
    run = active_or_new_run() if run_id is None else target(run_id)
    run.log_metric(key, value, step, timestamp)
    if measured_on is not None:
        run.log_batch(datasets=[measured_on])
    return done(synchronous)


def log_metrics(
    metrics: Mapping[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> RunOperations | None:
    """Add one point to each of several metrics; all or none. See `log_metric`."""
    measured_on = None if dataset is None else dataset_input(dataset)
    run = target(run_id)
    run.log_metrics(metrics, step, timestamp)
    if measured_on is not None:
        run.log_batch(datasets=[measured_on])
    return done(synchronous)


def set_tag(key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
    """Set or overwrite one tag of the active run."""
    active_or_new_run().set_tag(key, value)
    return done(synchronous)


def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None) -> RunOperations | None:
    """Set or overwrite several tags of the active run; all or none."""
    active_or_new_run().set_tags(tags)
    return done(synchronous)


def delete_tag(key: str) -> None:
    """Remove one tag of the active run."""
    active_or_new_run().delete_tag(key)


def log_input(
    dataset: Any = None, context: str | None = None, tags: Mapping[str, str] | None = None, model: Any = None
) -> None:
    """Note a data set that the active run used.

    Parameters
    ----------
    dataset : fitbook.data.Dataset, fitbook.entities.Dataset or MLflow's data set
        What was used; only its description is kept.
    context : str, optional
        For what: ``"train"``, ``"eval"``.
    tags : mapping, optional
        More tags of this use.
    model : optional
        MLflow's; a model that was used is not kept, which a warning says.

    Raises
    ------
    InvalidValue
        What was given does not describe a data set.
    """
    log_inputs([dataset], [context], [tags], [model])


def log_inputs(
    datasets: Sequence[Any] | None = None,
    contexts: Sequence[str | None] | None = None,
    tags_list: Sequence[Mapping[str, str] | None] | None = None,
    models: Sequence[Any] | None = None,
) -> None:
    """Note several data sets that the active run used, all or none; the lists are of one length. See `log_input`."""
    given = [values for values in (datasets, contexts, tags_list, models) if values is not None]
    if len({len(values) for values in given}) > 1:
        raise InvalidValue(
            "log_inputs got lists of different lengths; give each data set its context and tags, or None."
        )
    if any(model is not None for model in models or ()):
        warnings.warn("Models that a run used are not recorded; log what tells of it as a tag.", FitbookWarning, 3)
    count = len(datasets or ())
    rows = zip(datasets or (), contexts or [None] * count, tags_list or [None] * count, strict=True)
    inputs = [dataset_input(dataset, context, tags) for dataset, context, tags in rows if dataset is not None]
    if not inputs and not any(model is not None for model in models or ()):
        raise InvalidValue("No data set was given; make one with fitbook.data.from_pandas() and the like.")
    active_or_new_run().log_batch(datasets=inputs)


def flush() -> None:
    """Wait until everything that this process has recorded is written."""
    writer.flush()


def flush_async_logging() -> None:
    """Wait as `flush` does, under MLflow's name."""
    flush()


def flush_artifact_async_logging() -> None:
    """Wait as `flush` does, under MLflow's name."""
    flush()


def target(run_id: str | None) -> RunHandle:
    """Give the run of an id, or the active one."""
    return active_or_new_run() if run_id is None else RunHandle(current(), run_id)
