"""What the stores hand out: frozen snapshots under MLflow's names and attributes. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, SupportsIndex, TypeVar, overload

from fitbook._best import smaller_is_better
from fitbook.errors import InvalidValue

T = TypeVar("T")


class Entity:
    """What MLflow's entities have in common: ``dict(entity)`` and ``to_dictionary()``."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):  # type: ignore[arg-type]
            yield each.name, getattr(self, each.name)

    def to_dictionary(self) -> dict[str, Any]:
        """Give everything as plain dictionaries, lists and values."""
        return {name: _plain(value) for name, value in self}


def _plain(value: Any) -> Any:
    if isinstance(value, Entity):
        return value.to_dictionary()
    if isinstance(value, (Mapping, InputTags)):
        return dict(value)
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


class Words:
    """A few words under names; MLflow numbers them in this order, from 1."""

    ALL: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def to_string(cls, value: str | int) -> str:
        """Give the word itself, also for its number in MLflow."""
        if isinstance(value, int) and 1 <= value <= len(cls.ALL):
            return cls.ALL[value - 1]
        if value in cls.ALL:
            return str(value)
        raise InvalidValue(f"{value!r} is none of {', '.join(cls.ALL)}.")

    @classmethod
    def from_string(cls, text: str) -> str:
        """Give the word itself: words are what is kept, not numbers."""
        return cls.to_string(text)


class RunStatus(Words):
    """The states of a run; all but the first two are final."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    ALL = (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED)

    @classmethod
    def is_terminated(cls, status: str | int) -> bool:
        """Tell whether a state is final."""
        return cls.to_string(status) not in (cls.RUNNING, cls.SCHEDULED)

    @classmethod
    def all_status(cls) -> list[str]:
        """List the states."""
        return list(cls.ALL)


class SourceType(Words):
    """What kind of program made a run."""

    NOTEBOOK = "NOTEBOOK"
    JOB = "JOB"
    PROJECT = "PROJECT"
    LOCAL = "LOCAL"
    UNKNOWN = "UNKNOWN"

    ALL = (NOTEBOOK, JOB, PROJECT, LOCAL, UNKNOWN)


class ViewType:
    """Which life-cycle stages a search returns, with MLflow's numbers."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3

    _NAMES = ("active_only", "deleted_only", "all")

    @classmethod
    def to_string(cls, view_type: int) -> str:
        """Give the name of a number."""
        if view_type not in (cls.ACTIVE_ONLY, cls.DELETED_ONLY, cls.ALL):
            raise InvalidValue(f"The view type {view_type!r} is none of 1 (active), 2 (deleted) and 3 (all).")
        return cls._NAMES[view_type - 1]

    @classmethod
    def from_string(cls, name: str) -> int:
        """Give the number of a name."""
        if name not in cls._NAMES:
            raise InvalidValue(f"The view type {name!r} is none of {', '.join(cls._NAMES)}.")
        return cls._NAMES.index(name) + 1


class LifecycleStage:
    """An experiment or run is active or deleted; what is deleted can be restored until it is collected."""

    ACTIVE = "active"
    DELETED = "deleted"

    @staticmethod
    def of_view(view_type: int) -> tuple[str, ...]:
        """The stages that a `ViewType` includes; raises `InvalidValue` for what is none."""
        stages = {
            "active_only": (LifecycleStage.ACTIVE,),
            "deleted_only": (LifecycleStage.DELETED,),
            "all": (LifecycleStage.ACTIVE, LifecycleStage.DELETED),
        }
        return stages[ViewType.to_string(view_type)]

    @classmethod
    def view_type_to_stages(cls, view_type: int = ViewType.ALL) -> list[str]:
        """List the stages that a `ViewType` includes, under MLflow's name."""
        return list(cls.of_view(view_type))

    @classmethod
    def is_valid(cls, lifecycle_stage: str) -> bool:
        """Tell whether there is such a stage."""
        return lifecycle_stage in (cls.ACTIVE, cls.DELETED)

    @classmethod
    def matches_view_type(cls, view_type: int, lifecycle_stage: str) -> bool:
        """Tell whether a `ViewType` includes a stage."""
        return lifecycle_stage in cls.of_view(view_type)


