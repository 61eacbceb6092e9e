"""Taking a record from elsewhere into a store: what is new is added, what is there stays as it is.

A run becomes visible together with all that it holds, after its files: an import that is interrupted leaves at most files
of a run that is not there yet. The next import finds them, and goes on.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace
from functools import partial

from fitbook.artifacts import Artifacts, LocalArtifacts, checked_location, open_artifacts
from fitbook.entities import (
    Experiment,
    LifecycleStage,
    LoggedModel,
    Metric,
    Run,
    RunDraft,
    RunStatus,
    StoredFile,
    ViewType,
)
from fitbook.errors import FitbookError, InvalidValue, StoreUnavailable
from fitbook.registry import Registry
from fitbook.store import Store
from fitbook.transfer._cleaning import clean_tags, cleaned
from fitbook.transfer._copying import copy_files, place_models
from fitbook.transfer._models import has_model, models_among, take_registered
from fitbook.transfer._places import local_path
from fitbook.transfer._progress import bar
from fitbook.transfer._records import Problem, RunRecord, Source
from fitbook.transfer._summary import Summary

SOURCE_TAG = "fitbook.artifact_source"
"""Tag of a run whose files were not copied, and of an experiment whose runs have theirs in another's place: where they are."""

_LOGGED_MODELS_TAG = "mlflow.log-model.history"
_RUNS_AT_ONCE, _POINTS_AT_ONCE = 100, 20_000
_LIVE = (RunStatus.RUNNING, RunStatus.SCHEDULED)


