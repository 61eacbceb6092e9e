"""MLflow's file store: a folder for each experiment, in it one for each run, in it a file for each key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    Metric,
    ModelVersion,
    RegisteredModel,
    RunDraft,
    RunStatus,
)
from fitbook.transfer._places import find_files
from fitbook.transfer._records import LoggedModelRecord, Problem, RegisteredModelRecord, RunRecord

META = "meta.yaml"
DELETED_VERSION = "Deleted_Internal"
_STATUS = {
    1: RunStatus.RUNNING,
    2: RunStatus.SCHEDULED,
    3: RunStatus.FINISHED,
    4: RunStatus.FAILED,
    5: RunStatus.KILLED,
}
_RUN_FOLDER = re.compile(r"[0-9a-f]{32}")
_VERSION_FOLDER = re.compile(r"version-([0-9]+)")


class MlrunsSource:
    """The record in a folder ``mlruns``; see `Source`.

    Parameters
    ----------
    root : Path
        The folder that holds those of the experiments.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}

    def experiments(self) -> Iterator[Experiment | Problem]:
        """See `Source`."""
        found: list[Experiment] = []
        for folder in [*_folders(self.root / ".trash"), *_folders(self.root)]:
            if folder.name in (".trash", "models"):
                continue
            try:
                meta = _meta(folder)
                number = str(meta.get("experiment_id", folder.name))
                found.append(
                    Experiment(
                        experiment_id=number,
                        name=str(meta["name"]),
                        artifact_location=str(meta.get("artifact_location") or ""),
                        lifecycle_stage=LifecycleStage.DELETED
                        if folder.parent.name == ".trash"
                        else str(meta.get("lifecycle_stage") or LifecycleStage.ACTIVE),
                        tags=_texts(folder / "tags"),
                        creation_time=meta.get("creation_time"),
                        last_update_time=meta.get("last_update_time"),
                    )
                )
                self._folders[number] = folder
            except (OSError, ValueError, KeyError, TypeError) as error:
                yield Problem("experiment", folder.name, why(error))
        yield from sorted(found, key=lambda experiment: experiment.creation_time or 0)

    def count_runs(self) -> int:
        """See `Source`."""
        return sum(len(_run_folders(folder)) for folder in self._folders.values())

    def runs(self, experiment: Experiment) -> Iterator[RunRecord | Problem]:
        """See `Source`."""
        folder = self._folders[experiment.experiment_id]
        models = self._logged_models(folder)
        for run in _run_folders(folder):
            try:
                record = self._run(run, experiment.experiment_id)
            except (OSError, ValueError, KeyError, TypeError) as error:
                yield Problem("run", run.name, why(error))
                continue
            record.models = models.get(run.name, [])
            yield record

    def models(self) -> Iterator[RegisteredModelRecord | Problem]:
        """See `Source`."""
        for folder in _folders(self.root / "models"):
            try:
                yield self._model(folder)
            except (OSError, ValueError, KeyError, TypeError) as error:
                yield Problem("registered model", folder.name, why(error))

    def close(self) -> None:
        """See `Source`."""

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(self, folder: Path, experiment_id: str) -> RunRecord:
        meta = _meta(folder)
        run_id = str(meta.get("run_id") or meta["run_uuid"])
        if run_id != folder.name:
            raise ValueError(f"{META} has the run id {run_id!r}: it was not written to its end, or is another run's")
        problems: list[Problem] = []
        tags = _texts(folder / "tags")
        deleted = meta.get("lifecycle_stage") == LifecycleStage.DELETED
        draft = RunDraft(
            experiment_id=experiment_id,
            run_id=run_id,
            run_name=str(meta.get("run_name") or tags.get("mlflow.runName") or meta.get("name") or ""),
            user_id=str(meta.get("user_id") or tags.get("mlflow.user") or ""),
            start_time=int(meta["start_time"]),
            end_time=None if meta.get("end_time") is None else int(meta["end_time"]),
            status=_STATUS[meta["status"]],
            params=_texts(folder / "params"),
            tags=tags,
            metrics=list(_points(folder, problems)),
            datasets=list(_datasets(folder)),
            deleted_time=int(meta.get("deleted_time") or meta.get("end_time") or 0) if deleted else None,
        )
        uri = str(meta.get("artifact_uri") or "")
        return RunRecord(draft, uri, find_files(uri, self.root.parent, folder / "artifacts"), problems=problems)

    def _logged_models(self, experiment: Path) -> dict[str, list[LoggedModelRecord]]:
        """The models of an experiment, by the run that logged them."""
        found: dict[str, list[LoggedModelRecord]] = {}
        for folder in _folders(experiment / "models"):
            try:
                meta = _meta(folder)
                uri = str(meta["artifact_location"])
                model = LoggedModelRecord(
                    model_id=str(meta["model_id"]),
                    name=str(meta["name"]),
                    creation_timestamp=int(meta["creation_timestamp"]),
                    location=uri,
                    files=find_files(uri, self.root.parent, folder / "artifacts"),
                )
                found.setdefault(str(meta.get("source_run_id")), []).append(model)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # its run and its versions say themselves what they lack
        return found

    def _model(self, folder: Path) -> RegisteredModelRecord:
        meta = _meta(folder)
        name = str(meta["name"])
        numbered = [(int(found[1]), f) for f in _folders(folder) if (found := _VERSION_FOLDER.fullmatch(f.name))]
        metas = {number: (version, _meta(version)) for number, version in sorted(numbered)}
        gone = tuple(number for number, (_, m) in metas.items() if m.get("current_stage") == DELETED_VERSION)
        versions = tuple(
            ModelVersion(
                name=name,
                version=number,
                creation_timestamp=int(m.get("creation_timestamp") or 0),
                last_updated_timestamp=int(m.get("last_updated_timestamp") or m.get("creation_timestamp") or 0),
                current_stage=str(m.get("current_stage") or "None"),
                description=str(m.get("description") or ""),
                source=str(m.get("source") or ""),
                run_id=str(m.get("run_id") or ""),
                status=str(m.get("status") or "READY"),
                tags=_texts(version / "tags"),
                model_id=m.get("model_id"),
            )
            for number, (version, m) in metas.items()
            if number not in gone
        )
        model = RegisteredModel(
            name=name,
            creation_timestamp=int(meta.get("creation_timestamp") or 0),
            last_updated_timestamp=int(meta.get("last_updated_timestamp") or 0),
            description=str(meta.get("description") or ""),
            tags=_texts(folder / "tags"),
            aliases={alias: int(number) for alias, number in _texts(folder / "aliases").items()},
        )
        storage = {n: str(m["storage_location"]) for n, (_, m) in metas.items() if m.get("storage_location")}
        return RegisteredModelRecord(model, versions, gone, storage)


