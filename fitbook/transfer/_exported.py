"""What `export` has written, as a source: the way back from plain files into a store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fitbook.artifacts import LocalArtifacts
from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    Metric,
    ModelMove,
    ModelVersion,
    RegisteredModel,
    RunDraft,
)
from fitbook.errors import InvalidValue
from fitbook.transfer._exporting import EXPERIMENT, FORMAT, INDEX, MODELS, RUN
from fitbook.transfer._records import Problem, RegisteredModelRecord, RunRecord

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


class ExportSource:
    """A folder that `export` has written.

    Parameters
    ----------
    root : Path

    Raises
    ------
    InvalidValue
        A newer version has written it, or something else.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            written = json.loads((root / INDEX).read_bytes())["format"]
        except _UNREADABLE as error:
            raise InvalidValue(f"{root} is no export of fitbook's: {INDEX} can't be read ({error!r}).") from error
        if written != FORMAT:
            raise InvalidValue(f"{root} has the format {written!r}, and this version of fitbook reads {FORMAT}.")

    def experiments(self) -> Iterator[Experiment | Problem]:
        """See `Source`."""
        for file in self._files(EXPERIMENT):
            try:
                yield Experiment(**json.loads(file.read_bytes()))
            except _UNREADABLE as error:
                yield _problem("experiment", file.parent.name, error)

    def count_runs(self) -> int:
        """See `Source`."""
        return len(self._files(f"*/{RUN}"))

    def runs(self, experiment: Experiment) -> Iterator[RunRecord | Problem]:
        """See `Source`."""
        for file in self._files(f"*/{RUN}"):
            if file.parents[1].name.partition("-")[0] != experiment.experiment_id:
                continue
            try:
                place = file.parent / "artifacts"
                files = None if place.is_symlink() else LocalArtifacts(place)
                yield RunRecord(_draft(json.loads(file.read_bytes())), str(place), files)
            except _UNREADABLE as error:
                yield _problem("run", file.parent.name, error)

    def models(self) -> Iterator[RegisteredModelRecord | Problem]:
        """See `Source`."""
        try:
            every = list(json.loads((self.root / MODELS).read_bytes()))
        except _UNREADABLE as error:
            yield _problem("registry", MODELS, error)
            return
        for model in every:
            try:
                yield _registered(dict(model))
            except _UNREADABLE as error:
                yield _problem("registered model", str(model)[:80], error)

    def close(self) -> None:
        """See `Source`."""

    def _files(self, name: str) -> list[Path]:
        # Links are not followed: an archive from a stranger must not bring along whatever it points at.
        return sorted(file for file in self.root.glob(f"*/{name}") if not file.parent.is_symlink())


def _draft(run: dict[str, Any]) -> RunDraft:
    deleted = run["lifecycle_stage"] == LifecycleStage.DELETED
    return RunDraft(
        **{name: run[name] for name in ("experiment_id", "run_id", "run_name", "user_id", "start_time", "end_time")},
        status=run["status"],
        params=dict(run["params"]),
        tags=dict(run["tags"]),
        metrics=[
            Metric(key, float(value), int(time), int(step))
            for key, points in run["history"].items()
            for step, time, value in points
        ],
        datasets=[
            DatasetInput(Dataset(**{key: value for key, value in used.items() if key != "tags"}), used["tags"])
            for used in run["datasets"]
        ],
        deleted_time=(run["end_time"] or run["start_time"]) if deleted else None,
    )


def _registered(model: dict[str, Any]) -> RegisteredModelRecord:
    versions = tuple(ModelVersion(**version) for version in model.pop("versions"))
    history = tuple(map(_move, model.pop("history", ())))
    numbers = {version.version for version in versions}
    gone = set(range(1, max(numbers, default=0))) - numbers
    return RegisteredModelRecord(RegisteredModel(**model), versions, tuple(sorted(gone)), history=history)


def _move(move: dict[str, Any]) -> ModelMove:
    numbers = {key: None if move[key] is None else int(move[key]) for key in ("undoes", "part_of")}
    return ModelMove(**{**move, **numbers, "number": int(move["number"]), "figures": dict(move["figures"])})


def _problem(kind: str, key: str, error: Exception) -> Problem:
    return Problem(kind, key, f"can't be read: {error!r}")
