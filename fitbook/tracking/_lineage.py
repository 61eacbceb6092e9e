"""Where a version of a registered model comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fitbook.entities import DatasetInput, Entity, ModelVersion
from fitbook.errors import NotFound
from fitbook.registry import PARENT_TAG
from fitbook.tracking._backend import Backend

_COPY = re.compile(r"models:/([^/]+/\d+)")


@dataclass(frozen=True, slots=True)
class ModelLineage(Entity):
    """The run that made a version and the data that it was fitted to, by their digests, and the version before it.

    ``parent`` is ``<name>/<version>``: of a copy the original; else what was said when it was registered, or the older version
    that had the alias when this one was promoted. ``sha256`` is that of the file that would be unpickled. What is not known,
    or deleted, is None or empty.
    """

    name: str
    version: int
    source: str
    run_id: str | None
    parent: str | None
    datasets: tuple[DatasetInput, ...]
    sha256: str | None


def lineage(backend: Backend, version: ModelVersion) -> ModelLineage:
    """Look up where a version comes from."""
    copied = _COPY.fullmatch(version.source)
    datasets: tuple[DatasetInput, ...] = ()
    sha256 = None
    if version.run_id:
        try:
            datasets = tuple(backend.store.get_run(version.run_id).inputs.dataset_inputs)
        except NotFound:  # it was deleted for good, or is in another store
            pass
        else:
            models = backend.store.list_logged_models(version.run_id)
            sha256 = next((model.sha256 for model in models if model.model_id == version.model_id), None)
    return ModelLineage(
        name=version.name,
        version=version.version,
        source=version.source,
        run_id=version.run_id or None,
        parent=copied[1] if copied else version.tags.get(PARENT_TAG),
        datasets=datasets,
        sha256=sha256 or None,
    )
