"""The runs of a search's candidates: made from what is noted of their splits, and completed at the search's end."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbook import _validate
from fitbook._journal import Journal, objects
from fitbook.autolog._config import EVERYTHING
from fitbook.autolog._guard import told
from fitbook.autolog._record import RunRecord, points
from fitbook.autolog._splits import PREFIX, Place, encode, late
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._params import class_name, params
from fitbook.autolog.sklearn._search import Candidate, candidate_name
from fitbook.entities import Metric, RunDraft, RunStatus
from fitbook.errors import StoreUnavailable
from fitbook.tracking import _context
from fitbook.tracking._lease import leases
from fitbook.tracking._run import new_draft, now_ms

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

SPLITS_TAG = "fitbook.splits"
# Runs that are written in one transaction: others wait for the lock no longer than that takes.
_AT_ONCE = 200

_TIMES = ("start", "end")  # that each note has

Note = Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Child:
    """One candidate, and what is known of it."""

    number: int
    params: dict[str, str]
    n_splits: int
    run_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    notes: dict[int, Note] = dataclasses.field(default_factory=dict)
    fresh: bool = False  # there are notes that its run does not have
    status: str = ""  # that its run has; none if there is no run yet
    times: tuple[int, int] | None = None
    mean: float = math.nan
    exact: str = ""  # tells its parameters exactly; nothing if no text does

    @property
    def complete(self) -> bool:
        """All splits are in."""
        return len(self.notes) == self.n_splits


class Children:
    """The candidates of one search.

    Parameters
    ----------
    record : RunRecord
        The search's.
    estimator : estimator
        What is searched over: it has the parameters that all candidates share.
    place : Place, optional
        Where their splits are noted; nowhere, if not given.
    journal : Journal, optional
        The same, if it is one.
    """

    def __init__(
        self, record: RunRecord, estimator: Any, place: Place = (False, ""), journal: Journal | None = None
    ) -> None:
        self.record, self.place, self.journal = record, place, journal
        self.shared = {_validate.safe_key(key): value for key, value in params(estimator).items()}
        self.tags = {"estimator_name": type(estimator).__name__, "estimator_class": class_name(estimator)}
        self.done = 0
        self.best = -math.inf
        self._store = record.backend.store
        self._by_number: dict[int, Child] = {}
        self._waiting: set[int] = set()
        self._in_store: dict[str, int] = {}
        # What is known is changed under the first; the second is held while the store is at work, too.
        self._lock, self._writing = threading.Lock(), threading.RLock()

    def begin(self, number: int, own: dict[str, str], n_splits: int) -> Child:
        """Meet a candidate."""
        return self._by_number.setdefault(number, Child(number, own, n_splits))

    def add(self, number: int, split: int, note: Note) -> None:
        """Take a note of a split."""
        with self._lock:
            child = self._by_number.get(number)
            if child is None or child.times is not None or split in child.notes or not {*_TIMES} <= note.keys():
                return
            child.notes[split], child.fresh = note, True
            self.done += 1
            if child.complete:
                child.mean = next(iter(_means(child).values()), math.nan)
                self.best = max(self.best, child.mean) if not math.isnan(child.mean) else self.best

    def read(self, *, last: bool = False) -> None:
        """Take the notes that there are now; at last, those too that this process could not write."""
        run_id = self.record.run.run_id
        with self._writing:
            if self.journal is not None:
                for entry in self.journal.read():
                    self._take(entry.key, entry.value)
            else:
                tags = self._store.get_run(run_id).data.tags
                for key in [key for key in tags if key.startswith(PREFIX) and key not in self._in_store]:
                    self._in_store[key] = self._take(key, tags[key])
            for entry in late(self.place, run_id) if last else ():
                self._take(entry.key, entry.value)

    def _take(self, key: str, value: str) -> int:
        """Take one note, and give the number of its candidate; -1 if it is no note of ours."""
        number, _, split = key.removeprefix(PREFIX).partition(".")
        if not f"{number}{split}".isdecimal():
            return -1
        for note in objects(value) if split else ():
            self.add(int(number), int(split), note)
        return int(number)

    def move(self, final: str | None = None) -> None:
        """Write what has been noted to the candidates' runs.

        A candidate that is not complete waits for the next time, for most will be so then.

        Parameters
        ----------
        final : str, optional
            The status of those that will never be complete.
        """
        with self._writing:
            children = list(self._by_number.values())
            fresh = [child for child in children if child.fresh or (final and child.status == RunStatus.RUNNING)]
            ready = [child for child in fresh if final or child.complete or child.number in self._waiting]
            ready = ready if final else ready[:_AT_ONCE]
            self._waiting = {child.number for child in fresh} - {child.number for child in ready}
            for some in _chunks(ready):
                with self._lock:
                    drafts = [(child, self._draft(child, final)) for child in some]
                self._write(drafts)

    def finish(self, candidates: Sequence[Candidate], start_time: int, end_time: int) -> None:
        """Write what the finished search tells of its candidates; none but these is left."""
        with self._writing:
            if self.place[1]:
                self._read_last()
                self._tell_missing(candidates)
            named = {candidate.index: candidate for candidate in candidates}
            for some in _chunks(candidates):
                self._write([self._completed(candidate, start_time, end_time) for candidate in some])
            unwanted = [child for number, child in self._by_number.items() if child.status and number not in named]
            for others in _chunks(unwanted):
                moment = now_ms()
                drafts = [(child, self._draft(child, RunStatus.FINISHED)) for child in others]
                for _, draft in drafts:
                    draft.deleted_time, draft.tags = moment, {}
                self._write(drafts)
            self.forget_notes()

    def _read_last(self) -> None:
        try:
            self.read(last=True)
        except StoreUnavailable:  # nothing else can be written now, either
            raise
        except Exception as error:  # what the search itself tells of its candidates does not depend on it
            self.record.dropped.append(f"reading what was noted of splits: {told(error)}"[:500])

    def _tell_missing(self, candidates: Sequence[Candidate]) -> None:
        found = [self._by_number.get(candidate.index) for candidate in candidates]
        missing = sum(child.n_splits - len(child.notes) for child in found if child is not None and child.times is None)
        if missing:
            self.record.dropped.append(f"when and where {missing} splits were fitted: nobody could write it")

    def forget_notes(self) -> None:
        """Remove what has been noted: the candidates' runs have it."""
        if self.journal is not None:
            self.journal.remove()
            # Who has taken the run for dead has made tags of the journal.
            tags = self._store.get_run(self.record.run.run_id).data.tags
            self._in_store |= dict.fromkeys((key for key in tags if key.startswith(PREFIX)), -1)
        self._forget(list(self._in_store))

    def _write(self, drafts: Sequence[tuple[Child, RunDraft]]) -> None:
        for child, _ in drafts:
            child.fresh = False
        try:
            self._store.write_runs([draft for _, draft in drafts])
        except BaseException:
            for child, _ in drafts:
                child.fresh = True
            raise
        for child, draft in drafts:
            if draft.status == RunStatus.RUNNING:
                leases.keep(self._store, child.run_id)
            elif child.status == RunStatus.RUNNING:
                leases.release(self._store, child.run_id)
            child.status = draft.status
            if draft.status != RunStatus.RUNNING:
                child.times, child.notes = (draft.start_time, draft.end_time or draft.start_time), {}
        written = {child.number for child, _ in drafts}
        self._forget([key for key, number in self._in_store.items() if number in written])

    def _forget(self, keys: Sequence[str]) -> None:
        """Remove notes from the search's run, whose candidates' runs have them."""
        if keys:
            self._store.delete_tags(self.record.run.run_id, keys)
            for key in keys:
                del self._in_store[key]

    @functools.cached_property
    def _template(self) -> RunDraft:
        tags = {**self.tags, _context.AUTOLOGGING: "sklearn", **self.record.config.extra_tags}
        return new_draft(
            self.record.experiment_id(), "candidate", parent_run_id=self.record.run.run_id, tags=tags, start_time=0
        )

    def _draft(self, child: Child, final: str | None) -> RunDraft:
        """A candidate's run as it is now."""
        means = _means(child) if child.complete else {}
        metrics = [metric for split, note in child.notes.items() for metric in _metrics(split, note)]
        start, end = child.times or _times(child.notes.values())
        status = child.status if child.times else final or RunStatus.RUNNING
        if child.complete:
            status = RunStatus.FAILED if all(map(math.isnan, means.values())) else RunStatus.FINISHED
            metrics += [Metric(_validate.safe_key(f"mean_test_{name}"), value, end) for name, value in means.items()]
        running = status == RunStatus.RUNNING
        draft = dataclasses.replace(
            self._template,
            run_id=child.run_id,
            run_name=candidate_name(child.number, child.params),
            start_time=start,
            end_time=None if running else end,
            status=status,
            params=self.wanted_params({**self.shared, **child.params}),
            metrics=self.wanted_metrics(metrics),
            tags={**self._template.tags, "fitbook.candidate": str(child.number), **_splits_tag(child)},
        )
        draft.lease_seconds = leases.seconds() if running else None
        return draft

    def _completed(self, candidate: Candidate, start_time: int, end_time: int) -> tuple[Child, RunDraft]:
        """A candidate's run as it is in the end."""
        child = self._by_number.get(candidate.index)
        if child is None or child.params != candidate.params:  # a search of its own kind has put them in another order
            child = self._by_number[candidate.index] = Child(candidate.index, candidate.params, 0)
        times = child.times or (_times(child.notes.values()) if child.notes else (start_time, end_time))
        whole = child.times is None  # or else its run has what all the candidates have
        draft = dataclasses.replace(
            self._template,
            run_id=child.run_id,
            run_name=candidate_name(candidate.index, candidate.params),
            start_time=times[0],
            end_time=times[1],
            status=candidate.status,
            params=self.wanted_params({**self.shared, **candidate.params}) if whole else {},
            metrics=self.wanted_metrics(points(candidate.metrics, times[1])),
            tags={**(self._template.tags if whole else {}), **candidate.tags, **_splits_tag(child)},
        )
        return child, draft

    def wanted_params(self, found: Mapping[str, str]) -> dict[str, str]:
        """Those that the user wants to be recorded."""
        wanted = self.record.config.params
        return {**found} if wanted == EVERYTHING else {key: value for key, value in found.items() if key in wanted}

    def wanted_metrics(self, found: Sequence[Metric]) -> list[Metric]:
        """Those that the user wants to be recorded."""
        wanted = self.record.config.metrics
        return [*found] if wanted == EVERYTHING else [metric for metric in found if metric.key in wanted]


def _times(notes: Iterable[Note]) -> tuple[int, int]:
    found = list(notes)
    return min(note["start"] for note in found), max(note["end"] for note in found)


def _scores(note: Note) -> dict[str, float]:
    """The scores of a split by metric, NaN for what is no finite number; none of one that has raised."""
    if "test" not in note:
        return {}
    scores = note["test"]
    named = scores if isinstance(scores, Mapping) else {"score": scores}
    return {name: math.nan if value is None else value for name, value in named.items()}


def _metrics(split: int, note: Note) -> Iterator[Metric]:
    for name, value in _scores(note).items():
        yield Metric(_validate.safe_key(f"split{split}_test_{name}"), float(value), note["end"])


def _means(child: Child) -> dict[str, float]:
    """The mean of each score, as scikit-learn computes it."""
    scores = [_scores(child.notes[split]) for split in sorted(child.notes)]
    names = dict.fromkeys(name for found in scores for name in found)
    return {name: float(np.average([found.get(name, math.nan) for found in scores])) for name in names}


def _splits_tag(child: Child) -> dict[str, str]:
    if not child.notes:
        return {}
    return {SPLITS_TAG: encode([child.notes.get(split) for split in range(child.n_splits)])}


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
