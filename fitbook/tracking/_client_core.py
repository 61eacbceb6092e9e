"""What every part of `Client` stands on: the store and the registry of one tracking URI."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fitbook.entities import PagedList
from fitbook.errors import InvalidValue
from fitbook.registry import Registry
from fitbook.store import Store, absolute_uri
from fitbook.tracking._backend import Backend, get_tracking_uri, open_backend
from fitbook.tracking._run import RunHandle
from fitbook.tracking._writer import writer

T = TypeVar("T")


class ClientCore:
    """The store and registry of a tracking URI, opened on first use; see `Client` for the parameters."""

    def __init__(
        self,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        workspace_store_uri: str | None = None,
        *,
        create: bool = True,
    ) -> None:
        self._uri = absolute_uri(tracking_uri or registry_uri or get_tracking_uri())
        self._create = create

    @property
    def tracking_uri(self) -> str:
        """Where the runs are."""
        return self._uri

    @property
    def _backend(self) -> Backend:
        return open_backend(self._uri, create=self._create)

    @property
    def _store(self) -> Store:
        return self._backend.store

    @property
    def _registry(self) -> Registry:
        writer.flush()  # versions may be among what is still to be written
        return self._backend.registry

    def _read(self) -> Store:
        writer.flush()
        return self._store

    def _run(self, run_id: str) -> RunHandle:
        return RunHandle(self._backend, run_id)


def listed(what: str, values: Any) -> list[Any]:
    """Give a list of several, or of the one that was given alone; a text is one, not its characters."""
    if isinstance(values, (str, int)):
        return [values]
    try:
        return list(values)
    except TypeError:
        raise InvalidValue(f"{what} is a {type(values).__name__}; give a list.") from None


def pages(
    search: Callable[[int, str | None], PagedList[T]], max_results: int = sys.maxsize, most: int = 10_000
) -> list[T]:
    """Collect up to ``max_results`` results of a search, in pages of at most ``most``."""
    if not isinstance(max_results, int) or max_results < 0:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number of at least 0.")
    found: list[T] = []
    token: str | None = None
    while len(found) < max_results:
        page = search(min(most, max_results - len(found)), token)
        found += page
        token = page.token
        if token is None:
            break
    return found


def texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Give the values of tags as text."""
    return {key: str(value) for key, value in (values or {}).items()}
