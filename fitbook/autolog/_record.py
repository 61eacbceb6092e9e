"""The run of one recorded call: begun before it, written after it, ended by the background writer."""

from __future__ import annotations

import functools
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from fitbook import _validate, settings
from fitbook._log import logger
from fitbook.autolog._config import Config
from fitbook.autolog._guard import quietly, say, suppressed, told
from fitbook.autolog._selected import SelectedRun
from fitbook.autolog._session import in_worker
from fitbook.entities import DatasetInput, Metric, RunDraft, RunStatus
from fitbook.errors import ParamConflict, StoreBusy, StoreUnavailable
from fitbook.tracking import _active, _context
from fitbook.tracking._backend import current, current_experiment_id, open_backend, patience
from fitbook.tracking._lease import leases
from fitbook.tracking._run import RunHandle, new_draft, now_ms

# The stores for which a fit has waited in vain: until one of their background writes is through, none waits again.
_busy: set[str] = set()
# Those for which a background job has waited in vain: until another one is through, none waits for long again.
_given_up: set[str] = set()

# The active run of the process that sent the task that is done here: the URI of its store, and its id.
borrowed: ContextVar[tuple[str, str] | None] = ContextVar("fitbook_borrowed_run", default=None)

# The tag by which the first fit in a user's run takes it, whatever process it comes from.
_FIRST_FIT = "fitbook.first_fit"


