"""Every verb on one run: `RunHandle` by id, `ActiveRun` for the one that ``start_run`` returns."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook.artifacts import checked
from fitbook.entities import (
    DatasetInput,
    FileInfo,
    LifecycleStage,
    Metric,
    Run,
    RunData,
    RunDraft,
    RunInfo,
    RunInputs,
    RunStatus,
)
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.tracking import _active, _context, _images, _render, _tables
from fitbook.tracking._backend import Backend
from fitbook.tracking._files import RunFiles
from fitbook.tracking._lease import leases
from fitbook.tracking._writer import Job, writer

if TYPE_CHECKING:
    import pandas as pd


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def new_draft(
    experiment_id: str,
    run_name: str | None = None,
    *,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
    start_time: int | None = None,
) -> RunDraft:
    """Prepare a run that is not written yet, with its id, name and the tags of its surroundings."""
    everything = _context.context_tags()
    if parent_run_id is not None:
        everything[_context.PARENT_RUN_ID] = parent_run_id
    if description is not None:
        everything[_context.NOTE] = description
    given = pairs("tags=…", tags) if tags else ()
    everything.update((_validate.key("tag", key), _text(value)) for key, value in given)
    return RunDraft(
        experiment_id=experiment_id,
        run_id=uuid.uuid4().hex,
        run_name=run_name or everything.get(_context.RUN_NAME) or _context.random_name(),
        user_id=everything[_context.USER],
        start_time=now_ms() if start_time is None else start_time,
        tags=everything,
    )


class RunHandle:
    """What can be done to the run of an id; reads nothing before it is used.

    Parameters
    ----------
    backend : Backend
        Where the run is kept.
    run_id : str
        The run's id.

    Raises
    ------
    NotFound
        The id is no text.
    """

    def __init__(self, backend: Backend, run_id: str) -> None:
        if not isinstance(run_id, str):
            raise NotFound("run", run_id, hint="Ids of runs are texts.")
        self.backend = backend
        self.run_id = run_id
        self._artifacts: RunFiles | None = None

    # -- params, metrics, tags ---------------------------------------------------------------------------------------

    def log_param(self, key: str, value: Any) -> Any:
        """Write one parameter and return its value; see `fitbook.log_param`."""
        self.backend.store.log_batch(self.run_id, params={_validate.key("parameter", key): _text(value)})
        return value

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Write parameters; all or none."""
        if params:
            self.backend.store.log_batch(self.run_id, params={k: _text(v) for k, v in pairs("log_params", params)})

    def correct_param(self, key: str, value: Any, reason: str | None = None) -> None:
        """Replace the value of a parameter, and keep the old one; see `fitbook.correct_param`."""
        key, user = _validate.key("parameter", key), _context.user_name()
        self.backend.store.correct_param(self.run_id, key, _text(value), user_id=user, reason=reason or "")

    def log_metric(self, key: str, value: float, step: int | None = None, timestamp: int | None = None) -> None:
        """Add one point to a metric; see `fitbook.log_metric`."""
        number = _validate.metric_value(key, value)
        moment = now_ms() if timestamp is None else _validate.timestamp(timestamp)
        self.backend.store.log_metric(self.run_id, Metric(key, number, moment, _validate.step(step)))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, timestamp: int | None = None) -> None:
        """Add one point to each of several metrics; all or none."""
        if metrics:
            moment, place = now_ms() if timestamp is None else _validate.timestamp(timestamp), _validate.step(step)
            points = [Metric(k, _validate.metric_value(k, v), moment, place) for k, v in pairs("log_metrics", metrics)]
            self.backend.store.log_batch(self.run_id, metrics=points)

    def set_tag(self, key: str, value: Any) -> None:
        """Set or overwrite one tag."""
        self.backend.store.log_batch(self.run_id, tags={_validate.key("tag", key): _text(value)})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or overwrite tags; all or none."""
        if tags:
            self.backend.store.log_batch(self.run_id, tags={k: _text(v) for k, v in pairs("set_tags", tags)})

    def delete_tag(self, key: str) -> None:
        """Remove one tag."""
        self.backend.store.delete_tag(self.run_id, key)

    def log_batch(
        self,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        datasets: Iterable[DatasetInput] = (),
    ) -> None:
        """Write all of this in one transaction."""
        self.backend.store.log_batch(self.run_id, metrics, params, tags, datasets)

    # -- files -------------------------------------------------------------------------------------------------------

    @property
    def artifacts(self) -> RunFiles:
        """The place for the run's files.

        What the background writer has still to write for this run goes first, or else it would replace what the user
        writes now under the same name.
        """
        if _pending[self.run_id]:
            writer.flush()
        if self._artifacts is None:
            self._artifacts = self.backend.artifacts(self.run_id)
        return self._artifacts

    @property
    def writable(self) -> RunFiles:
        """The place for the run's files, to write to.

        Raises
        ------
        WrongState
            The run is deleted.
        """
        artifacts = self.artifacts
        if self.backend.store.get_run_info(self.run_id).lifecycle_stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The run {self.run_id} is deleted and can't be changed; restore it first.")
        return artifacts

    def log_artifact(self, local_path: str | Path, artifact_path: str | None = None) -> None:
        """Copy a local file, or a folder with all in it, into the run; see `fitbook.log_artifact`."""
        source = local(local_path)
        if os.path.isdir(source):  # of a name too long for any file, Path's own is_dir() raises
            self.log_artifacts(source, f"{artifact_path}/{source.name}" if artifact_path else source.name)
            return
        if not os.path.isfile(source):
            raise NotFound("local file", str(local_path), hint=f"Looked from {Path.cwd()}.")
        self.writable.put(f"{artifact_path}/{source.name}" if artifact_path else source.name, source)

    def log_artifacts(self, local_dir: str | Path, artifact_path: str | None = None) -> None:
        """Copy everything in a local folder into the run; see `fitbook.log_artifacts`."""
        folder = local(local_dir)
        if not os.path.isdir(folder):
            raise NotFound("local folder", str(local_dir), hint=f"Looked from {Path.cwd()}.")
        self.writable.put_folder(folder, artifact_path)

    def log_text(self, text: str, artifact_file: str) -> None:
        """Write text as a file of the run, in UTF-8; lone surrogates are kept as well."""
        self.writable.put(artifact_file, _text(text).encode("utf-8", "surrogatepass"))

    def log_dict(self, dictionary: Any, artifact_file: str) -> None:
        """Write a dictionary (or list) as JSON, or as YAML if the file is called ``.yml`` or ``.yaml``."""
        self.writable.put(artifact_file, _render.dictionary_bytes(dictionary, artifact_file))

    def log_figure(self, figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None) -> None:
        """Write a matplotlib figure in the format of the file's ending, or a plotly figure as HTML or image."""
        self.writable.put(artifact_file, _render.figure_bytes(figure, artifact_file, save_kwargs))

    def log_image(
        self,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: int | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Write an image as a file, or under a key and step; see `fitbook.log_image`."""
        stepped = key is not None or step is not None or timestamp is not None
        if (artifact_file is None) != stepped or (stepped and key is None):
            raise InvalidValue("log_image needs either artifact_file, or key with step and timestamp if wanted.")
        pixels = _images.to_pillow(image)
        if key is None:
            self.writable.put(str(artifact_file), _images.encoded(pixels, str(artifact_file)))
            return
        moment = now_ms() if timestamp is None else _validate.timestamp(timestamp)
        self.writable.put_all(_images.stepped_files(pixels, key, step, moment))
        self.set_tag(_images.LOGGED_IMAGES, "True")

    def log_stream(self, stream: Any, artifact_file: str) -> None:
        """Write what a binary stream still has as a file of the run; it is never whole in memory."""
        checked(artifact_file)
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "stream"
            with local.open("wb") as file:
                try:
                    shutil.copyfileobj(stream, file)
                except (AttributeError, TypeError) as error:
                    raise InvalidValue(
                        f"log_stream got a {type(stream).__name__}; give a stream that was opened to read bytes."
                    ) from error
            self.writable.put(artifact_file, local)

    def log_table(self, data: Mapping[str, Any] | pd.DataFrame, artifact_file: str) -> None:
        """Write a table as JSON; rows are added to a table of that name that is there already.

        Any number of threads and processes may add at once.
        """
        _tables.add(self, data, artifact_file)

    def delete_artifacts(self, path: str) -> None:
        """Remove one file of the run, or a folder with all in it."""
        self.writable.delete(path)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """List what is directly inside a folder of the run."""
        writer.flush()
        return self.artifacts.list(path or "")

    # -- life cycle --------------------------------------------------------------------------------------------------

    def read(self) -> Run:
        """Read the run as it is now, everything pending in this process included."""
        writer.flush()
        return self.backend.store.get_run(self.run_id)

    def soon(self, job: Job, size: int = 0) -> None:
        """Let the background writer do a job of this run, holding ``size`` bytes until then."""
        writer.soon(_counted(self.run_id, job), size)

    def later(self, job: Job, size: int = 0) -> None:
        """Like `soon`, but when no fit is going on."""
        writer.later(_counted(self.run_id, job), size)

    def end(self, status: str = RunStatus.FINISHED, end_time: int | None = None) -> None:
        """End the run as of now, or ``end_time``; it shows once what the run has still to write is written."""
        moment = now_ms() if end_time is None else end_time

        # Who ends a run as RUNNING hands it on, and nobody is known to keep it alive.
        lease = settings.UNATTENDED_RUN_LEASE.get() if status == RunStatus.RUNNING else None

        def write() -> None:
            try:
                self.backend.store.update_run(self.run_id, status=status, end_time=moment, lease_seconds=lease)
            finally:
                leases.release(self.backend.store, self.run_id)

        if _pending[self.run_id]:
            self.later(write)
        else:
            write()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunHandle) and other.run_id == self.run_id and other.backend is self.backend

    def __hash__(self) -> int:
        return hash(self.run_id)


class ActiveRun(RunHandle):
    """The run that ``start_run`` began; leaving its ``with`` block ends it.

    Besides the verbs it has what MLflow's has: ``info``, ``data`` and ``inputs``, which are read when they are asked
    for and so are never stale.
    """

    @property
    def info(self) -> RunInfo:
        """Who, when, where."""
        return self.backend.store.get_run_info(self.run_id)

    @property
    def data(self) -> RunData:
        """Latest metrics, params and tags."""
        return self.read().data

    @property
    def inputs(self) -> RunInputs:
        """Data sets that the run used."""
        return self.read().inputs

    def to_dictionary(self) -> dict[str, Any]:
        """Give ``info``, ``data`` and ``inputs`` as plain dictionaries."""
        return self.read().to_dictionary()

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            status = RunStatus.FINISHED
        elif issubclass(kind, Exception):
            status = RunStatus.FAILED
        else:
            status = RunStatus.KILLED
        if _active.pop(self) is not None:
            self.end(status)

    def __repr__(self) -> str:
        return f"<ActiveRun: {self.run_id}>"


def start(backend: Backend, draft: RunDraft) -> ActiveRun:
    """Write a draft, and make it the innermost active run."""
    leases.begin(backend.store, draft)
    run = ActiveRun(backend, draft.run_id)
    _active.push(run)
    return run


def resume(backend: Backend, run_id: str, run_name: str | None, tags: Mapping[str, Any] | None) -> ActiveRun:
    """Make a run that exists the innermost active one, and RUNNING again."""
    if _pending[run_id]:
        writer.flush()  # the end that it was given here may be among what is still to be written
    noted = {key: _text(value) for key, value in pairs("tags=…", tags)} if tags else None
    leases.resume(backend.store, run_id, run_name, noted)
    run = ActiveRun(backend, run_id)
    _active.push(run)
    return run


# How many jobs of each run the background writer has still to do.
_pending: Counter[str] = Counter()
_pending_lock = threading.Lock()


def _forget_pending() -> None:
    global _pending_lock
    _pending.clear()
    _pending_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_pending)


def _counted(run_id: str, job: Job) -> Job:
    with _pending_lock:
        _pending[run_id] += 1

    def counted() -> None:
        try:
            job()
        finally:
            with _pending_lock:
                _pending[run_id] -= 1
                if _pending[run_id] <= 0:
                    del _pending[run_id]

    return counted


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        raise InvalidValue(
            f"The value is a {type(value).__name__} that can't be turned into text: {error!r}."
        ) from error


def local(path: Any) -> Path:
    """Give what names a file or folder of this machine as a path.

    Raises
    ------
    InvalidValue
        It is neither text nor a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidValue(f"The local path {path!r} is of type {type(path).__name__}; give a text or a Path.")
    return Path(path)


def pairs(function: str, values: Any) -> Iterable[tuple[Any, Any]]:
    """Give the items of a dictionary, or say which function got something else."""
    if not isinstance(values, Mapping):
        raise InvalidValue(f"{function} got a {type(values).__name__}; give a dictionary.")
    return values.items()