class Importer:
    """One import.

    Parameters
    ----------
    source : Source
        Where from.
    store : Store
        Where to.
    registry : Registry
        Where to, for the registered models.
    artifacts : bool
        Whether files are copied; otherwise experiments that are made keep theirs where they are, if that is reachable
        from here, and the tag `SOURCE_TAG` of the runs of others tells where they are.
    progress : bool
        Whether a bar is shown, if standard error is a terminal.
    """

    def __init__(
        self, source: Source, store: Store, registry: Registry, *, artifacts: bool = True, progress: bool = False
    ) -> None:
        self._source, self._store, self._registry = source, store, registry
        self._artifacts, self._progress = artifacts, progress
        self._batch: list[RunRecord] = []
        self._summary = Summary()

    def run(self) -> Summary:
        """Take everything.

        Raises
        ------
        StoreUnavailable
            The source or the store can't be reached any more; what was taken until then stays.
        """
        experiments = []
        for found in self._source.experiments():
            if isinstance(found, Problem):
                self._summary.problems.append(found)
            else:
                experiments.append(found)
        with bar("import", "run", self._source.count_runs(), shown=self._progress) as step:
            for experiment in experiments:
                target = self._experiment(experiment)
                if target is None:
                    continue
                for record in self._source.runs(experiment):
                    self._take(record, target)
                    step()
                self._flush(target)
        for model in self._source.models():
            if isinstance(model, Problem):
                self._summary.problems.append(model)
            else:
                take_registered(model, self._store, self._registry, self._summary)
        return self._summary

    # -- experiments -------------------------------------------------------------------------------------------------

    def _experiment(self, theirs: Experiment) -> Experiment | None:
        """The experiment of that name, made if there is none; None if its runs can't be taken."""
        deleted = theirs.lifecycle_stage == LifecycleStage.DELETED
        try:
            ours = self._store.get_experiment_by_name(theirs.name)
            # An interrupted import may have made it, and not come to delete it; of the reader's own none is deleted.
            imported = ours is None or ours.creation_time == theirs.creation_time
            if ours is None:
                ours = self._new_experiment(theirs)
                self._summary.taken["experiments"] += 1
            else:
                self._summary.there["experiments"] += 1
                if ours.lifecycle_stage == LifecycleStage.ACTIVE:
                    tags = clean_tags(theirs.name, theirs.tags, self._summary.problems)
                    for key in tags.keys() - ours.tags.keys():
                        self._store.set_experiment_tag(ours.experiment_id, key, tags[key])
                elif not deleted:
                    reason = "is deleted here: restore it, and its runs can be imported"
                    self._summary.skip("experiment", theirs.name, reason)
                    return None
            if deleted and imported and ours.lifecycle_stage == LifecycleStage.ACTIVE and self._is_empty(ours):
                self._store.delete_experiment(ours.experiment_id)
        except StoreUnavailable:
            raise
        except FitbookError as error:
            self._summary.skip("experiment", theirs.name, error)
            return None
        return self._store.get_experiment(ours.experiment_id)

    def _new_experiment(self, theirs: Experiment) -> Experiment:
        place = None if self._artifacts else _reachable(theirs.artifact_location)
        tags = clean_tags(theirs.name, theirs.tags, self._summary.problems)
        if place is not None:
            tags[SOURCE_TAG] = place
        number = self._store.create_experiment(theirs.name, place, tags, theirs.creation_time)
        return self._store.get_experiment(number)

    def _is_empty(self, ours: Experiment) -> bool:
        return not self._store.search_runs([ours.experiment_id], None, ViewType.ALL, max_results=1)

    # -- runs --------------------------------------------------------------------------------------------------------

    def _take(self, record: RunRecord | Problem, target: Experiment) -> None:
        if isinstance(record, Problem):
            self._summary.problems.append(record)
            return
        self._summary.note(record.problems)
        try:
            draft = cleaned(record.draft, self._summary.problems)
        except InvalidValue as error:
            self._summary.skip("run", record.draft.run_id, error)
            return
        draft.experiment_id = target.experiment_id
        if target.lifecycle_stage == LifecycleStage.DELETED:
            draft.deleted_time = target.last_update_time  # they come back with it
        draft.metrics = sorted(draft.metrics, key=_moment)
        record.draft = draft
        if self._store.find_runs(draft.run_id, 1):
            self._extend(record)
            return
        self._batch.append(record)
        if len(self._batch) >= _RUNS_AT_ONCE or sum(len(r.draft.metrics) for r in self._batch) >= _POINTS_AT_ONCE:
            self._flush(target)

    def _flush(self, target: Experiment) -> None:
        batch, self._batch = self._batch, []
        models: set[str] = set()
        for record in batch:
            draft = record.draft
            artifacts = open_artifacts(f"{target.artifact_location}/{draft.run_id}/artifacts")
            draft.files = self._files(record, artifacts)
            draft.models = self._models(record, artifacts, draft.files, models)
            models.update(model.model_id for model in draft.models)
        try:
            self._store.create_runs([record.draft for record in batch])
            self._summary.taken["runs"] += len(batch)
        except StoreUnavailable:
            raise
        except FitbookError:
            self._one_by_one(batch)

    def _one_by_one(self, batch: Sequence[RunRecord]) -> None:
        """Write the runs singly, so that what is wrong with one costs no other."""
        for record in batch:
            try:
                self._store.create_runs([record.draft])
                self._summary.taken["runs"] += 1
            except StoreUnavailable:
                raise
            except FitbookError as error:
                self._summary.skip("run", record.draft.run_id, error)

    def _extend(self, record: RunRecord) -> None:
        """Add to a run that is here what is new there."""
        ours, draft = self._store.get_run(record.draft.run_id), record.draft
        if ours.info.lifecycle_stage == LifecycleStage.DELETED:
            self._summary.there["runs"] += 1
            return
        ends = ours.info.status in _LIVE and draft.status not in _LIVE
        new = self._changes(ours, draft)
        changed = bool(new.params or new.tags or new.metrics or new.datasets)
        artifacts = open_artifacts(ours.info.artifact_uri)
        try:
            if changed:
                self._store.log_batch(draft.run_id, new.metrics, new.params, new.tags, new.datasets)
            files = self._files(record, artifacts, ours)
            if files:
                self._store.record_files(draft.run_id, files)
                every = self._store.recorded_files(draft.run_id)
                for model in self._models(record, artifacts, every):
                    self._store.record_model(model)
            if ends:  # at last: what an interruption has left out is then looked for again
                self._store.update_run(draft.run_id, status=draft.status, end_time=draft.end_time)
        except StoreUnavailable:
            raise
        except FitbookError as error:
            self._summary.skip("run", draft.run_id, error)
            return
        (self._summary.added_to if changed or files or ends else self._summary.there)["runs"] += 1

    def _changes(self, ours: Run, theirs: RunDraft) -> RunDraft:
        """What to add to our run: a draft that holds nothing else."""
        run_id, params, tags = theirs.run_id, ours.data.params, ours.data.tags
        live = ours.info.status in _LIVE  # its tags may still change, those of a run that has ended are the reader's
        for key in theirs.params.keys() & params.keys():
            if theirs.params[key] != params[key] and not self._corrected(run_id, key):
                self._summary.skip("parameter", f"{run_id}/{key}", "has another value here, and is written once")
        have: Counter[tuple[str, int, int, bytes]] = Counter()
        for key in {metric.key for metric in theirs.metrics} & ours.data.metrics.keys():
            have.update(map(_identity, self._store.get_metric_history(run_id, key)))
        new: list[Metric] = []
        for metric in theirs.metrics:
            point = _identity(metric)
            if have[point] > 0:
                have[point] -= 1
            else:
                new.append(metric)
        used = {(d.dataset.name, d.dataset.digest) for d in ours.inputs.dataset_inputs}
        return replace(
            theirs,
            params={k: v for k, v in theirs.params.items() if k not in params},
            tags={k: v for k, v in theirs.tags.items() if k not in tags or (live and tags[k] != v)},
            metrics=new,
            datasets=[d for d in theirs.datasets if (d.dataset.name, d.dataset.digest) not in used],
        )

    def _corrected(self, run_id: str, key: str) -> bool:
        return bool(self._store.get_param_history(run_id, key))

    # -- files -------------------------------------------------------------------------------------------------------

    def _files(self, record: RunRecord, artifacts: Artifacts, ours: Run | None = None) -> list[StoredFile]:
        """Copy the files of a run, and those of its models; returns what is to be noted of them."""
        run_id = record.draft.run_id
        if not self._artifacts:
            if ours is None and record.artifact_uri and not _is_at(artifacts, record.artifact_uri):
                record.draft.tags = {**record.draft.tags, SOURCE_TAG: record.artifact_uri}
            return []
        recorded = {file.path: file for file in self._store.recorded_files(run_id)} if ours else {}
        known = {m.model_id: m.artifact_path for m in self._store.list_logged_models(run_id)} if ours else {}
        copy = partial(
            copy_files,
            target=artifacts,
            summary=self._summary,
            owner=run_id,
            recorded=recorded,
            finished=ours is not None and ours.info.status not in _LIVE,
        )
        new: list[StoredFile] = []
        if record.files is not None:
            new += copy(record.files)
        elif _LOGGED_MODELS_TAG in record.draft.tags or local_path(record.artifact_uri) is None:
            where = record.artifact_uri or "no address"
            self._summary.skip("files", run_id, f"are not reachable from here: {where}")
        if not record.models:
            return new
        own = {info.path.partition("/")[0] for info in record.files.find()} if record.files else set()
        places = place_models(record.models, known, own)
        for model in record.models:
            if model.files is None:
                self._summary.skip("model", model.model_id, f"its files are not reachable from here: {model.location}")
            else:
                new += copy(model.files, under=places[model.model_id])
        return new

    def _models(
        self, record: RunRecord, artifacts: Artifacts, files: Sequence[StoredFile], more: Container[str] = ()
    ) -> list[LoggedModel]:
        def known(model_id: str) -> bool:
            return model_id in more or has_model(self._store, model_id)

        return models_among(artifacts, record.draft.run_id, files, known)


def _reachable(location: str) -> str | None:
    """The location of an experiment, if files in it can be reached from here."""
    path = local_path(location)
    if path is not None and not (path.is_absolute() and path.is_dir()):
        return None
    try:
        return checked_location(location)
    except InvalidValue:
        return None


def _is_at(artifacts: Artifacts, uri: str) -> bool:
    path = local_path(uri)
    if isinstance(artifacts, LocalArtifacts):
        return path is not None and path.absolute() == artifacts.root
    return path is None and _reachable(uri) is not None


def _identity(metric: Metric) -> tuple[str, int, int, bytes]:
    # NaN is a value like any other here, and -0.0 another than 0.0.
    return metric.key, metric.step, metric.timestamp, struct.pack("d", metric.value)


def _moment(metric: Metric) -> tuple[int, int, float]:
    # MLflow takes for the latest, of points of the same step and time, the highest.
    return metric.timestamp, metric.step, metric.value if metric.value == metric.value else 0.0
