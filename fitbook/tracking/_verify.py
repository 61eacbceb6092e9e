"""Holding a model against what is known of it: its files, what it needs, whether it loads, and whether it predicts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitbook.artifacts import noted, pieces
from fitbook.errors import DamagedFile, FitbookError, NotFound
from fitbook.models import REQUIREMENTS, Model, differences
from fitbook.tracking._backend import Backend, readable
from fitbook.tracking._models import load_model, local_folder

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``ok`` is None if there was nothing to look at."""

    name: str
    ok: bool | None
    detail: str


def verify_model(model_uri: str | Path) -> Iterator[Check]:
    """Look at a model: its files by their sha256, its requirements, its loading, and its input example by predicting.

    Parameters
    ----------
    model_uri : str or Path
        Any model URI.

    Yields
    ------
    Check
        One after the other; a model whose files are not what was written is not loaded.

    Raises
    ------
    NotFound
        There is no such model.
    """
    backend = readable()
    try:
        folder = local_folder(model_uri)
    except DamagedFile as error:
        yield Check("files", False, str(error))
        return
    described = Model.load(folder)
    files = _files(backend, folder, described)
    yield files
    if files.ok is False:
        return
    yield _requirements(folder, described)
    # What differs has been said; what else is warned of belongs to these checks.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        try:
            own = None if "python_function" in described.flavors else next(iter(described.flavors))
            model = load_model(model_uri, own)
        except FitbookError as error:
            yield Check("load", False, str(error))
            return
        yield Check("load", True, f"as {', '.join(described.flavors)}")
        yield _example(folder, described, model)


def _files(backend: Backend, folder: Path, described: Model) -> Check:
    recorded: dict[str, str] = {}
    if described.run_id and described.artifact_path:
        try:
            notes = backend.store.recorded_files(described.run_id, described.artifact_path)
        except NotFound:
            notes = []
        recorded = {note.path[len(described.artifact_path) + 1 :]: note.sha256 for note in notes if note.sha256}
    if not recorded:
        return Check("files", None, "no sha256 was recorded of them here")
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    wrong = [f"{name} is missing" for name in sorted(recorded.keys() - there)]
    wrong += [f"{name} was not recorded" for name in sorted(there - recorded.keys())]
    found = {name: noted(name, pieces(folder / name)).sha256 for name in recorded.keys() & there}
    wrong += [f"{name} has changed" for name in sorted(found) if found[name] != recorded[name]]
    if wrong:
        return Check("files", False, _some(wrong))
    return Check("files", True, f"{len(recorded)} files have the sha256 that was recorded")


def _requirements(folder: Path, described: Model) -> Check:
    if not (folder / REQUIREMENTS).is_file():
        return Check("requirements", None, "the model names none")
    wrong = differences(folder, described)
    if wrong:
        return Check("requirements", False, f"saved with {_some(wrong)}")
    return Check("requirements", True, "what it was saved with is installed")


def _example(folder: Path, described: Model, model: Any) -> Check:
    if described.saved_input_example_info is None:
        return Check("example", None, "the model has none")
    try:
        example = described.load_input_example(folder)
        predicted = model.predict(example)
    except Exception as error:  # the model's own code may raise anything
        return Check("example", False, f"predicting it raised {type(error).__name__}: {error}")
    return Check("example", True, f"{_count(example)} in, {_count(predicted)} predicted")


def _count(data: Any) -> str:
    shape = getattr(data, "shape", None)
    n = shape[0] if shape else len(data) if isinstance(data, (list, tuple)) else 1
    return f"{n} row{'' if n == 1 else 's'}"


def _some(wrong: list[str]) -> str:
    more = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"{'; '.join(wrong[:_SHOWN])}{more}"
