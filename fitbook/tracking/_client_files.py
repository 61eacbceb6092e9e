"""`Client`'s verbs on the files of runs."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook._log import FitbookWarning
from fitbook.entities import FileInfo
from fitbook.errors import NotFound
from fitbook.tracking import _tables
from fitbook.tracking._client_core import ClientCore, listed, pages
from fitbook.tracking._run import RunHandle
from fitbook.tracking._writer import writer

if TYPE_CHECKING:
    import pandas as pd


class FileVerbs(ClientCore):
    """Files, folders, texts, figures, images and tables of runs."""

    def log_artifact(self, run_id: str, local_path: str | Path, artifact_path: str | None = None) -> None:
        """Copy a local file into a run."""
        self._run(run_id).log_artifact(local_path, artifact_path)

    def log_artifacts(self, run_id: str, local_dir: str | Path, artifact_path: str | None = None) -> None:
        """Copy what is in a local folder into a run."""
        self._run(run_id).log_artifacts(local_dir, artifact_path)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Write text as a file of a run."""
        self._run(run_id).log_text(text, artifact_file)

    def log_dict(self, run_id: str, dictionary: Any, artifact_file: str) -> None:
        """Write a dictionary as JSON or YAML."""
        self._run(run_id).log_dict(dictionary, artifact_file)

    def log_figure(self, run_id: str, figure: Any, artifact_file: str, *, save_kwargs: Any = None) -> None:
        """Write a matplotlib or plotly figure."""
        self._run(run_id).log_figure(figure, artifact_file, save_kwargs=save_kwargs)

    def log_image(
        self,
        run_id: str,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: int | None = None,
        timestamp: int | None = None,
        synchronous: bool | None = None,
    ) -> None:
        """Write an image as a file, or under a key and step; see `fitbook.log_image`."""
        self._run(run_id).log_image(image, artifact_file, key, step, timestamp)

    def log_stream(self, run_id: str, stream: Any, artifact_file: str) -> None:
        """Write what a binary stream has as a file of a run."""
        self._run(run_id).log_stream(stream, artifact_file)

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Write a table as JSON, adding to one that is there."""
        self._run(run_id).log_table(data, artifact_file)

    def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: Sequence[str] | None = None,
        extra_columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Read the tables of one name of an experiment's runs into one; see `fitbook.load_table`."""
        _tables.checked_name(artifact_file)
        store = self._read()
        if run_ids is not None:
            runs = [store.get_run(run_id) for run_id in listed("run_ids", run_ids)]
        else:
            condition = f"tags.`{_tables.LOGGED_ARTIFACTS}` LIKE '%table%'"
            runs = pages(
                lambda size, token: store.search_runs(
                    [str(experiment_id)], condition, max_results=size, page_token=token
                )
            )
        found = [run for run in runs if _tables.has_table(run, artifact_file)]
        if not found:
            raise NotFound("table", artifact_file, hint="No run that was looked at has logged one of that name.")
        if run_ids is not None and len(found) < len(runs):
            warnings.warn(f"Some of the runs have no table {artifact_file!r}; they are left out.", FitbookWarning, 2)
        tables = [(run, self._run(run.info.run_id).artifacts.read(artifact_file)) for run in found]
        return _tables.read(tables, artifact_file, extra_columns)

    def delete_artifacts(self, run_id: str, path: str) -> None:
        """Remove one file of a run, or a folder with all in it."""
        self._run(run_id).delete_artifacts(path)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List what is directly inside a folder of a run."""
        return self._run(run_id).list_artifacts(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | Path | None = None) -> str:
        """Give a file or folder of a run as a local path; copied to ``dst_path`` if that is given."""
        return download(self._run(run_id), path, dst_path)


def download(run: RunHandle, path: str, dst_path: str | Path | None) -> str:
    """Give an artifact as a local path, copied to a folder of the user's if one is given."""
    writer.flush()
    if dst_path is None:
        return str(run.artifacts.local_path(path))
    return str(run.artifacts.download(path, dst_path))


def copied(source: Path, dst_path: str | Path | None, *, whole: bool) -> str:
    """Give what is local as it is, or copied into a folder of the user's: under its name or, ``whole``, all that is in it."""
    if dst_path is None:
        return str(source)
    target = Path(dst_path) if whole else Path(dst_path) / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
    return str(target)
