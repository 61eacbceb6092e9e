"""Models: the notes of those that runs logged, and the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from fitbook.artifacts import Artifacts
from fitbook.entities import LoggedModel, ModelVersion, RegisteredModel, StoredFile
from fitbook.errors import FitbookError, ModelError, NotFound, StoreUnavailable
from fitbook.models import MLMODEL, Model
from fitbook.registry import Registry
from fitbook.store import Store
from fitbook.transfer._cleaning import clean_tags
from fitbook.transfer._places import local_path
from fitbook.transfer._records import Problem, RegisteredModelRecord
from fitbook.transfer._summary import Summary

_IN_RUN = re.compile(r"(?:^|/)([0-9a-f]{32})/artifacts/(.+?)/?$")
_MODEL_PLACE = re.compile(r"(?:^|/)(m-[0-9a-f]{32})/artifacts/?$")
_MODEL_ID = re.compile(r"models:/(m-[0-9a-f]{32})")


def models_among(
    artifacts: Artifacts, run_id: str, files: Sequence[StoredFile], known: Callable[[str], bool]
) -> list[LoggedModel]:
    """Describe every model among the files of a run, so that it is found by its id and loaded by its path.

    Parameters
    ----------
    artifacts : Artifacts
        Where the files are.
    run_id : str
        The run.
    files : sequence of StoredFile
        All that the run has.
    known : callable
        Tells whether there is a model of that id already: a copy of it in another run gets no note of its own.
    """
    by_path = {file.path: file for file in files}
    folders = sorted(path.removesuffix(f"/{MLMODEL}") for path in by_path if path.endswith(f"/{MLMODEL}"))
    found: list[LoggedModel] = []
    for path in folders:
        if any(path.startswith(f"{other}/") for other in folders):
            continue  # a part of that other model
        try:
            model = _logged(Model.from_yaml(artifacts.read(f"{path}/{MLMODEL}")), run_id, path, by_path)
        except ModelError:
            continue  # a file of that name is not yet a model
        if not known(model.model_id) and model.model_id not in {other.model_id for other in found}:
            found.append(model)
    return found


def _logged(described: Model, run_id: str, path: str, files: Mapping[str, StoredFile]) -> LoggedModel:
    flavor = next((name for name in described.flavors if name != "python_function"), "pyfunc")
    return LoggedModel(
        model_id=(described.model_id or f"m-{described.model_uuid}")[:34],
        run_id=run_id,
        artifact_path=path,
        flavor=flavor,
        sha256="",  # which file would be unpickled is not known here
        size_bytes=sum(file.size for name, file in files.items() if name.startswith(f"{path}/")),
        creation_timestamp=_milliseconds(described.utc_time_created),
    )


def _milliseconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return 0


def take_registered(record: RegisteredModelRecord, store: Store, registry: Registry, summary: Summary) -> None:
    """Add a registered model with what is new of it."""
    name, problems = record.model.name, summary.problems
    here = _here(registry, name)
    versions: list[ModelVersion] = []
    for version in record.versions:
        try:
            versions.append(_readable(version, record.storage.get(version.version, ""), store, problems))
        except FitbookError as error:
            summary.skip("model version", f"{name}/{version.version}", error)
    model = replace(record.model, tags=clean_tags(name, record.model.tags, problems))
    try:
        added = registry.merge_registered_model(model, versions, record.deleted, record.history)
    except StoreUnavailable:
        raise
    except FitbookError as error:
        summary.skip("registered model", name, error)
        return
    summary.taken["model versions"] += len(added)
    if here is None:
        summary.taken["registered models"] += 1
        return
    (summary.added_to if added else summary.there)["registered models"] += 1
    known, aliases = here
    for version in versions:
        if version.version in added:
            continue
        other = known.get(version.version)
        if other is None or other.creation_timestamp != version.creation_timestamp:
            summary.skip("model version", f"{name}/{version.version}", "another version has this number here")
        else:
            summary.there["model versions"] += 1
    for alias, number in record.model.aliases.items():
        if aliases.get(alias, number) != number:
            summary.skip("alias", f"{name}@{alias}", f"points at {aliases[alias]} here and at {number} there: left")


def _here(registry: Registry, name: str) -> tuple[dict[int, ModelVersion], Mapping[str, int]] | None:
    try:
        model: RegisteredModel = registry.get_registered_model(name)
    except StoreUnavailable:
        raise
    except FitbookError:
        return None
    quoted = name.replace("'", "''")
    found = registry.search_model_versions(f"name = '{quoted}'", max_results=200_000)
    return {version.version: version for version in found}, model.aliases


def _readable(version: ModelVersion, storage: str, store: Store, problems: list[Problem]) -> ModelVersion:
    """The version with a source that leads to the files here, where they were copied."""
    source, model_id = version.source, version.model_id
    # What MLflow 3 notes is an id; where the files were is beside it.
    for text in (source, storage):
        by_id = _MODEL_ID.fullmatch(text) or _MODEL_PLACE.search(text)
        in_run = _IN_RUN.search(text)
        if by_id and has_model(store, by_id[1]):
            source, model_id = f"models:/{by_id[1]}", by_id[1]
            break
        if in_run and store.find_runs(in_run[1], 1):
            source = f"runs:/{in_run[1]}/{in_run[2]}"
            break
    else:
        place = local_path(storage)
        if _MODEL_ID.fullmatch(source) and place is not None and place.is_dir():
            source = str(place)
    owner = f"{version.name}/{version.version}"
    return replace(version, source=source, model_id=model_id, tags=clean_tags(owner, version.tags, problems))


def has_model(store: Store, model_id: str) -> bool:
    """Whether a store knows a model of that id."""
    try:
        store.get_logged_model(model_id)
    except NotFound:
        return False
    return True
