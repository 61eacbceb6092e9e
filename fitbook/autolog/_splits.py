"""One split of a search, noted where and when it is finished: what a worker process loads to do so is little.

A note is an entry in the journal of the search's run, or a tag of it where the store is no file. The search's own process
moves it to the run of the candidate (`sklearn._live`).
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

from fitbook import settings
from fitbook._journal import Entry, append
from fitbook._log import logger
from fitbook.autolog._guard import quietly, suppressed, told
from fitbook.autolog._portable import Call, function_if_loaded, function_or_nothing
from fitbook.errors import FitbookError

PREFIX = "fitbook.split."
_MAX_ERROR = 2000
# Notes that are written with one that comes later: all of them each time would be more and more.
_AT_ONCE = 100

Place = tuple[bool, str]  # whether it is a journal, and its path, or else the tracking URI


class Split:
    """Runs one split of one candidate, and notes what came of it.

    Parameters
    ----------
    place : Place
        Where that is noted.
    run_id, about : str
        The runs of the search and of the candidate.
    name : str
        The key of the note: it says which candidate and split this is.
    key : str or None
        What tells that another search's split is the same.
    """

    __slots__ = ("_about", "_key", "_name", "_place", "_run_id")

    def __init__(self, place: Place, run_id: str, about: str, name: str, key: str | None) -> None:
        self._place, self._run_id, self._about, self._name, self._key = place, run_id, about, name, key

    def __reduce__(self) -> tuple[Any, ...]:
        return _SPLIT, ((self._place, self._run_id, self._about, self._name, self._key),)

    def alone(self, function: Callable[..., Any], inside: int, _: Split) -> Alone:
        """Give what stands for a function in a worker that has loaded nothing else of fitbook."""
        return Alone(function, inside, self)

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

    def _note(self, start: int, found: dict[str, Any]) -> None:
        found["start"], found["end"] = start // 1_000_000, time.time_ns() // 1_000_000
        if self._key is not None:
            found["key"] = self._key
        # What is the same for all of a process is encoded once, and numbers, as most are, need no encoder.
        parts = [f'"{name}":{v!r}' if type(v) in (float, int) else f'"{name}":{encode(v)}' for name, v in found.items()]
        put(self._place, self._run_id, Entry(self._about, self._name, f"{_process(os.getpid())}{','.join(parts)}}}"))


class Alone:
    """A task of a search, where nothing is hooked."""

    def __init__(self, function: Callable[..., Any], inside: int, observer: Any) -> None:
        self._parts = function, inside, observer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function, _, observer = self._parts
        try:
            return observer.run(function, args, kwargs)
        except BaseException as error:
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return REBUILD_OBSERVED, (self._parts,)


# What rebuilds an observed task: without a part of fitbook that takes half a second to load, if it is not there yet.
REBUILD_OBSERVED = function_if_loaded(
    "fitbook.autolog._tasks",
    "rebuilt_inside",
    Call(eval, "lambda parts: parts[0] if parts[2] is None else parts[2].alone(*parts)", {}),
)


def rebuilt(parts: tuple[Place, str, str, str, str | None]) -> Split:
    """Make a split from what was pickled of it."""
    return Split(*parts)


# A worker without fitbook runs its tasks all the same.
_SPLIT = function_or_nothing("fitbook.autolog._splits", "rebuilt")


def outcome(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is noted of the result of ``_fit_and_score``; scores that are no finite number are None."""
    found: dict[str, Any] = {}
    for theirs, ours in _NOTED:
        value = result.get(theirs)
        if isinstance(value, dict):
            found[ours] = {str(name): _number(score) for name, score in value.items()}
        elif value is not None:
            found[ours] = _number(value)
    if error := result.get("fit_error"):
        found["error"] = str(error)[-_MAX_ERROR:]
    return found


_NOTED = (
    ("test_scores", "test"),
    ("train_scores", "train"),
    ("fit_time", "fit"),
    ("score_time", "score"),
    ("n_test_samples", "n"),
)


def _number(value: Any) -> float | int | None:
    if type(value) not in (float, int) and hasattr(value, "dtype"):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) and math.isfinite(value) else None


@functools.lru_cache(maxsize=1)
def _process(pid: int) -> str:
    return f"{encode({'host': platform.node(), 'pid': pid})[:-1]},"


encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


def put(place: Place, run_id: str, entry: Entry) -> None:
    """Write what is to be known of a run in the search of ``run_id``; with the next one, if that can't be done now."""
    is_file, where = place
    waiting = [*late(place, run_id), entry]
    entries, waiting = waiting[-_AT_ONCE:], waiting[:-_AT_ONCE]
    try:
        if is_file:
            for each in entries:
                append(where, each)
        else:
            # Who has waited in vain waits no more: at its end, the search writes what it has not been told.
            wait = 0.0 if len(entries) > 1 else settings.AUTOLOG_STORE_TIMEOUT.get()
            _put_in_store(where, run_id, {each.key: each.value for each in entries}, wait)
    except (FitbookError, OSError) as error:
        logger.debug("a split of a search is noted later: %s", error)
        waiting += entries
    if waiting:
        _late.setdefault((where, run_id), []).extend(waiting)


def late(place: Place, run_id: str) -> list[Entry]:
    """Take what could not be written, to keep it otherwise."""
    return _late.pop((place[1], run_id), [])


def _put_in_store(uri: str, run_id: str, tags: Mapping[str, str], wait: float) -> None:
    # Loaded only where it is needed.
    backend = importlib.import_module("fitbook.tracking._backend")
    with suppressed(), backend.patience(wait):
        backend.open_backend(uri, create=False).store.log_batch(run_id, tags=tags)


# What this process could not write yet; only where the store is no file, or it is full or far away.
_late: dict[tuple[str, str], list[Entry]] = {}
os.register_at_fork(after_in_child=_late.clear)
