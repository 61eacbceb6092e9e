"""``search_runs``, to a DataFrame or a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from fitbook.entities import Run, RunInfo, ViewType
from fitbook.errors import InvalidValue, NotFound
from fitbook.tracking._backend import current_experiment_id
from fitbook.tracking._client import Client, active_experiments
from fitbook.tracking._client_core import listed, pages
from fitbook.tracking._frame import frame

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


def search_runs(
    experiment_ids: Sequence[str] | str | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | str | None = None,
) -> pd.DataFrame | list[Run]:
    """Find runs.

    Parameters
    ----------
    experiment_ids, experiment_names : str or sequence of str, optional
        Where to look: the chosen experiment if neither is given.
    filter_string : str, optional
        For instance ``"metrics.accuracy > 0.9 and params.model = 'rf'"``. MLflow's filters, and ``OR``, ``NOT``,
        parentheses, ``IN``, ``BETWEEN``, ``IS NULL``, ``RLIKE``, numbers on params, ``metrics.loss.min`` (``max``,
        ``best``, ``latest``; a key that itself ends so is quoted), and ``parent_run_id = '…'``.
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
    if experiment_ids and experiment_names:
        raise InvalidValue("search_runs takes experiment_ids or experiment_names, not both.")
    if experiment_names:
        ids = [_experiment_id(client, name) for name in listed("experiment_names", experiment_names)]
    elif experiment_ids:
        ids = [str(e) for e in listed("experiment_ids", experiment_ids)]
    else:
        ids = active_experiments(client) if search_all_experiments else [current_experiment_id()]
    runs = pages(
        lambda size, token: client.search_runs(ids, filter_string, run_view_type, size, order_by, token), max_results
    )
    return runs if output_format == "list" else frame(runs)


def list_run_infos(
    experiment_id: str,
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 1000,
    order_by: Sequence[str] | None = None,
) -> list[RunInfo]:
    """List who, when and where of an experiment's runs, as MLflow 1.x called it."""
    search = Client().list_run_infos
    return pages(lambda size, token: search(experiment_id, run_view_type, size, order_by, token), max_results)


def _experiment_id(client: Client, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        known = [experiment.name for experiment in client.search_experiments(ViewType.ALL)]
        raise NotFound("experiment", name, known)
    return found.experiment_id
