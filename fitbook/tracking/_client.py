"""`Client`: the verbs that name what they act on, under MLflow's names. It has no active run and no state but its store."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fitbook.artifacts import local_uri
from fitbook.entities import (
    DatasetInput,
    Experiment,
    FileInfo,
    LifecycleStage,
    Metric,
    ModelVersion,
    PagedList,
    Param,
    RegisteredModel,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from fitbook.errors import InvalidValue, ParamConflict
from fitbook.registry import Registry
from fitbook.store import Store, absolute_uri
from fitbook.tracking import _context
from fitbook.tracking._backend import Backend, get_tracking_uri, open_backend
from fitbook.tracking._models import register_model
from fitbook.tracking._run import RunHandle, new_draft, pairs
from fitbook.tracking._writer import writer

Entry = TypeVar("Entry", Metric, Param, RunTag)


class Client:
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

    def __init__(
        self, tracking_uri: str | None = None, registry_uri: str | None = None, *, create: bool = True
    ) -> None:
        self.tracking_uri = absolute_uri(tracking_uri or registry_uri or get_tracking_uri())
        self._create = create

    @property
    def _backend(self) -> Backend:
        return open_backend(self.tracking_uri, create=self._create)

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

    # -- experiments -------------------------------------------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | Path | None = None, tags: Mapping[str, Any] | None = None
    ) -> str:
        """Make an experiment; returns its id. See `fitbook.create_experiment`."""
        place = None if artifact_location in (None, "") else local_uri(artifact_location)
        return self._store.create_experiment(name, place, tags and dict(pairs("create_experiment's tags", tags)))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Read an experiment."""
        return self._read().get_experiment(str(experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Read an experiment by name; None if there is none."""
        return self._read().get_experiment_by_name(name)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """List experiments, newest first."""
        return self._read().search_experiments(view_type, max_results or 1000, filter_string, order_by, page_token)

    def list_experiments(
        self, view_type: int = ViewType.ACTIVE_ONLY, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList[Experiment]:
        """List experiments, as MLflow 1.x called it."""
        return self.search_experiments(view_type, max_results, page_token=page_token)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        self._store.rename_experiment(str(experiment_id), new_name)

    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment and its runs as deleted."""
        self._store.delete_experiment(str(experiment_id))

    def restore_experiment(self, experiment_id: str) -> None:
        """Undo `delete_experiment`."""
        self._store.restore_experiment(str(experiment_id))

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set one tag of an experiment."""
        self._store.set_experiment_tag(str(experiment_id), key, str(value))

    # -- runs --------------------------------------------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Begin a run that is nobody's active run; end it with `set_terminated`."""
        draft = new_draft(str(experiment_id), run_name, tags=tags, start_time=start_time)
        self._store.create_runs([draft])
        return self._store.get_run(draft.run_id)

    def get_run(self, run_id: str) -> Run:
        """Read a run."""
        return self._read().get_run(run_id)

    def get_parent_run(self, run_id: str) -> Run | None:
        """Read the run that a nested run belongs to; None if it is not nested."""
        parent = self.get_run(run_id).data.tags.get(_context.PARENT_RUN_ID)
        return None if parent is None else self.get_run(parent)

    def search_runs(
        self,
        experiment_ids: Sequence[str] | str,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Find runs, newest first."""
        ids = [str(e) for e in listed("experiment_ids", experiment_ids)]
        return self._read().search_runs(ids, filter_string, run_view_type, max_results, order_by, page_token)

    def find_runs(self, id_prefix: str, limit: int = 10) -> list[str]:
        """List ids of runs that begin with a text."""
        return self._read().find_runs(id_prefix, limit)

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change a run's status or name."""
        self._store.update_run(run_id, status=status, run_name=name)

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run."""
        self._run(run_id).end(status or RunStatus.FINISHED, end_time)

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted."""
        self._read().delete_run(run_id)

    def restore_run(self, run_id: str) -> None:
        """Undo `delete_run`."""
        self._store.restore_run(run_id)

    def log_param(self, run_id: str, key: str, value: Any) -> Any:
        """Write one parameter."""
        return self._run(run_id).log_param(key, value)

    def log_metric(
        self, run_id: str, key: str, value: float, timestamp: int | None = None, step: int | None = None
    ) -> None:
        """Add one point to a metric."""
        self._run(run_id).log_metric(key, value, step, timestamp)

    def set_tag(self, run_id: str, key: str, value: Any) -> None:
        """Set one tag."""
        self._run(run_id).set_tag(key, value)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove one tag."""
        self._run(run_id).delete_tag(key)

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
    ) -> None:
        """Write metrics, params and tags in one transaction."""
        values: dict[str, str] = {}
        for param in _entries("params", params, Param):
            if values.setdefault(param.key, param.value) != param.value:
                raise ParamConflict(run_id, param.key, values[param.key], param.value)
        noted = {tag.key: tag.value for tag in _entries("tags", tags, RunTag)}
        self._store.log_batch(run_id, _entries("metrics", metrics, Metric), values, noted)

    def log_inputs(self, run_id: str, datasets: Sequence[DatasetInput] = ()) -> None:
        """Note data sets that a run used."""
        self._store.log_batch(run_id, datasets=datasets)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Read every point of a metric."""
        return self._read().get_metric_history(run_id, key)

    # -- files -------------------------------------------------------------------------------------------------------

    def log_artifact(self, run_id: str, local_path: str | Path, artifact_path: str | None = None) -> None:
        """Copy a local file into a run."""
        self._run(run_id).log_artifact(local_path, artifact_path)

    def log_artifacts(self, run_id: str, local_dir: str | Path, artifact_path: str | None = None) -> None:
        """Copy what is in a local folder into a run."""
        self._run(run_id).log_artifacts(local_dir, artifact_path)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Write text as a file of a run."""
        self._run(run_id).log_text(text, artifact_file)

    def log_dict(self, run_id: str, dictionary: Any, artifact_file: str) -> None:
        """Write a dictionary as JSON or YAML."""
        self._run(run_id).log_dict(dictionary, artifact_file)

    def log_figure(self, run_id: str, figure: Any, artifact_file: str, *, save_kwargs: Any = None) -> None:
        """Write a matplotlib or plotly figure."""
        self._run(run_id).log_figure(figure, artifact_file, save_kwargs=save_kwargs)

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Write a table as JSON, adding to one that is there."""
        self._run(run_id).log_table(data, artifact_file)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List what is directly inside a folder of a run."""
        return self._run(run_id).list_artifacts(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | Path | None = None) -> str:
        """Give a file or folder of a run as a local path; copied to ``dst_path`` if that is given."""
        return download(self._run(run_id), path, dst_path)

    # -- registry ----------------------------------------------------------------------------------------------------

    def create_registered_model(
        self, name: str, tags: Mapping[str, Any] | None = None, description: str | None = None
    ) -> RegisteredModel:
        """Take a name for a model."""
        return self._registry.create_registered_model(name, _texts(tags), description)

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Read a registered model."""
        return self._registry.get_registered_model(name)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a registered model another name."""
        return self._registry.rename_registered_model(name, new_name)

    def update_registered_model(self, name: str, description: str | None = None) -> RegisteredModel:
        """Replace a registered model's description."""
        return self._registry.update_registered_model(name, description)

    def delete_registered_model(self, name: str) -> None:
        """Remove a registered model with its versions; their files stay in the runs."""
        self._registry.delete_registered_model(name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Find registered models."""
        return self._registry.search_registered_models(filter_string, max_results, order_by, page_token)

    def list_registered_models(
        self, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[RegisteredModel]:
        """List registered models, as MLflow 1.x called it."""
        return self.search_registered_models(max_results=max_results, page_token=page_token)

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set one tag of a registered model."""
        self._registry.set_registered_model_tag(name, key, str(value))

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove one tag of a registered model."""
        self._registry.delete_registered_model_tag(name, key)

    def set_registered_model_alias(self, name: str, alias: str, version: int | str) -> None:
        """Point an alias at a version."""
        self._registry.set_registered_model_alias(name, alias, version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        self._registry.delete_registered_model_alias(name, alias)

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Add a version to a registered model; ``run_link`` and ``await_creation_for`` are MLflow's and unused."""
        return self._registry.create_model_version(name, source, run_id, _texts(tags), description, model_id)

    def register_model(self, model_uri: str, name: str) -> ModelVersion:
        """Make a logged model of the current store a version; see `fitbook.register_model`."""
        return register_model(model_uri, name)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        """Read a version."""
        return self._registry.get_model_version(name, version)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Read the version that an alias points at."""
        return self._registry.get_model_version_by_alias(name, alias)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Read the newest version of each stage."""
        return self._registry.get_latest_versions(name, stages)

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Tell where the files of a version are."""
        return self._registry.get_model_version(name, version).source

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Find versions."""
        return self._registry.search_model_versions(filter_string, max_results, order_by, page_token)

    def update_model_version(self, name: str, version: int | str, description: str | None = None) -> ModelVersion:
        """Replace a version's description."""
        return self._registry.update_model_version(name, version, description)

    def transition_model_version_stage(
        self, name: str, version: int | str, stage: str, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Move a version to a stage."""
        return self._registry.transition_model_version_stage(name, version, stage, archive_existing_versions)

    def delete_model_version(self, name: str, version: int | str) -> None:
        """Remove a version; its files stay in the run."""
        self._registry.delete_model_version(name, version)

    def set_model_version_tag(self, name: str, version: int | str, key: str, value: Any) -> None:
        """Set one tag of a version."""
        self._registry.set_model_version_tag(name, version, key, str(value))

    def delete_model_version_tag(self, name: str, version: int | str, key: str) -> None:
        """Remove one tag of a version."""
        self._registry.delete_model_version_tag(name, version, key)


def download(run: RunHandle, path: str, dst_path: str | Path | None) -> str:
    """Give an artifact as a local path, copied to a folder of the user's if one is given."""
    writer.flush()
    source = run.artifacts.local_path(path)
    if dst_path is None:
        return str(source)
    target = Path(dst_path) / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
    return str(target)


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


def listed(what: str, values: Any) -> list[Any]:
    """Give a list of several, or of the one that was given alone; a text is one, not its characters."""
    if isinstance(values, (str, int)):
        return [values]
    try:
        return list(values)
    except TypeError:
        raise InvalidValue(f"{what} is a {type(values).__name__}; give a list.") from None


def _entries(what: str, values: Any, kind: type[Entry]) -> list[Entry]:
    # MLflow's entities have the same attributes, and are as good.
    entries = listed(what, values)
    for entry in entries:
        if not all(hasattr(entry, name) for name in kind.__slots__):
            raise InvalidValue(f"log_batch got a {type(entry).__name__} among its {what}; give {kind.__name__}(…).")
    return entries


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}
