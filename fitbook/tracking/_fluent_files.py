"""The module-level verbs on files of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.tracking._backend import current_experiment_id
from fitbook.tracking._client import Client
from fitbook.tracking._fluent_logging import target
from fitbook.tracking._models import active_or_new_run

if TYPE_CHECKING:
    import pandas as pd


def log_artifact(local_path: str | Path, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Copy a local file (or folder) into the run, under ``artifact_path`` if given.

    Raises
    ------
    NotFound
        There is no such file.
    InvalidValue
        The artifact path leads outside the run.
    """
    target(run_id).log_artifact(local_path, artifact_path)


def log_artifacts(local_dir: str | Path, artifact_path: str | None = None, run_id: str | None = None) -> None:
    """Copy everything in a local folder into the run, under ``artifact_path`` if given."""
    target(run_id).log_artifacts(local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Write text as a file of the run."""
    target(run_id).log_text(text, artifact_file)


def log_dict(dictionary: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write a dictionary as a JSON file of the run, or YAML if the file is called ``.yml`` or ``.yaml``."""
    target(run_id).log_dict(dictionary, artifact_file)


def log_figure(figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None) -> None:
    """Write a matplotlib or plotly figure as a file of the active run, in the format of the file's ending."""
    active_or_new_run().log_figure(figure, artifact_file, save_kwargs=save_kwargs)


def log_image(
    image: Any,
    artifact_file: str | None = None,
    key: str | None = None,
    step: int | None = None,
    timestamp: int | None = None,
    synchronous: bool | None = False,
) -> None:
    """Write an image into the active run: as a file, or as what a key shows at a step.

    Parameters
    ----------
    image : ndarray, PIL.Image.Image or Image
        An array is height x width, with 1, 3 (RGB) or 4 (RGBA) channels last if any: bool, integers of 0 to 255, or floats
        of 0 to 1; floats beyond that are scaled, with a warning.
    artifact_file : str, optional
        Name of the file; its ending tells the format.
    key : str, optional
        Instead of a file: what the image shows. MLflow's UI shows the images of a key along their steps.
    step : int, optional
        Position of an image with a key, 0 if not given.
    timestamp : int, optional
        Milliseconds since the epoch; now if not given.
    synchronous : bool, optional
        MLflow's; the image is written when this returns.

    Raises
    ------
    InvalidValue
        It is no image, its format can't hold it, or both or neither of a file and a key were given.
    """
    active_or_new_run().log_image(image, artifact_file, key, step, timestamp)


def log_stream(stream: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write what a binary stream (an open file, a response) has as a file of the run."""
    target(run_id).log_stream(stream, artifact_file)


def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write a table as a JSON file of the run; adds to one that is there, also when several processes do.

    Parameters
    ----------
    data : DataFrame or dict of columns
        Images among the cells go into files of their own.
    artifact_file : str
        Called ``.json``.
    run_id : str, optional
        Another run than the active one.

    Raises
    ------
    InvalidValue
        It is no table, or the file that is there is none.
    """
    target(run_id).log_table(data, artifact_file)


def load_table(
    artifact_file: str, run_ids: Sequence[str] | None = None, extra_columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the tables of one name, of all runs of the chosen experiment, into one DataFrame.

    Parameters
    ----------
    artifact_file : str
        The name under which `log_table` wrote them.
    run_ids : sequence of str, optional
        Only these runs, of whichever experiment; those without the table are left out with a warning.
    extra_columns : sequence of str, optional
        Columns of `search_runs` to add, for instance ``"run_id"``; one that the table has already gets a ``_``.

    Raises
    ------
    NotFound
        No run has such a table.
    """
    return Client().load_table(current_experiment_id(), artifact_file, run_ids, extra_columns)


def delete_artifacts(artifact_path: str, run_id: str | None = None) -> None:
    """Remove one file of the run, or a folder with all in it."""
    target(run_id).delete_artifacts(artifact_path)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Tell where the files of the active run are, or one of them."""
    root: str = active_or_new_run().info.artifact_uri
    return f"{root}/{artifact_path}" if artifact_path else root
