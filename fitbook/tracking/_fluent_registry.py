"""The module-level verbs on registered models."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fitbook._log import FitbookWarning
from fitbook.entities import ModelVersion, RegisteredModel
from fitbook.store import absolute_uri
from fitbook.tracking._backend import get_tracking_uri
from fitbook.tracking._client import Client
from fitbook.tracking._client_core import pages


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[RegisteredModel]:
    """Find registered models; all of them if ``max_results`` is not given."""
    search = Client().search_registered_models
    return pages(lambda size, token: search(filter_string, size, order_by, token), _or_all(max_results), 1000)


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[ModelVersion]:
    """Find versions of registered models; all of them if ``max_results`` is not given."""
    search = Client().search_model_versions
    return pages(lambda size, token: search(filter_string, size, order_by, token), _or_all(max_results), 1000)


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


def set_model_version_tag(
    name: str, version: int | str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set one tag of a version of a registered model."""
    Client().set_model_version_tag(name, version, key, value)
