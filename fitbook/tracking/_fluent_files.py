"""The module-level verbs on files of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue
from fitbook.tracking._client_files import download
from fitbook.tracking._fluent_logging import target
from fitbook.tracking._models import active_or_new_run


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


def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Write a DataFrame, or a dict of columns, as a JSON table of the run; adds to one that is there."""
    target(run_id).log_table(data, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Tell where the files of the active run are."""
    root: str = active_or_new_run().info.artifact_uri
    return f"{root}/{artifact_path}" if artifact_path else root


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str = "",
    dst_path: str | Path | None = None,
) -> str:
    """Give a file or folder of a run as a local path: by ``run_id`` and path, or by a ``runs:/<run_id>/<path>`` URI."""
    if artifact_uri is not None:
        head, _, rest = artifact_uri.removeprefix("runs:/").partition("/")
        if not artifact_uri.startswith("runs:/") or not head:
            raise InvalidValue(f"The artifact URI {artifact_uri!r} is not like runs:/<run_id>/<path>.")
        run_id, artifact_path = head, rest.rstrip("/")
    return download(target(run_id), artifact_path, dst_path)