class RunRecord:
    """What is recorded, and the run that it goes to.

    Whose run it is: that of the user's active run, if this is the first record in it; a child of it for any further
    one; else one of its own.

    Parameters
    ----------
    config : Config
    name : str
        What is recorded; the run's name begins with it.
    params, tags : mapping of str to str
        What is known before the call.
    continues : RunRecord, optional
        The record that was the last one in its run until now, and whose run this one takes over; its params stand.

    Attributes
    ----------
    run : RunHandle
    draft : RunDraft or None
        None if the run is one that the user has begun.
    overhead : float
        Seconds that recording has cost the user's thread so far.
    bytes_copied : int
        How much of the data, the target and the model has been copied for it.
    notes, dropped : list of str
        What was left out on purpose, and what failed to be recorded.
    warned : list of str
        The warnings that were shown during the call.
    """

    def __init__(
        self,
        config: Config,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        continues: RunRecord | None = None,
    ) -> None:
        self.config, self.name = config, name
        self.overhead, self.bytes_copied = 0.0, 0
        self.notes: list[str] = []
        self.dropped: list[str] = []
        self.warned: list[str] = []
        safe = {_validate.safe_key(key): value for key, value in params.items()}
        self.params = {key: value for key, value in safe.items() if key in config.params}
        self.tags = {**tags, _context.AUTOLOGGING: "sklearn", **config.extra_tags}
        self.saved = self.has_ended = self._ends = self._superseded = False
        with patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
            if continues is not None:
                self._take_over(continues)
            else:
                self.backend = current()
                self.draft, self.run = self._choose_run()
                if self.backend.uri not in _busy:
                    self._save_begin()
        _active.remember(self.run.run_id)

    def experiment_id(self) -> str:
        """Id of the experiment that the run is in."""
        if self.draft is not None:
            return self.draft.experiment_id
        return self.backend.store.get_run_info(self.run.run_id).experiment_id

    def commit(
        self,
        metrics: Sequence[Metric],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        datasets: Sequence[DatasetInput] = (),
    ) -> None:
        """Write everything in one transaction; in the background if the store is busy for too long."""
        if self.warned:
            tags = {**tags, "fitbook.warnings": _validate.safe_text("\n".join(self.warned)[:5000])}

        def write() -> None:
            if not self.saved:
                if self.draft is not None:
                    leases.begin(self.backend.store, self.draft)
                else:
                    self._log_to_users_run()
                self.saved = True
            self.run.log_batch(metrics, params, tags, datasets)

        self.write("writing the record of a fit", write, first=True)

    def commit_failure(
        self, error: BaseException, tags: Mapping[str, str], datasets: Sequence[DatasetInput] = ()
    ) -> None:
        """Write why the call has failed, and end the run so."""
        end_time = now_ms()
        try:
            trace = "".join(traceback.format_exception(error))
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self.commit([], {}, {"fitbook.error": told(error)[:5000], **tags}, datasets)
                self.soon("writing the traceback", functools.partial(self.run.log_text, trace, "traceback.txt"))
        finally:
            self.end(RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED, end_time)

    def write(self, doing: str, write: Callable[[], None], *, first: bool = False) -> None:
        """Write to the store now, or in the background if it is busy.

        Parameters
        ----------
        doing : str
            What is written, for the warning if it fails.
        write : callable
            Writes everything or raises.
        first : bool, default False
            This is what makes the run, if it could not be made before the call.
        """
        uri = self.backend.uri
        if uri not in _busy and (first or self.saved):
            try:
                write()
                return
            except StoreBusy:
                _busy.add(uri)
            except StoreUnavailable as error:
                logger.debug("%s is tried once more, in the background: %s", doing, error)
        if uri in _busy:
            say("the store is busy; the record of this fit will be written when it is free", once="busy store")

        def write_patiently() -> None:
            try:
                write()
            finally:
                _busy.discard(uri)

        self.run.soon(self._job(doing, write_patiently, first=first))

    def soon(self, doing: str, work: Callable[[], Any], size: int = 0) -> None:
        """Do something in the background that holds ``size`` bytes until then; what fails is noted with the run."""
        self.run.soon(self._job(doing, work), size)

    def later(self, doing: str, work: Callable[[], Any], size: int = 0) -> None:
        """Like `soon`, but when no fit is going on, unless this is a worker that may end before."""
        put = self.run.soon if in_worker() else self.run.later
        put(self._job(doing, self._unless_superseded(work)), size)

    def at_leisure(self, doing: str, work: Callable[[], Any]) -> None:
        """Like `soon`, but when no fit is going on; in a worker, when the run has ended."""
        self.run.later(self._job(doing, self._unless_superseded(work)))

    def end(self, status: str, end_time: int) -> None:
        """Let the run end, as of ``end_time``, after everything else."""

        def end() -> None:
            self._ends = True
            costs = {"fitbook.overhead_ms": 1e3 * self.overhead, "fitbook.bytes_copied": self.bytes_copied}
            try:
                self.run.log_batch(points(costs, now_ms()), tags=self._dropped_tag())
            finally:
                if self.draft is not None:
                    try:
                        self.backend.store.update_run(self.run.run_id, status=status, end_time=end_time)
                    finally:
                        leases.release(self.backend.store, self.run.run_id)
            self.has_ended = True
            if self._superseded:  # meanwhile
                self._resume()

        self.later("ending the run", end)

    def _dropped_tag(self) -> dict[str, str]:
        return {"fitbook.dropped": _validate.safe_text("\n".join(self.dropped)[:5000])} if self.dropped else {}

    def quietly(self, doing: str) -> quietly:
        """Guard a part of the recording."""
        return quietly(f"{doing} ({self.name})")

    def _unless_superseded(self, work: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: None if self._superseded else work()

    # -- the run -----------------------------------------------------------------------------------------------------

    def _choose_run(self) -> tuple[RunDraft | None, RunHandle]:
        """Give the run to write to, and its draft unless it is the user's own."""
        active = None if self.config.exclusive else _active_run()
        if active is not None:
            self.backend = active.backend
            if self._takes(active):
                return None, SelectedRun(active.backend, active.run_id, self.config)
            experiment_id = self.backend.store.get_run_info(active.run_id).experiment_id
        else:
            experiment_id = current_experiment_id()
        draft = new_draft(
            experiment_id,
            f"{self.name[:200]}-{_context.random_name()}",
            parent_run_id=active.run_id if active else None,
            tags=self.tags,
        )
        draft.params = self.params
        return draft, SelectedRun(self.backend, draft.run_id, self.config)

    def _take_over(self, before: RunRecord) -> None:
        self.backend, self.draft, self.run, self.saved = before.backend, before.draft, before.run, before.saved
        before._superseded = True
        if before._ends:
            try:
                self._resume()
            except StoreUnavailable as error:
                logger.debug("the run counts as ended while the fit goes on: %s", error)

    def _resume(self) -> None:
        if self.draft is not None:
            leases.resume(self.backend.store, self.run.run_id)

    def _takes(self, active: RunHandle) -> bool:
        """Take the user's run, unless another fit has; when that can't be told now, leave it."""
        mine = uuid.uuid4().hex
        try:
            return active.backend.store.set_tag_once(active.run_id, _FIRST_FIT, mine) == mine
        except StoreUnavailable:
            return False

    def _save_begin(self) -> None:
        try:
            if self.draft is not None:
                leases.begin(self.backend.store, self.draft)
            else:
                self._log_to_users_run()
            self.saved = True
        except StoreUnavailable as error:
            if isinstance(error, StoreBusy):
                _busy.add(self.backend.uri)
            logger.debug("the record waits until after the fit: %s", error)

    def _log_to_users_run(self) -> None:
        try:
            self.run.log_batch(params=self.params, tags=self.tags)
        except ParamConflict:
            # What the user wrote by hand stands; ours goes beside it.
            taken = self.backend.store.get_run(self.run.run_id).data.params
            self.params = {
                key if taken.get(key, value) == value else _validate.safe_key(f"{self.name}/{key}"): value
                for key, value in self.params.items()
            }
            self.run.log_batch(params=self.params, tags=self.tags)

    # -- background jobs ---------------------------------------------------------------------------------------------

    def _job(self, doing: str, work: Callable[[], Any], *, first: bool = False) -> Callable[[], None]:
        """Guard a background job; what fails is noted with the run."""

        def job() -> None:
            if self.draft is not None and not (first or self.saved):
                return  # there is no run, as was said: nothing can belong to it
            with suppressed(), patience(self._background_patience()), self.quietly(doing) as guard:
                work()
            if guard.failed is None:
                _given_up.discard(self.backend.uri)
                return
            self.dropped.append(f"{doing}: {told(guard.failed)}"[:500])
            if self.has_ended:
                with suppressed(), self.quietly("noting what was dropped"):
                    self.run.log_batch(tags=self._dropped_tag())
            if isinstance(guard.failed, StoreBusy):
                _given_up.add(self.backend.uri)

        return job

    def _background_patience(self) -> float:
        """How long a background job waits for a locked store: as long as the program's end would, but only once."""
        if self.backend.uri in _given_up:
            return settings.AUTOLOG_STORE_TIMEOUT.get()
        return max(settings.EXIT_TIMEOUT.get(), settings.SQLITE_TIMEOUT.get())


def _active_run() -> RunHandle | None:
    run = _active.innermost()
    if run is None and (sent := borrowed.get()) is not None:
        uri, run_id = sent
        return RunHandle(open_backend(uri), run_id)
    return run


def points(values: Mapping[str, float], timestamp: int, step: int = 0) -> list[Metric]:
    """One point for each of some metrics."""
    return [Metric(_validate.safe_key(key), float(value), timestamp, step) for key, value in values.items()]
