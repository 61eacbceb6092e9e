"""The contract of every store of run data, written once: what holds for each method is in its docstring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from fitbook.entities import (
    DatasetInput,
    Experiment,
    LoggedModel,
    Metric,
    MetricSummary,
    PagedList,
    ParamChange,
    Run,
    RunDraft,
    RunInfo,
    StoredFile,
    ViewType,
)

DEFAULT_EXPERIMENT_ID = "0"
DEFAULT_EXPERIMENT_NAME = "Default"


class Store(ABC):
    """Experiments and runs, and what was logged to them.

    *Threads and processes.* Every method may be called from several threads at once, and from several processes on the
    same URI. *Atomicity.* A method writes all or nothing; when it returns, what it wrote is durable against the death
    of the process and visible to every later read from anywhere. *Order.* Within one run, writes become visible in the
    order in which they returned.

    *Errors.* `NotFound` for an unknown id, `WrongState` for writing to something deleted, `InvalidValue` for a bad
    name, key or value, `StoreUnavailable` when the store can't be reached: in each case nothing was written. Runs that
    have ended may still be written to: metrics that are computed after the fit belong to it.

    Ids are texts; times are whole milliseconds since the epoch.
    """

    # -- experiments -------------------------------------------------------------------------------------------------

    @abstractmethod
    def create_experiment(
        self,
        name: str,
        artifact_location: str | None = None,
        tags: Mapping[str, str] | None = None,
        creation_time: int | None = None,
    ) -> str:
        """Make an experiment and return its id; raises `AlreadyExists`, for a deleted one of that name too.

        ``creation_time`` is for those that come from elsewhere; None is now.
        """

    @abstractmethod
    def get_experiment(self, experiment_id: str) -> Experiment:
        """Read an experiment, deleted or not."""

    @abstractmethod
    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Read an experiment by its exact name, deleted or not; None if there is none."""

    @abstractmethod
    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """List experiments, newest first unless ``order_by`` says otherwise."""

    @abstractmethod
    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an active experiment another name."""

    @abstractmethod
    def delete_experiment(self, experiment_id: str) -> None:
        """Mark an experiment and its active runs as deleted."""

    @abstractmethod
    def restore_experiment(self, experiment_id: str) -> None:
        """Undo `delete_experiment`, for its runs too."""

    @abstractmethod
    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set or overwrite one tag of an active experiment."""

    @abstractmethod
    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove one tag of an active experiment; raises `NotFound` if it has none of that key."""

    # -- runs --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def create_runs(self, drafts: Sequence[RunDraft]) -> None:
        """Write any number of runs with all that belongs to them, in one transaction.

        Runs that come from elsewhere deleted stay so; of all runs only these may belong to a deleted experiment.
        This is how a run begins, how a search writes its children, and how a store is filled in bulk.
        """

    @abstractmethod
    def write_runs(self, drafts: Sequence[RunDraft]) -> None:
        """Write any number of runs, of which some may be there already, in one transaction; doing so twice is no error.

        Those that are not are made. To those that are, their drafts add params that they don't have, metrics that they
        don't have with that value, and tags; the draft's name, status, end, lease and stage replace theirs. Deleted runs
        stay as they are. This is how a search writes its candidates while it goes on.
        """

    @abstractmethod
    def get_run(self, run_id: str) -> Run:
        """Read a run, deleted or not."""

    def get_run_info(self, run_id: str) -> RunInfo:
        """Read only who, when and where of a run."""
        return self.get_run(run_id).info

    @abstractmethod
    def find_runs(self, id_prefix: str, limit: int = 10) -> list[str]:
        """List ids of runs that begin with this text."""

    @abstractmethod
    def update_run(
        self,
        run_id: str,
        *,
        status: str | None = None,
        end_time: int | None = None,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        lease_seconds: float | None = None,
    ) -> None:
        """Change what is given; any status ends the run's lease, and RUNNING also takes back its end.

        ``lease_seconds`` gives a run that is made RUNNING a new lease; see `RunDraft`.
        """

    @abstractmethod
    def delete_run(self, run_id: str, *, children: bool = False) -> None:
        """Mark a run as deleted, with ``children`` also all runs below it; deleting twice is no error."""

    @abstractmethod
    def restore_run(self, run_id: str, *, children: bool = False) -> None:
        """Undo `delete_run`, with ``children`` for all runs below it as well."""

    @abstractmethod
    def renew_leases(self, run_ids: Sequence[str], seconds: float) -> list[str]:
        """Promise that these runs are alive for so long from now; return those that nobody has ended meanwhile.

        A run that was ended only because its lease had run out is RUNNING again. No lease becomes shorter.
        """

    @abstractmethod
    def end_dead_runs(self) -> list[str]:
        """Make runs FAILED whose lease has run out by the database's clock, and return their ids.

        Reading a run, or searching, does this first; whoever may not write sees these runs as if it had been done. The
        end is when the lease ran out, and the tag ``fitbook.end_reason`` says why.
        """

    @abstractmethod
    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Find runs, newest first unless ``order_by`` says otherwise."""

    # -- what runs hold ----------------------------------------------------------------------------------------------

    @abstractmethod
    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Add one point to a metric; the shortest way there is."""

    @abstractmethod
    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        datasets: Iterable[DatasetInput] = (),
    ) -> None:
        """Write all of this to a run; a parameter that has another value already raises `ParamConflict`."""

    @abstractmethod
    def correct_param(self, run_id: str, key: str, value: str, *, user_id: str, reason: str = "") -> None:
        """Give a parameter another value, and note the change; raises `NotFound` if the run has none of that key."""

    @abstractmethod
    def get_param_history(self, run_id: str, key: str | None = None) -> list[ParamChange]:
        """List the corrections of one parameter, or of all, oldest first."""

    @abstractmethod
    def set_tag_once(self, run_id: str, key: str, value: str) -> str:
        """Set a tag unless the run has it, and return what it has now: of many callers exactly one finds its own."""

    @abstractmethod
    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove one tag of a run; raises `NotFound` if it has none of that key."""

    @abstractmethod
    def delete_tags(self, run_id: str, keys: Sequence[str]) -> None:
        """Remove those of these tags that a run has."""

    @abstractmethod
    def get_metric_history(self, run_id: str, key: str, max_points: int | None = None) -> list[Metric]:
        """Read the points of a metric, in the order in which they were written; empty for an unknown key.

        With ``max_points`` at most so many: the first, the last, and some between at even distances. A peak between two
        of them is left out; `get_metric_summaries` knows how high it was.
        """

    @abstractmethod
    def get_metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        """Read for every metric of a run what it is now, and the lowest and highest that it was."""

    # -- files of runs -----------------------------------------------------------------------------------------------

    @abstractmethod
    def record_files(self, run_id: str, files: Sequence[StoredFile]) -> None:
        """Note files as they were written; what was noted of the same paths before is replaced."""

    @abstractmethod
    def recorded_files(self, run_id: str, path: str = "") -> list[StoredFile]:
        """List what is noted of a file, or of all files in a folder and below it, by path."""

    @abstractmethod
    def forget_files(self, run_id: str, path: str = "") -> None:
        """Remove what is noted of a file, or of all files in a folder and below it."""

    # -- models of runs ----------------------------------------------------------------------------------------------

    @abstractmethod
    def record_model(self, model: LoggedModel) -> None:
        """Note that a run logged a model."""

    @abstractmethod
    def get_logged_model(self, model_id: str) -> LoggedModel:
        """Read the note of one model."""

    @abstractmethod
    def list_logged_models(self, run_id: str) -> list[LoggedModel]:
        """List the models that a run logged, oldest first."""

    @abstractmethod
    def latest_logged_model(self, artifact_path: str) -> LoggedModel | None:
        """Read the note of the newest model that any active run logged under this path; None if there is none."""

    # -- clean-up ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def deleted_runs(self, before: int | None = None) -> list[str]:
        """List runs that were deleted, with a time only those deleted before it; runs of deleted experiments too."""

    @abstractmethod
    def deleted_experiments(self, before: int | None = None) -> list[str]:
        """List experiments that were deleted, with a time only those deleted before it; never the default one."""

    @abstractmethod
    def unknown_runs(self, run_ids: Sequence[str]) -> list[str]:
        """Tell which of these ids no run has, deleted ones included."""

    @abstractmethod
    def runs_of_models(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Tell which of these runs a registered model version comes from, and name one: ``model/version``."""

    @abstractmethod
    def count_rows(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Count, by kind, what the store would lose if these runs were purged."""

    @abstractmethod
    def purge_runs(self, run_ids: Sequence[str]) -> list[str]:
        """Delete runs for good, with all that they hold but their files, and return their ids.

        What is not deleted is left alone, and so is what a registered model version comes from. Data sets go with the
        last run that used them.
        """

    @abstractmethod
    def purge_experiments(self, experiment_ids: Sequence[str]) -> list[str]:
        """Delete for good those of these experiments that are deleted and have no runs any more; return their ids.

        No other experiment will have one of these ids; for that, the newest leaves an empty one behind for a while.
        """

    # -- life cycle --------------------------------------------------------------------------------------------------

    @abstractmethod
    def exclusively(self, name: str) -> AbstractContextManager[None]:
        """Hold, in a ``with`` block, the lock of this name that only one thread of one process has; it dies with it."""

    @abstractmethod
    def close(self) -> None:
        """Release connections; the store opens them again when it is used."""

    def generation(self) -> int:
        """Tell how often the store was found gone, and made anew, while it was open here: its ids are then others."""
        return 0
