"""A search while it goes on: its splits are noted as they are finished, and shown, wherever they are.

scikit-learn, and whoever derives from its ``BaseSearchCV``, gives every split of every candidate to joblib as a call of
``_fit_and_score``. Each is noted with the search's run by who runs it (`_splits`), and a thread of the search's process
moves the notes to the runs of the candidates, many at once: one by one that would cost more than many a fit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fitbook import settings
from fitbook._journal import Entry, Journal, path_of
from fitbook._log import logger
from fitbook.autolog._guard import OURS, inside, quietly, suppressed
from fitbook.autolog._record import RunRecord
from fitbook.autolog._splits import PREFIX, REBUILD_OBSERVED, Place, Split, encode, put
from fitbook.autolog.sklearn._children import Child, Children
from fitbook.autolog.sklearn._fingerprint import UNKNOWN, Fingerprint
from fitbook.autolog.sklearn._params import shown
from fitbook.autolog.sklearn._progress import Progress
from fitbook.autolog.sklearn._resume import (
    DIGEST_TAG,
    Earlier,
    Known,
    exact_digest,
    rows_key,
    search_digest,
    split_digest,
)
from fitbook.autolog.sklearn._search import own_params
from fitbook.errors import StoreUnavailable
from fitbook.tracking._backend import patience
from fitbook.tracking._folds import FOLDS_TAG, folds_text

# Seconds between two times that notes are moved, and the share of its time that the thread works at most: where fits
# are so short that it does not keep up, the rest is written at the end.
_PAUSE = 2.0
_SHARE = 0.005
RESUMED_TAG = "fitbook.splits_resumed"
# How long the thread is waited for: who forks may hold a lock that it needs, such as an import's.
_JOIN_SECONDS = 5.0
# What is noted of a long parameter: its run has all of it.
_MAX_NOTED = 200


def is_search(estimator: object) -> bool:
    """Whether this is a search whose splits can be followed."""
    module = sys.modules.get("sklearn.model_selection._search")
    return module is not None and isinstance(estimator, module.BaseSearchCV)


class LiveSearch:
    """Follows one search.

    Parameters
    ----------
    record : RunRecord
        The search's.
    search : estimator
        Is about to be fitted.
    data : Fingerprint
        Of what it is fitted to.
    """

    def __init__(self, record: RunRecord, search: Any, data: Fingerprint) -> None:
        self.record, self.data = record, data
        self.children: Children | None = None
        self.earlier: Earlier | None = None
        self._search: Any = search
        self._best_before = vars(search).get("best_params_")
        self._progress = Progress(record.config.progress, vars(search).get("verbose", 0))
        self._digest: str | None = None
        # Of each split of those candidates that were met last, by which those of another search are known to be the same.
        self.folds: dict[int, tuple[str, float]] = {}
        refit = vars(search).get("refit")
        self._scored_by = shown("scoring", vars(search).get("scoring")), refit if isinstance(refit, str) else "score"
        self._met = self._total = self._resumed = 0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.place: Place = (False, record.backend.uri)

    def observer(self) -> Rung | None:
        """What observes the tasks of the next Parallel; None once all candidates are evaluated."""
        evaluating = self._search is not None and vars(self._search).get("best_params_") is self._best_before
        # A journal needs no store.
        return Rung(self) if evaluating and (self.record.saved or self.record.backend.file is not None) else None

    @property
    def tags(self) -> dict[str, str]:
        """What tells that searches are over the same, and how many splits of others this one has taken."""
        found = {} if self._digest is None else {DIGEST_TAG: self._digest}
        if self.folds and self.data.digest != UNKNOWN:
            found[FOLDS_TAG] = folds_text(self.data.digest, self.folds, *self._scored_by)
        return found | ({RESUMED_TAG: f"{self._resumed} of {self._total}"} if self._resumed else {})

    def resume(self, number: int, split: int, known: Known) -> Known:
        """Take a split that an earlier search has finished."""
        assert self.children is not None
        self.children.add(number, split, known.note)
        self._resumed += 1
        return known

    def begin_rung(self, n_candidates: int, n_splits: int, kwargs: Mapping[str, Any]) -> int:
        """Meet the next candidates, and give the number of the first one."""
        if self.children is None:
            with (
                suppressed(),
                patience(settings.AUTOLOG_STORE_TIMEOUT.get()),
                self.record.quietly("following a search"),
            ):
                self._begin(kwargs)
        first, self._met = self._met, self._met + n_candidates
        self._total += n_candidates * n_splits
        return first

    def _begin(self, kwargs: Mapping[str, Any]) -> None:
        record = self.record
        journal = self._journal()
        self.children = Children(record, vars(self._search).get("estimator"), self.place, journal)
        self.go_on()
        # What was read in part only may be other data.
        data = UNKNOWN if self.data.sampled else self.data.digest
        self._digest = search_digest(vars(self._search), kwargs, data)
        if record.saved and self.tags:
            with suppress(StoreUnavailable):  # it comes with the rest at the end, too
                record.run.log_batch(tags=self.tags)
        if record.config.resume_search:
            self.earlier = Earlier(record, self._digest)

    def _journal(self) -> Journal | None:
        file = self.record.backend.file
        if file is None:
            return None
        try:
            journal = Journal(path_of(str(file), self.record.run.run_id))
        except OSError as error:
            logger.debug("the splits of a search are noted in tags: %s", error)
            return None
        self.place = (True, journal.path)
        return journal

    def meet(self, number: int, parameters: Mapping[str, Any], n_splits: int) -> Child:
        """Meet a candidate, and note its parameters, for its run may come to be made by somebody else."""
        assert self.children is not None
        child = self.children.begin(number, own_params(parameters), n_splits)
        told = {name: value[:_MAX_NOTED] for name, value in child.params.items()}
        entry = Entry(child.run_id, f"{PREFIX}{number}", encode({"params": told}))
        put(self.place, self.record.run.run_id, entry)
        if self._digest is not None:
            child.exact = exact_digest(parameters)
        return child

    def go_on(self) -> None:
        """Start the thread, or start it again after `pause`."""
        if self._search is not None and self.children is not None:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(self._stop,), name="fitbook-search", daemon=True)
            with suppress(RuntimeError):  # at the interpreter's end none can be started
                self._thread.start()
                _followed.add(self)

    def pause(self) -> None:
        """End the thread."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread.is_alive():
            thread.join(_JOIN_SECONDS)
        _followed.discard(self)

    def close(self) -> None:
        """Stop following: the fit is over."""
        self.pause()
        self._progress.close()
        self._search = self._best_before = self.earlier = None

    def abandon(self, status: str) -> None:
        """The fit has failed: what has been finished is kept, and what is not complete ends with this status."""
        children = self.children
        if children is None:
            return

        def write() -> None:
            children.read(last=True)
            children.move(status)
            children.forget_notes()

        with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
            self.record.write("recording the candidates of a search", write)

    def _work(self, stop: threading.Event) -> None:
        inside.set(OURS)
        due = time.monotonic() + _PAUSE
        while not stop.wait(self._progress.seconds or due - time.monotonic()):
            with quietly("following a search"):
                began = time.thread_time()
                move = time.monotonic() >= due
                self._look(move=move)
                if move:
                    due = time.monotonic() + max(_PAUSE, (time.thread_time() - began) / _SHARE)

    def _look(self, *, move: bool) -> None:
        children = self.children
        assert children is not None
        try:
            with patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                children.read()
                if move and self.record.saved:
                    children.move()
        except (StoreUnavailable, OSError) as error:
            logger.debug("the splits of a search are moved to their runs later: %s", error)
        self._progress.show(children.done, self._total, children.best)