def why(error: BaseException) -> str:
    """Say in a few words what was wrong."""
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing, or is none of the known values"
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error)
    return " ".join(str(error).split()) or type(error).__name__


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _run_folders(experiment: Path) -> list[Path]:
    return [folder for folder in _folders(experiment) if _RUN_FOLDER.fullmatch(folder.name)]


def _meta(folder: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415

    file = folder / META
    try:
        content = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"{META} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{META} is empty or no table: it was not written to its end, or is damaged")
    return content


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its key; keys with a slash are folders."""
    for path, _, names in os.walk(folder):
        for name in sorted(names):
            file = Path(path, name)
            if not file.is_symlink():
                yield file.relative_to(folder).as_posix(), file


def _texts(folder: Path) -> dict[str, str]:
    return {key: file.read_bytes().decode("utf-8", "backslashreplace") for key, file in _files(folder)}


def _points(run: Path, problems: list[Problem]) -> Iterator[Metric]:
    """All points of all metrics, each file in its order; lines that are none are noted and left out."""
    for key, file in _files(run / "metrics"):
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            try:
                time, value, *more = line.split()
                yield Metric(key, float(value), int(time), int(more[0]) if more else 0)
            except ValueError:
                shown = line[:40].decode("utf-8", "backslashreplace")
                problems.append(Problem("metric point", f"{run.name}/{key}", f"line {number} is no point: {shown!r}"))


def _datasets(run: Path) -> Iterator[DatasetInput]:
    for folder in _folders(run / "inputs"):
        used = _meta(folder)
        if used.get("source_type") != "DATASET":
            continue
        data = _meta(run.parent / "datasets" / str(used["source_id"]))
        yield DatasetInput(
            Dataset(
                name=str(data["name"]),
                digest=str(data["digest"]),
                source_type=str(data.get("source_type") or ""),
                source=str(data.get("source") or ""),
                schema=data.get("schema"),
                profile=data.get("profile"),
            ),
            {str(key): str(value) for key, value in (used.get("tags") or {}).items()},
        )