class PagedList(list[T], Generic[T]):
    """One page of a search; ``token`` asks for the next, and is None on the last."""

    def __init__(self, items: Iterable[T] = (), token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


@dataclass(frozen=True, slots=True)
class Metric(Entity):
    """One value of a metric; ``timestamp`` in milliseconds since the epoch."""

    key: str
    value: float
    timestamp: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class Param(Entity):
    """One parameter; the value is kept as text."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RunTag(Entity):
    """One tag of a run."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ExperimentTag(Entity):
    """One tag of an experiment."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class MetricSummary(Entity):
    """What a metric is now, and the lowest and highest it was; NaN counts for neither, both are None if it was only NaN."""

    latest: Metric
    min: float | None
    max: float | None

    @property
    def best(self) -> float | None:
        """The lowest value of what is better when it is smaller (see `smaller_is_better`), else the highest."""
        return self.min if smaller_is_better(self.latest.key) else self.max


@dataclass(frozen=True, slots=True)
class ParamChange(Entity):
    """One correction of a parameter; ``timestamp`` in milliseconds since the epoch."""

    key: str
    old_value: str
    new_value: str
    timestamp: int
    user_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Experiment(Entity):
    """A named group of runs; times in milliseconds since the epoch."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str = LifecycleStage.ACTIVE
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo(Entity):
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
class RunData(Entity):
    """Latest metrics, parameters and tags of a run."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset(Entity):
    """What is known of a data set: ``schema`` and ``profile`` are JSON texts."""

    name: str
    digest: str
    source_type: str = "code"
    source: str = "{}"
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class InputTag(Entity):
    """One tag of the use of a data set."""

    key: str
    value: str


class InputTags(tuple[InputTag, ...]):
    """The tags of the use of a data set: a sequence of `InputTag` as in MLflow, and values by key."""

    __slots__ = ()

    def __new__(cls, tags: Mapping[str, str] | Iterable[InputTag] | None = None) -> InputTags:
        """Take a mapping, or MLflow's or our tags; the order is that of the keys."""
        pairs = tags.items() if isinstance(tags, Mapping) else [(tag.key, tag.value) for tag in tags or ()]
        return super().__new__(cls, [InputTag(key, value) for key, value in sorted(dict(pairs).items())])

    def keys(self) -> list[str]:
        """List the keys, so that ``dict(tags)`` works."""
        return [tag.key for tag in self]

    def get(self, key: str, default: str | None = None) -> str | None:
        """Give the value of a key, or the default."""
        return next((tag.value for tag in self if tag.key == key), default)

    @overload
    def __getitem__(self, place: str, /) -> str: ...
    @overload
    def __getitem__(self, place: SupportsIndex, /) -> InputTag: ...
    @overload
    def __getitem__(self, place: slice, /) -> tuple[InputTag, ...]: ...
    def __getitem__(self, place: Any, /) -> Any:
        if not isinstance(place, str):
            return super().__getitem__(place)
        found = self.get(place)
        if found is None:
            raise KeyError(place)
        return found


@dataclass(frozen=True, slots=True, init=False)
class DatasetInput(Entity):
    """A data set as a run used it; ``tags["mlflow.data.context"]`` says for what (``"train"``, ``"eval"``)."""

    dataset: Dataset
    tags: InputTags

    def __init__(self, dataset: Dataset, tags: Mapping[str, str] | Iterable[InputTag] | None = None) -> None:
        object.__setattr__(self, "dataset", dataset)
        object.__setattr__(self, "tags", InputTags(tags))


@dataclass(frozen=True, slots=True)
class RunInputs(Entity):
    """All data sets that a run used; models that it used are MLflow's and not kept."""

    dataset_inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Run(Entity):
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
    files: list[StoredFile] = field(default_factory=list)
    models: list[LoggedModel] = field(default_factory=list)
    deleted_time: int | None = None


@dataclass(frozen=True, slots=True)
class FileInfo(Entity):
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
class LoggedModel(Entity):
    """A model that a run logged: where its files are, and the digest of the file that would be unpickled.

    The digest is empty where there is no such file, and for a model that was imported.
    """

    model_id: str
    run_id: str
    artifact_path: str
    flavor: str
    sha256: str
    size_bytes: int
    creation_timestamp: int


@dataclass(frozen=True, slots=True)
class ModelVersion(Entity):
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
class ModelMove(Entity):
    """One entry of a registered model's history: an alias or a stage that was moved, or left where it is on purpose.

    ``old`` and ``new`` are numbers of versions where ``alias`` says which one was moved, else stages of ``version``; None
    where there was nothing, or nothing is left. ``undoes`` and ``part_of`` are ``number`` of other entries.
    """

    number: int
    name: str
    alias: str | None
    version: int | None
    old: str | None
    new: str | None
    timestamp: int
    user_id: str
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    undoes: int | None = None
    part_of: int | None = None

    @property
    def subject(self) -> str:
        """What was moved, in words."""
        return f"the stage of version {self.version}" if self.alias is None else f"the alias {self.alias!r}"


@dataclass(frozen=True, slots=True)
class RegisteredModel(Entity):
    """A name under which versions of a model are kept; times in milliseconds since the epoch."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    latest_versions: tuple[ModelVersion, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
