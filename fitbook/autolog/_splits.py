"""One split of a search, noted where and when it is finished: what a worker process loads to do so is little.

A note is a tag of the search's run. The search's own process moves it to the run of the candidate (`sklearn._live`).
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import os
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from fitbook import settings
from fitbook._inbox import inbox
from fitbook._log import logger
from fitbook.autolog._guard import quietly, suppressed, told
from fitbook.errors import FitbookError

PREFIX = "fitbook.split."
_MAX_ERROR = 2000

Place = tuple[bool, str]  # whether it is a SQLite file, and its path, or else the tracking URI


class Split:
    """Runs one split of one candidate, and notes what came of it.

    Parameters
    ----------
    place : Place
        Where the search's run is kept.
    run_id : str
        The search's run.
    candidate, split : int
        Which one it is.
    facts : mapping
        What is noted with it.
    """

    __slots__ = ("_candidate", "_facts", "_place", "_run_id", "_split")

    def __init__(self, place: Place, run_id: str, candidate: int, split: int, facts: Mapping[str, Any]) -> None:
        self._place, self._run_id, self._candidate, self._split, self._facts = place, run_id, candidate, split, facts

    def __reduce__(self) -> tuple[Any, ...]:
        return Split, (self._place, self._run_id, self._candidate, self._split, self._facts)

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Fit and score, and note it."""
        start = time.time_ns()
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            with quietly("noting a split of a search"):
                self._note(start, {"error": told(error)[-_MAX_ERROR:]})
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        with quietly("noting a split of a search"):
            self._note(start, outcome(result))
        return result

    def _note(self, start: int, found: Mapping[str, Any]) -> None:
        note = {
            "start": start // 1_000_000,
            "end": time.time_ns() // 1_000_000,
            "host": _host(),
            "pid": os.getpid(),
            **found,
            **self._facts,
        }
        outbox(self._place, self._run_id).put(f"{PREFIX}{self._candidate}.{self._split}", _encode(note))


def outcome(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is noted of the result of ``_fit_and_score``; scores that are no finite number are None."""
    found: dict[str, Any] = {}
    for ours, theirs in (("test", "test_scores"), ("train", "train_scores")):
        scores = result.get(theirs)
        if isinstance(scores, Mapping):
            found[ours] = {str(name): _number(value) for name, value in scores.items()}
        elif scores is not None:
            found[ours] = _number(scores)
    for ours, theirs in (("fit", "fit_time"), ("score", "score_time"), ("n", "n_test_samples")):
        if theirs in result:
            found[ours] = _number(result[theirs])
    if result.get("fit_error"):
        found["error"] = str(result["fit_error"])[-_MAX_ERROR:]
    return found


def _number(value: Any) -> float | int | None:
    value = value.item() if hasattr(value, "dtype") else value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) and math.isfinite(value) else None


@functools.cache
def _host() -> str:
    return platform.node()


_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


class Outbox:
    """What this process has to say to one run. What could not be written yet goes with the next note."""

    def __init__(self, place: Place, run_id: str) -> None:
        self._is_file, self._where = place
        self._run_id = run_id
        self._lock = threading.Lock()
        self._kept: list[tuple[str, str]] = []

    def put(self, key: str, value: str) -> None:
        """Write a tag now, or with the next one."""
        with self._lock:
            # Who has waited in vain waits no more: at its end, the search writes what it has not been told.
            wait = 0.0 if self._kept else settings.AUTOLOG_STORE_TIMEOUT.get()
            self._kept.append((key, value))
            try:
                (self._put_in_file if self._is_file else self._put_in_store)(wait)
            except (FitbookError, sqlite3.Error, OSError) as error:
                logger.debug("a split of a search is noted later: %s", error)
            else:
                self._kept = []

    def _put_in_file(self, wait: float) -> None:
        inbox(self._where).put(self._run_id, self._kept, wait)

    def _put_in_store(self, wait: float) -> None:
        # Loaded only where it is needed.
        backend = importlib.import_module("fitbook.tracking._backend")
        with suppressed(), backend.patience(wait):
            store = backend.open_backend(self._where, create=False).store
            store.log_batch(self._run_id, tags=dict(self._kept))


_outboxes: dict[tuple[Place, str], Outbox] = {}


def outbox(place: Place, run_id: str) -> Outbox:
    """Give what this process has for one run."""
    found = _outboxes.get((place, run_id))
    if found is None:
        while len(_outboxes) > 8:
            _outboxes.pop(next(iter(_outboxes)), None)
        found = _outboxes.setdefault((place, run_id), Outbox(place, run_id))
    return found


def _after_fork() -> None:
    _outboxes.clear()


os.register_at_fork(after_in_child=_after_fork)