_followed: weakref.WeakSet[LiveSearch] = weakref.WeakSet()
_paused: list[LiveSearch] = []


def _before_fork() -> None:
    # Python warns of forks with threads, and a lock that one holds would be held for ever in the child.
    _paused.extend(_followed)  # besides those of a fork that another thread is at
    for live in list(_paused):
        live.pause()


def _after_fork() -> None:
    while _paused:
        _paused.pop().go_on()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_paused.clear)


class Rung:
    """Observes the tasks of one Parallel of a search."""

    __slots__ = ("_first", "_live", "_met", "_splits")

    rebuild = REBUILD_OBSERVED

    def __init__(self, live: LiveSearch) -> None:
        self._live = live
        self._first: int | None = None
        self._splits: dict[int, tuple[Any, Any, str]] = {}  # rows and their key
        self._met: Child | None = None

    def sent(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Split | Known | None:
        """Tell what observes one task; None if it is no split."""
        inner = getattr(function, "function", function)
        if getattr(inner, "__name__", "") != "_fit_and_score" or "candidate_progress" not in kwargs:
            return None
        began = time.perf_counter()
        observer = None
        with quietly("following a search"):
            observer = self._sent(kwargs)
        self._live.record.overhead += time.perf_counter() - began
        return observer

    def _sent(self, kwargs: Mapping[str, Any]) -> Split | Known:
        live, parameters = self._live, kwargs["parameters"]
        (candidate, n_candidates), (split, n_splits) = kwargs["candidate_progress"], kwargs["split_progress"]
        if self._first is None:
            live.folds = {}
            self._first = live.begin_rung(n_candidates, n_splits, kwargs)
        assert live.children is not None
        number = self._first + candidate
        child = self._met
        if child is None or child.number != number:
            child = self._met = live.meet(number, parameters, n_splits)
        rows = self._rows_key(split, kwargs)
        key = f"{child.exact}-{rows}" if child.exact and rows else None
        if live.earlier is not None and key is not None:
            known = live.earlier.find(key, kwargs)
            if known is not None:
                return live.resume(number, split, known)
        return Split(live.place, live.record.run.run_id, child.run_id, f"{PREFIX}{number}.{split}", key)

    def _rows_key(self, split: int, kwargs: Mapping[str, Any]) -> str:
        """The key of a split's rows, which are the same objects for each candidate."""
        train, test = kwargs["train"], kwargs["test"]
        known = self._splits.get(split)
        if known is None or known[0] is not train or known[1] is not test:
            digest = split_digest(train, test)
            known = self._splits[split] = (train, test, rows_key(digest))
            self._live.folds[split] = (digest, len(test) / max(1, len(train)))
        return known[2]
