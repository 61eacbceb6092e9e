"""A store as plain files that outlive any tool: JSON, CSV, and artifacts as they are; docs/coming-from-mlflow.md lists them.

Every file is written whole or not at all, and ``run.json`` after all else of its run: where it is, the run is complete.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fitbook._version import __version__
from fitbook.artifacts import LocalArtifacts, open_artifacts
from fitbook.entities import Experiment, ModelMove, ModelVersion, Run, ViewType
from fitbook.errors import FitbookError, InvalidValue, NotFound, StoreUnavailable
from fitbook.registry import Registry
from fitbook.store import Store
from fitbook.transfer._copying import copy_files
from fitbook.transfer._progress import bar
from fitbook.transfer._summary import Summary

FORMAT = 1
INDEX, MODELS, EXPERIMENT, RUN, TABLE = "export.json", "models.json", "experiment.json", "run.json", "runs.csv"

_PAGE = 500
_ODD = re.compile(r"[^\w.\- ]")
_COLUMNS = ("run_id", "run_name", "status", "start_time", "end_time", "user_id", "lifecycle_stage", "parent_run_id")


def export(
    store: Store,
    registry: Registry,
    folder: str | Path,
    *,
    experiments: Sequence[str] = (),
    run_ids: Sequence[str] = (),
    deleted: bool = False,
    progress: bool = False,
) -> Summary:
    """Write runs with their files, and the registry, into a folder; what is there from an earlier export is refreshed.

    Parameters
    ----------
    store : Store
        Holds the runs.
    registry : Registry
        Holds the registered models.
    folder : str or Path
        New, empty, or that of an earlier export.
    experiments : sequence of str
        Only those of these names.
    run_ids : sequence of str
        Only these runs.
    deleted : bool, default False
        Whether deleted experiments and runs are written too.
    progress : bool, default False
        Whether a bar is shown, if standard error is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    NotFound
        There is no such experiment or run.
    InvalidValue
        The folder holds something else.
    StoreUnavailable
        The store can't be read, or the folder not be written.
    """
    root = Path(folder).expanduser().absolute()
    chosen = [store.get_run(run_id) for run_id in run_ids]
    wanted = _experiments(store, experiments, chosen, deleted)
    summary = Summary()
    try:
        _claim(root)
        with bar("export", "run", len(chosen), shown=progress) as step:
            for experiment in wanted:
                place = _folder_of(root, experiment)
                mine = [run for run in chosen if run.info.experiment_id == experiment.experiment_id]
                _count(summary, "experiments", _write_json(place / EXPERIMENT, _experiment(experiment)))
                for run in mine if chosen else _runs(store, experiment, deleted):
                    _export_run(store, run, place / run.info.run_id, summary)
                    step()
                _write_table(place)
        _write_json(root / MODELS, list(_models(registry, summary)))
    except OSError as error:
        raise StoreUnavailable(f"The folder {root} can't be written: {error.strerror or error}.") from error
    return summary


# -- what is written -----------------------------------------------------------------------------------------------------


def _export_run(store: Store, run: Run, place: Path, summary: Summary) -> None:
    run_id = run.info.run_id
    run = store.get_run(run_id)  # with its data sets
    recorded = {file.path: file for file in store.recorded_files(run_id)}
    files = LocalArtifacts(place / "artifacts")
    try:
        copy_files(open_artifacts(run.info.artifact_uri), files, summary, run_id)
    except FitbookError as error:
        summary.skip("files", run_id, error)
    info = run.info
    content = {
        **{name: getattr(info, name) for name in _COLUMNS},
        "experiment_id": info.experiment_id,
        "artifact_uri": info.artifact_uri,
        "params": dict(sorted(run.data.params.items())),
        "metrics": {key: _number(value) for key, value in sorted(run.data.metrics.items())},
        "tags": dict(sorted(run.data.tags.items())),
        "history": {
            key: [[m.step, m.timestamp, _number(m.value)] for m in store.get_metric_history(run_id, key)]
            for key in sorted(run.data.metrics)
        },
        "param_changes": [_fields(change) for change in store.get_param_history(run_id)],
        "datasets": [
            {**_fields(used.dataset), "tags": {tag.key: tag.value for tag in used.tags}}
            for used in run.inputs.dataset_inputs
        ],
        "models": [_fields(model) for model in store.list_logged_models(run_id)],
        "files": [
            {"path": f.path, "size": f.file_size, "sha256": recorded[f.path].sha256 if f.path in recorded else None}
            for f in files.find()
        ],
    }
    _count(summary, "runs", _write_json(place / RUN, content))


def _experiment(experiment: Experiment) -> dict[str, Any]:
    return {**_fields(experiment), "tags": dict(sorted(experiment.tags.items()))}


def _models(registry: Registry, summary: Summary) -> Iterator[dict[str, Any]]:
    token: str | None = ""
    while token is not None:
        page = registry.search_registered_models(page_token=token)
        for model in page:
            quoted = model.name.replace("'", "''")
            versions = registry.search_model_versions(f"name = '{quoted}'", 200_000, ["version_number ASC"])
            summary.taken["registered models"] += 1
            summary.taken["model versions"] += len(versions)
            content = {**_fields(model), "tags": dict(model.tags), "aliases": dict(model.aliases)}
            del content["latest_versions"]
            history = [_move(move) for move in registry.get_model_history(model.name, 200_000)]
            yield {**content, "versions": [_version(version) for version in versions], "history": history}
        token = page.token


def _version(version: ModelVersion) -> dict[str, Any]:
    return {**_fields(version), "tags": dict(version.tags), "aliases": list(version.aliases)}


def _move(move: ModelMove) -> dict[str, Any]:
    figures = {key: _number(value) if isinstance(value, float) else value for key, value in move.figures.items()}
    return {**_fields(move), "figures": figures}


def _write_table(place: Path) -> None:
    """Write a row for each run that is in the folder, whenever it was exported."""
    runs = []
    for file in sorted(place.glob(f"*/{RUN}")):
        run = json.loads(file.read_bytes())
        del run["history"]
        runs.append(run)
    runs.sort(key=lambda run: (run["start_time"], run["run_id"]))
    keys = [
        (group, key)
        for group in ("params", "metrics", "tags")
        for key in sorted({key for run in runs for key in run[group]})
    ]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*_COLUMNS, *(f"{group}.{key}" for group, key in keys)])
    for run in runs:
        writer.writerow([*(run[name] for name in _COLUMNS), *(run[group].get(key) for group, key in keys)])
    _write(place / TABLE, text.getvalue().encode("utf-8"))


# -- which -----------------------------------------------------------------------------------------------------------------


def _experiments(store: Store, names: Sequence[str], runs: Iterable[Run], deleted: bool) -> list[Experiment]:
    every: list[Experiment] = []
    token: str | None = ""
    while token is not None:
        page = store.search_experiments(ViewType.ALL, _PAGE, page_token=token)
        every += page
        token = page.token
    for name in names:
        if name not in {experiment.name for experiment in every}:
            raise NotFound("experiment", name, [experiment.name for experiment in every])
    of_runs = {run.info.experiment_id for run in runs}
    if of_runs:
        return [experiment for experiment in every if experiment.experiment_id in of_runs]
    if names:
        return [experiment for experiment in every if experiment.name in names]
    return [experiment for experiment in every if deleted or experiment.lifecycle_stage == "active"]


def _runs(store: Store, experiment: Experiment, deleted: bool) -> Iterator[Run]:
    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    token: str | None = ""
    while token is not None:
        page = store.search_runs([experiment.experiment_id], None, view, _PAGE, page_token=token)
        yield from page
        token = page.token


# -- files -----------------------------------------------------------------------------------------------------------------


def _claim(root: Path) -> None:
    """Make sure that the folder is ours: an export must not be strewn over somebody's own files."""
    if root.is_dir() and any(root.iterdir()) and not (root / INDEX).is_file():
        raise InvalidValue(f"{root} holds other files; give a new or empty folder, or that of an earlier export.")
    if root.exists() and not root.is_dir():
        raise InvalidValue(f"{root} is a file; give a folder.")
    root.mkdir(parents=True, exist_ok=True)
    _write_json(root / INDEX, {"format": FORMAT, "written_by": f"fitbook {__version__}"})


def _folder_of(root: Path, experiment: Experiment) -> Path:
    # An experiment that was renamed since stays where it is.
    found = sorted(root.glob(f"{experiment.experiment_id}-*"))
    name = _ODD.sub("_", experiment.name)[:60].strip()
    place = found[0] if found else root / f"{experiment.experiment_id}-{name}"
    place.mkdir(exist_ok=True)
    return place


def _write_json(file: Path, content: Any) -> bool | None:
    """Write what is new; tells whether the file was there, None if it was there with this content."""
    data = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    there = file.is_file()
    if there and file.read_bytes() == data:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, data)
    return there


def _write(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".part-{file.name}")
    temporary.write_bytes(data)
    os.replace(temporary, file)


def _count(summary: Summary, kind: str, written: bool | None) -> None:
    counter = summary.there if written is None else summary.added_to if written else summary.taken
    counter[kind] += 1


def _fields(entity: Any) -> dict[str, Any]:
    return {name: _plain(getattr(entity, name)) for name in entity.__dataclass_fields__}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
