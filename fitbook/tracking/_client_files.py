"""`Client`'s verbs on the files of runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fitbook.entities import FileInfo
from fitbook.tracking._client_core import ClientCore
from fitbook.tracking._run import RunHandle
from fitbook.tracking._writer import writer


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

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Write a table as JSON, adding to one that is there."""
        self._run(run_id).log_table(data, artifact_file)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List what is directly inside a folder of a run."""
        return self._run(run_id).list_artifacts(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | Path | None = None) -> str:
        """Give a file or folder of a run as a local path; copied to ``dst_path`` if that is given."""
        return download(self._run(run_id), path, dst_path)


def download(run: RunHandle, path: str, dst_path: str | Path | None) -> str:
    """Give an artifact as a local path, copied to a folder of the user's if one is given."""
    writer.flush()
    source = run.artifacts.local_path(path)
    if dst_path is None:
        return str(source)
    target = Path(dst_path) / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
    return str(target)
