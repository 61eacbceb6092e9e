"""`Client`: the verbs that name what they act on, under MLflow's names. It has no active run and no state but its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fitbook._absent import advice
from fitbook.entities import LifecycleStage
from fitbook.tracking._client_files import FileVerbs
from fitbook.tracking._client_registry import RegistryVerbs
from fitbook.tracking._client_runs import RunVerbs


class Client(RunVerbs, FileVerbs, RegistryVerbs):
    """Experiments, runs and registered models of one tracking URI.

    What each verb raises: `NotFound` for what does not exist, `InvalidValue` for a name, key or value that breaks a
    rule, `WrongState` for changing what is deleted, `StoreUnavailable` when the store can't be reached.

    Parameters
    ----------
    tracking_uri : str, optional
        The current one (`get_tracking_uri`) if not given.
    registry_uri : str, optional
        Accepted for MLflow's sake; the registry is where the runs are.
    create : bool, default True
        Whether a store that does not exist yet is made.
    """

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(advice("The client", name))


def active_experiments(client: Client) -> list[str]:
    """List the ids of all active experiments."""
    ids: list[str] = []
    token: str | None = None
    while True:
        page = client.search_experiments(page_token=token)
        ids += [e.experiment_id for e in page if e.lifecycle_stage == LifecycleStage.ACTIVE]
        token = page.token
        if token is None:
            return ids
