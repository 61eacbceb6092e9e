"""`Client`'s verbs on experiments and runs, and what is logged to runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fitbook import _validate, settings
from fitbook._log import FitbookWarning
from fitbook.artifacts import checked_location
from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    Metric,
    MetricSummary,
    PagedList,
    Param,
    ParamChange,
    Run,
    RunInfo,
    RunStatus,
    RunTag,
    ViewType,
)
from fitbook.errors import InvalidValue, ParamConflict
from fitbook.tracking import _context
from fitbook.tracking._client_core import ClientCore, listed
from fitbook.tracking._datasets import as_input
from fitbook.tracking._operations import RunOperations, done
from fitbook.tracking._run import new_draft, pairs

Entry = TypeVar("Entry", Metric, Param, RunTag)


# MLflow's entities have these attributes as well.
_ENTRIES: dict[type, tuple[str, ...]] = {
    Metric: ("key", "value", "timestamp", "step"),
    Param: ("key", "value"),
    RunTag: ("key", "value"),
}


class RunVerbs(ClientCore):
    """Experiments and runs."""

    def create_experiment(
        self, name: str, artifact_location: str | Path | None = None, tags: Mapping[str, Any] | None = None
    ) -> str:
        """Make an experiment; returns its id. See `fitbook.create_experiment`."""
        place = None if artifact_location in (None, "") else checked_location(artifact_location)
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

    def set_experiment_tags(self, experiment_id: str, tags: Mapping[str, Any]) -> None:
        """Set several tags of an experiment; none of them if one breaks a rule."""
        given = [(_validate.key("tag", k), _validate.text("tag", v)) for k, v in pairs("set_experiment_tags", tags)]
        for key, value in given:
            self._store.set_experiment_tag(str(experiment_id), key, value)

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove one tag of an experiment."""
        self._store.delete_experiment_tag(str(experiment_id), key)

    # -- runs --------------------------------------------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Begin a run that is nobody's active run; end it with `set_terminated`.

        No process is known to be behind it: one that is not ended becomes FAILED after seven days
        (``FITBOOK_UNATTENDED_RUN_LEASE``), whatever is logged to it, unless ``start_run(run_id)`` takes it on.
        """
        draft = new_draft(str(experiment_id), run_name, tags=tags, start_time=start_time)
        draft.lease_seconds = settings.UNATTENDED_RUN_LEASE.get()
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
        lease = settings.UNATTENDED_RUN_LEASE.get() if status == RunStatus.RUNNING else None
        self._store.update_run(run_id, status=status, run_name=name, lease_seconds=lease)

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run."""
        self._run(run_id).end(status or RunStatus.FINISHED, end_time)

    def delete_run(self, run_id: str, children: bool = False) -> None:
        """Mark a run as deleted, with its children and theirs if asked for."""
        self._read().delete_run(run_id, children=children)

    def restore_run(self, run_id: str, children: bool = False) -> None:
        """Undo `delete_run`, for the children as well if asked for."""
        self._store.restore_run(run_id, children=children)

    def list_run_infos(
        self,
        experiment_id: str,
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RunInfo]:
        """List who, when and where of an experiment's runs, as MLflow 1.x called it."""
        page = self.search_runs([experiment_id], "", run_view_type, max_results, order_by, page_token)
        return PagedList([run.info for run in page], page.token)

    # -- what is logged ----------------------------------------------------------------------------------------------

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Write one parameter."""
        logged = self._run(run_id).log_param(key, value)
        return logged if synchronous is not False else done(synchronous)

    def correct_param(self, run_id: str, key: str, value: Any, reason: str | None = None) -> None:
        """Replace the value of a parameter that was logged wrongly; see `fitbook.correct_param`."""
        self._run(run_id).correct_param(key, value, reason)

    def get_param_history(self, run_id: str, key: str | None = None) -> list[ParamChange]:
        """Read the corrections of a run's parameters, or of one of them, oldest first."""
        return self._read().get_param_history(run_id, key)

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> RunOperations | None:
        """Add one point to a metric.

        The data set that is named is noted as an input of the run; ``model_id`` is MLflow's and unused.
        """
        if (dataset_name is None) != (dataset_digest is None):
            raise InvalidValue("log_metric needs dataset_name and dataset_digest together, or neither.")
        run = self._run(run_id)
        run.log_metric(key, value, step, timestamp)
        if dataset_name is not None:
            run.log_batch(datasets=[DatasetInput(Dataset(dataset_name, str(dataset_digest)))])
        return done(synchronous)

    def get_metric_history(self, run_id: str, key: str, max_points: int | None = None) -> list[Metric]:
        """Read the points of a metric; at most ``max_points`` of them, evenly spread, where there are more."""
        return self._read().get_metric_history(run_id, key, max_points)

    def get_metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        """Read latest, lowest, highest and best value of every metric of a run."""
        return self._read().get_metric_summaries(run_id)

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
        """Set one tag."""
        self._run(run_id).set_tag(key, value)
        return done(synchronous)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove one tag."""
        self._run(run_id).delete_tag(key)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> RunOperations | None:
        """Write metrics, params and tags in one transaction."""
        values: dict[str, str] = {}
        for param in _entries("params", params, Param):
            if values.setdefault(param.key, param.value) != param.value:
                raise ParamConflict(run_id, param.key, values[param.key], param.value)
        noted = {tag.key: tag.value for tag in _entries("tags", tags, RunTag)}
        self._store.log_batch(run_id, _entries("metrics", metrics, Metric), values, noted)
        return done(synchronous)

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput] | None = None, models: Sequence[Any] | None = None
    ) -> None:
        """Note data sets that a run used; models that it used are MLflow's and not kept, which a warning says."""
        if models:
            warnings.warn("Models that a run used are not recorded; log what tells of it as a tag.", FitbookWarning, 2)
        inputs = [as_input(used) for used in listed("datasets", datasets or ())]
        self._store.log_batch(run_id, datasets=inputs)


def _entries(what: str, values: Any, kind: type[Entry]) -> list[Entry]:
    entries = listed(what, values)
    for entry in entries:
        if not all(hasattr(entry, name) for name in _ENTRIES[kind]):
            raise InvalidValue(f"log_batch got a {type(entry).__name__} among its {what}; give {kind.__name__}(…).")
    return entries
