"""Evaluations of a model after its fit: what they are called in its run, each of them once, and how they get there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook._log import logger
from fitbook.autolog._guard import quietly, say, suppressed
from fitbook.autolog.sklearn._copies import as_array
from fitbook.autolog.sklearn._fingerprint import UNKNOWN, digest_of
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._params import shown
from fitbook.autolog.sklearn._results import Numbers, as_text, fits_a_file, frozen
from fitbook.entities import Metric
from fitbook.errors import NotFound, StoreBusy, StoreUnavailable
from fitbook.tracking._backend import patience
from fitbook.tracking._run import RunHandle, now_ms

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

_MAX_WRITTEN = 4096
_MAX_EXPLAINED = 100  # of one name
_MAX_HASHED_STRINGS = 50_000
# How a report is shown, which makes it no other evaluation.
_LOOKS = ("digits", "output_dict")

Mark = bytes  # a digest: what a metric is given can be long


@dataclass(slots=True)
class _Written:
    """How many evaluations there are under one name, and the last ones."""

    count: int = 0
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=100))


_lock = threading.Lock()
_written: OrderedDict[tuple[str, str, str], _Written] = OrderedDict()
_pending: set[Mark] = set()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluations of a model by one metric on one data set.

    Attributes
    ----------
    run : RunHandle
        The model's.
    name : str
        Of the metric.
    data_name : str
        What the user calls the data.
    """

    run: RunHandle
    name: str
    data_name: str

    def write(
        self,
        given: Mapping[str, Any],
        numbers: Numbers,
        result: Any = None,
        *,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Record numbers as metrics and a result as a file.

        They are called ``name_data``; another evaluation by that name becomes ``name-2_data`` and so on, and one that is
        there already is left at that.

        Parameters
        ----------
        given : mapping
            What the metric was given, by which an evaluation is known again.
        numbers : dict of str to float
            By what is added to the name of each.
        result : object, optional
            Arrays, text or a dictionary for the file.
        options : mapping, optional
            By which evaluations of one name can be told apart.
        """
        content, size = (None, 0) if result is None else frozen(result)
        if result is not None and not fits_a_file(size):
            say(
                f"what {self.name} gave has {size:,} values, which are too many to be recorded",
                once=f"long {self.name}",
            )
            content = None
        if not numbers and content is None:
            return
        mark = _mark(self.run.run_id, self.name, _told(given), list(numbers.values()))
        count = _take(self.run, self.name, self.data_name, mark)
        if count is None:
            return
        taken = f"{self.name}{'' if count == 1 else f'-{count}'}_{self.data_name}"
        tags = self._explained(taken, options or {}) if count <= _MAX_EXPLAINED else {}
        if content is not None:
            path = f"{_validate.safe_key(taken)}.{'txt' if isinstance(content, str) else 'json'}"
            self.run.soon(functools.partial(_write_file, self.run, content, path), size * 8)
        if numbers or tags:
            moment = now_ms()
            points = [Metric(_validate.safe_key(taken + key), value, moment) for key, value in numbers.items()]
            self._write_numbers(
                taken, functools.partial(self.run.log_batch, points, tags=tags), mark, now=content is None
            )

    def _write_numbers(self, taken: str, log: Callable[[], None], mark: Mark, *, now: bool) -> None:
        """Log now, or after all that the run is waiting for, such as the file that belongs to the numbers."""
        if now and not _pending:
            try:
                with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                    log()
                return
            except StoreBusy:
                say("the store is busy; this metric will be written when it is free", once="busy store")
            except (NotFound, StoreUnavailable) as error:
                logger.debug("%s is tried once more, after all that its run is waiting for: %s", taken, error)
            except BaseException:
                self._forget(mark)
                raise

        def write() -> None:
            try:
                with suppressed(), quietly(f"writing {taken}") as guard, _unless_lost(taken):
                    log()
                if guard.failed is not None:
                    self._forget(mark)
            finally:
                _pending.discard(mark)

        _pending.add(mark)  # one wait is enough: until the store is free, what comes next queues up behind
        self.run.soon(write)

    def _explained(self, taken: str, options: Mapping[str, Any]) -> dict[str, str]:
        """A tag with the options of a call that had any: by them, ``f1_score`` and ``f1_score-2`` can be told apart."""
        plain = [f"{key}={shown(key, value)[:40]}" for key, value in options.items() if _is_plain(value)]
        if not plain:
            return {}
        return {_validate.safe_key(f"fitbook.metric.{taken}"): f"{self.name}({', '.join(plain)})"}

    def _forget(self, mark: Mark) -> None:
        """What was not accepted may come again."""
        with _lock:
            written = _written.get((self.run.run_id, self.name, self.data_name))
            if written is not None and mark in written.marks:
                written.marks.remove(mark)


def _write_file(run: RunHandle, content: Any, path: str) -> None:
    with suppressed(), quietly(f"writing {path}"), _unless_lost(path):
        run.log_text(as_text(content), path)


@contextlib.contextmanager
def _unless_lost(name: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        # Either the user has removed the run, or it could not be written, which was said then.
        logger.debug("%s has no run to belong to: %s", name, error)


def _take(run: RunHandle, name: str, data_name: str, mark: Mark) -> int | None:
    """Count a new evaluation; None if this very one is there already."""
    with _lock:
        written = _written.setdefault((run.run_id, name, data_name), _Written())
        _written.move_to_end((run.run_id, name, data_name))
        while len(_written) > _MAX_WRITTEN:
            _written.popitem(last=False)
        if mark in written.marks:
            return None
        written.marks.append(mark)
        written.count += 1
        return written.count


def _mark(*parts: object) -> Mark:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


def _told(arguments: Mapping[str, Any]) -> list[object]:
    """What a metric was given, to know it again: data by its content, and unlike anything else if it can't be read."""
    told: list[object] = []
    for name, value in sorted(arguments.items()):
        if name not in _LOOKS:
            if isinstance(value, np.generic):
                value = np.generic.item(value)
            told += [name, value if _is_plain(value) else _digest(value) or uuid.uuid4().hex]
    return told


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, np.generic) or type(value) in (bool, int, float, str)


def _digest(values: Any) -> str | None:
    """A digest that is equal for an array, its copy, its list and its column; None for what can't be read."""
    array = as_array(values)
    digest = None if array is None else _array_digest(array)
    if digest is None:
        digest = digest_of(values)
    return None if digest == UNKNOWN else digest


def _array_digest(array: Any) -> str | None:
    """Strings are hashed as such: as objects, or in cells of another width, equal ones have other bytes."""
    if array.dtype.kind not in "OU":
        return digest_of(array)
    cells = array.ravel()[:: -(-array.size // _MAX_HASHED_STRINGS) or 1].tolist()
    strings = [str.__str__(cell) for cell in cells if isinstance(cell, str)]
    return f"{array.shape} {digest_of(strings)}" if len(strings) == len(cells) else None
