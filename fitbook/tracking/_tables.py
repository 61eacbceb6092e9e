"""Tables of runs: rows that are added by several threads and processes, and read across runs, in MLflow's files."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbook._log import FitbookWarning
from fitbook.artifacts import checked
from fitbook.entities import Run
from fitbook.errors import InvalidValue, NotFound
from fitbook.tracking import _images, _render
from fitbook.tracking._frame import frame

if TYPE_CHECKING:
    import pandas as pd

    from fitbook.tracking._run import RunHandle

# MLflow's UI looks here for what it can show as a table.
LOGGED_ARTIFACTS = "mlflow.loggedArtifacts"


def add(run: RunHandle, data: Mapping[str, Any] | pd.DataFrame, artifact_file: str) -> None:
    """Write a table, after the rows of the one of that name that is there already; see `fitbook.log_table`."""
    checked_name(artifact_file)
    table, images = _without_images(_render.table_frame(data), artifact_file)
    rows = _render.table_rows(table)
    artifacts = run.writable
    artifacts.put_all(images)
    # Adding to a file means reading it and writing it whole, so nobody else may do that meanwhile.
    with run.backend.store.exclusively(f"tables of run {run.run_id}"):
        try:
            stored = artifacts.read(artifact_file)
        except NotFound:
            stored = None
        artifacts.put(artifact_file, _render.table_bytes(rows, stored, artifact_file))
        _note(run, artifact_file)


def read(runs: Sequence[tuple[Run, bytes]], artifact_file: str, extra_columns: Sequence[str] | None) -> pd.DataFrame:
    """Put the tables of several runs into one, with columns that say of which run a row is.

    Parameters
    ----------
    runs : sequence of (Run, bytes)
        Each run, and its table as it is stored.
    artifact_file : str
        The tables' name.
    extra_columns : sequence of str, optional
        Columns of `fitbook.search_runs`, for instance ``"run_id"`` or ``"params.model"``.

    Raises
    ------
    InvalidValue
        What is stored is no table, or there is no such column.
    """
    import pandas as pd  # noqa: PLC0415

    about = frame([run for run, _ in runs])
    unknown = [column for column in extra_columns or () if column not in about]
    if unknown:
        raise InvalidValue(f"extra_columns has {unknown[0]!r}; there is {', '.join(map(repr, about.columns))}.")
    tables = []
    for place, (_, content) in enumerate(runs):
        table = _table(content, artifact_file)
        for column in extra_columns or ():
            name = column
            if column in table:
                name = f"{column}_"
                warnings.warn(f"The table has a column {column!r}; that of the run is {name!r}.", FitbookWarning, 4)
            table[name] = [about[column].iloc[place]] * len(table)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def has_table(run: Run, artifact_file: str) -> bool:
    """Tell whether a run has a table of this name."""
    return {"path": artifact_file, "type": "table"} in _noted(run)


def checked_name(artifact_file: str) -> str:
    """Give the name of a table, or raise `InvalidValue`."""
    if not checked(artifact_file).endswith(".json"):
        raise InvalidValue(f"The table {artifact_file!r} must be called .json.")
    return artifact_file


def _table(content: bytes, artifact_file: str) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    try:
        # As it is stored: whoever guesses types makes 7 of "007".
        stored = json.loads(content)
        return pd.DataFrame(stored["data"], columns=stored["columns"])
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidValue(f"The file {artifact_file!r} is no table.") from error


def _without_images(table: pd.DataFrame, artifact_file: str) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Put images into files of their own, as MLflow does; in their place the table says where they are."""
    files: dict[str, bytes] = {}
    folder = f"table_images/{artifact_file.removesuffix('.json')}"

    def stored(image: Any) -> dict[str, str]:
        image, name = _images.to_pillow(image), f"{folder}/{uuid.uuid4()}"
        files[f"{name}.png"] = _images.encoded(image, "image.png")
        files[f"{name}.webp"] = _images.encoded(_images.thumbnail(image), "image.webp")
        return {"type": "image", "filepath": f"{name}.png", "compressed_filepath": f"{name}.webp"}

    for place, column in enumerate(table.columns):
        cells = table.iloc[:, place]
        if cells.dtype != object or not any(map(_is_image, cells)):
            continue
        if not all(map(_is_image, cells)):
            raise InvalidValue(f"The column {column!r} has images and other things; give it one kind.")
        table = table.copy() if not files else table
        table.isetitem(place, [stored(image) for image in cells])
    return table, files


def _is_image(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("save", "resize", "size")) and not isinstance(value, type)


def _note(run: RunHandle, artifact_file: str) -> None:
    now = run.backend.store.get_run(run.run_id)
    if not has_table(now, artifact_file):
        run.set_tag(LOGGED_ARTIFACTS, json.dumps([*_noted(now), {"path": artifact_file, "type": "table"}]))


def _noted(run: Run) -> list[Any]:
    try:
        noted = json.loads(run.data.tags.get(LOGGED_ARTIFACTS, "[]"))
    except ValueError:
        return []
    return noted if isinstance(noted, list) else []
