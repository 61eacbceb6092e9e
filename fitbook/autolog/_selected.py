"""A run that takes only what the user wants to be recorded, whoever writes to it."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fitbook.autolog._config import Config, Selection
from fitbook.entities import DatasetInput, Metric, StoredFile
from fitbook.tracking._backend import Backend
from fitbook.tracking._files import RunFiles
from fitbook.tracking._run import RunHandle

# What recording has cost is said of every run.
_ALWAYS = "fitbook."


class SelectedRun(RunHandle):
    """The run of a record; what its options leave out is not written.

    Parameters
    ----------
    backend : Backend
        Where the run is kept.
    run_id : str
        The run's id.
    config : Config
        Says which params, metrics and artifacts are wanted.
    """

    def __init__(self, backend: Backend, run_id: str, config: Config) -> None:
        super().__init__(backend, run_id)
        self._config = config

    def log_metric(self, key: str, value: float, step: int | None = None, timestamp: int | None = None) -> None:
        """Add one point to a metric, if it is wanted."""
        if key in self._config.metrics:
            super().log_metric(key, value, step, timestamp)

    def log_batch(
        self,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        datasets: Iterable[DatasetInput] = (),
    ) -> None:
        """Write what is wanted of this in one transaction."""
        metrics = [m for m in metrics if m.key in self._config.metrics or m.key.startswith(_ALWAYS)]
        params = {key: value for key, value in (params or {}).items() if key in self._config.params}
        super().log_batch(metrics, params, tags, datasets)

    @property
    def artifacts(self) -> RunFiles:
        """The place for those files that are wanted."""
        files = super().artifacts
        return SelectedFiles(files, self._config.artifacts)


class SelectedFiles(RunFiles):
    """The files of a run, but for those that are not wanted. A folder is wanted or not as a whole."""

    def __init__(self, files: RunFiles, wanted: Selection) -> None:
        super().__init__(files.artifacts, files.store, files.run_id)
        self._wanted = wanted

    def put(self, path: str, content: bytes | Path) -> StoredFile:
        """Write one file; one that is not wanted is as if it had been empty."""
        written = self.put_all({path: content})
        return written[0] if written else StoredFile(path, 0, "")

    def put_all(
        self, files: Mapping[str, bytes | Path], done: Callable[[StoredFile], object] = lambda file: None
    ) -> builtins.list[StoredFile]:
        """Write those of several files that are wanted."""
        return super().put_all({p: c for p, c in files.items() if p.partition("/")[0] in self._wanted}, done)
