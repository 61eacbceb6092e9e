"""The module-level verbs on experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbook.entities import Experiment, LifecycleStage, ViewType
from fitbook.errors import InvalidValue, WrongState
from fitbook.tracking._backend import choose_experiment, current, current_experiment_id, experiment_called
from fitbook.tracking._client import Client


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


def list_experiments(view_type: int = ViewType.ACTIVE_ONLY, max_results: int | None = None) -> list[Experiment]:
    """List experiments, newest first, as MLflow 1.x called it."""
    return search_experiments(view_type, max_results)


def delete_experiment(experiment_id: str) -> None:
    """Mark an experiment and its runs as deleted."""
    Client().delete_experiment(experiment_id)


def restore_experiment(experiment_id: str) -> None:
    """Undo `delete_experiment`."""
    Client().restore_experiment(experiment_id)


def rename_experiment(experiment_id: str, new_name: str) -> None:
    """Give an experiment another name."""
    Client().rename_experiment(experiment_id, new_name)


def set_experiment_tag(key: str, value: Any) -> None:
    """Set one tag of the chosen experiment."""
    Client().set_experiment_tag(current_experiment_id(), key, value)


def set_experiment_tags(tags: Mapping[str, Any]) -> None:
    """Set several tags of the chosen experiment."""
    Client().set_experiment_tags(current_experiment_id(), tags)


def delete_experiment_tag(key: str) -> None:
    """Remove one tag of the chosen experiment; raises `NotFound` if it has none of that key."""
    Client().delete_experiment_tag(current_experiment_id(), key)
