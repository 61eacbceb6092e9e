"""What the stores hand out: frozen snapshots under MLflow's names and attributes. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fitbook._best import smaller_is_better

T = TypeVar("T")


class RunStatus:
    """The states of a run; all but the first two are final."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    ALL = (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED)


class ViewType:
    """Which life-cycle stages a search returns, with MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


class LifecycleStage:
    """An experiment or run is active or deleted; what is deleted can be restored until it is collected."""

    ACTIVE = "active"
    DELETED = "deleted"

    @staticmethod
    def of_view(view_type: int) -> tuple[str, ...]:
        """The stages that a `ViewType` includes."""
        return {
            ViewType.ACTIVE_ONLY: (LifecycleStage.ACTIVE,),
            ViewType.DELETED_ONLY: (LifecycleStage.DELETED,),
        }.get(view_type, (LifecycleStage.ACTIVE, LifecycleStage.DELETED))


class PagedList(list[T], Generic[T]):
    """One page of a search; ``token`` asks for the next, and is None on the last."""

    def __init__(self, items: Iterable[T] = (), token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a metric; ``timestamp`` in milliseconds since the epoch."""

    key: str
    value: float
    timestamp: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter; the value is kept as text."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RunTag:
    """One tag of a run."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What a metric is now, and the lowest and highest it was; NaN counts for neither, both are None if it was only NaN."""

    latest: Metric
    min: float | None
    max: float | None

    @property
    def best(self) -> float | None:
        """The lowest value of what is better when it is smaller (see `smaller_is_better`), else the highest."""
        return self.min if smaller_is_better(self.latest.key) else self.max


@dataclass(frozen=True, slots=True)
class ParamChange:
    """One correction of a parameter; ``timestamp`` in milliseconds since the epoch."""

    key: str
    old_value: str
    new_value: str
    timestamp: int
    user_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs; times in milliseconds since the epoch."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str = LifecycleStage.ACTIVE
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Who, when, where of a run; times in milliseconds since the epoch."""

    run_id: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str
    parent_run_id: str | None = None

    @property
    def run_uuid(self) -> str:
        """The run's id under its MLflow 1.x name."""
        return self.run_id


@dataclass(frozen=True, slots=True)
class RunData:
    """Latest metrics, parameters and tags of a run."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a data set: ``schema`` and ``profile`` are JSON texts."""

    name: str
    digest: str
    source_type: str = "code"
    source: str = "{}"
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A data set as a run used it; ``tags["mlflow.data.context"]`` says for what (``"train"``, ``"eval"``)."""

    dataset: Dataset
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInputs:
    """All data sets that a run used."""

    dataset_inputs: tuple[DatasetInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stood when it was read."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = RunInputs()


@dataclass(slots=True)
class RunDraft:
    """Everything of a run that is to be written at once (`Store.create_runs`).

    ``lease_seconds`` is how long the run counts as alive without `Store.renew_leases`; None for as long as nobody ends it.
    ``deleted_time`` is for runs that come from elsewhere, where they were deleted then; None for active ones.
    """

    experiment_id: str
    run_id: str
    run_name: str
    user_id: str
    start_time: int
    end_time: int | None = None
    status: str = RunStatus.RUNNING
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    tags: Mapping[str, str] = field(default_factory=dict)
    lease_seconds: float | None = None
    datasets: list[DatasetInput] = field(default_factory=list)
    deleted_time: int | None = None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One artifact; ``path`` is relative to the run's artifact root, ``file_size`` in bytes (None for a folder)."""

    path: str
    is_dir: bool
    file_size: int | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One artifact as it was written: ``size`` in bytes, ``sha256`` in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run logged: where its files are, and the digest of the file that would be unpickled."""

    model_id: str
    run_id: str
    artifact_path: str
    flavor: str
    sha256: str
    size_bytes: int
    creation_timestamp: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model; times in milliseconds since the epoch."""

    name: str
    version: int
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    description: str
    source: str
    run_id: str
    status: str = "READY"
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name under which versions of a model are kept; times in milliseconds since the epoch."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    latest_versions: tuple[ModelVersion, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
