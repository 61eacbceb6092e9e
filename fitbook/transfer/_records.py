"""What a source of runs yields: plain records, and one line for each thing that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fitbook.entities import Experiment, FileInfo, ModelMove, ModelVersion, RegisteredModel, RunDraft


class Files(Protocol):
    """A place to copy from; `fitbook.artifacts.Artifacts` is one."""

    def find(self, path: str = "") -> list[FileInfo]:
        """List every file below a folder, by path."""

    def local_path(self, path: str = "") -> Path:
        """Give one file as a local path, to be read before the next one is asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not taken.

    ``kind`` is the kind of thing, ``"run"`` for instance, ``key`` what names it, ``reason`` why, for people.
    """

    kind: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoggedModelRecord:
    """A model that a run of MLflow 3 logged, whose files lie beside those of the run, not among them."""

    model_id: str
    name: str
    creation_timestamp: int
    location: str
    files: Files | None


@dataclass(slots=True)
class RunRecord:
    """A run, and what belongs to it.

    ``draft.experiment_id`` is the source's. ``files`` is None where nobody here can read them: ``artifact_uri`` then says
    where they are. ``problems`` are the parts of the run that could not be read.
    """

    draft: RunDraft
    artifact_uri: str
    files: Files | None
    models: list[LoggedModelRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RegisteredModelRecord:
    """A registered model with all its versions; ``deleted`` are the numbers of those that are gone.

    ``storage`` tells for a version's number where its files are, if that is not what its ``source`` says. ``history`` are the
    moves of its aliases and stages, the newest first.
    """

    model: RegisteredModel
    versions: tuple[ModelVersion, ...]
    deleted: tuple[int, ...] = ()
    storage: dict[int, str] = field(default_factory=dict)
    history: tuple[ModelMove, ...] = ()


class Source(Protocol):
    """A record that somebody else has kept. It is only read; what can't be is yielded as a `Problem`."""

    def experiments(self) -> Iterator[Experiment | Problem]:
        """All experiments, deleted ones too, the oldest first."""

    def count_runs(self) -> int:
        """How many runs there are, for showing progress."""

    def runs(self, experiment: Experiment) -> Iterator[RunRecord | Problem]:
        """All runs of an experiment, deleted ones too."""

    def models(self) -> Iterator[RegisteredModelRecord | Problem]:
        """All registered models."""

    def close(self) -> None:
        """Let go of files and connections."""
