"""Splits that an earlier search has finished: recognised by what they were made from, and taken from the store.

What decides about a split's result is told exactly by a text, or the split is fitted again: plain values, and
estimators with such parameters. Functions and other objects are not told so, for their code may have changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fitbook._journal import left_behind, objects, path_of
from fitbook.autolog._guard import package_of, say
from fitbook.autolog._portable import function_or_nothing
from fitbook.autolog._record import RunRecord
from fitbook.autolog._splits import PREFIX, Alone
from fitbook.autolog.sklearn._children import SPLITS_TAG, Note
from fitbook.autolog.sklearn._content import Content
from fitbook.autolog.sklearn._fingerprint import UNKNOWN
from fitbook.autolog.sklearn._known import is_known_class
from fitbook.autolog.sklearn._params import class_name
from fitbook.entities import Run, ViewType
from fitbook.tracking._backend import Backend

DIGEST_TAG = "fitbook.search.digest"
_MAX_SEARCHES = 20


class _Inexact(Exception):
    """Something is not told exactly by any text."""


def search_digest(search: Mapping[str, Any], kwargs: Mapping[str, Any], data: str) -> str | None:
    """Digest of all that the splits of a search have in common; None if that can't be told exactly.

    Parameters
    ----------
    search : mapping
        The attributes of the search.
    kwargs : mapping
        What one of its splits is called with.
    data : str
        Digest of all of features and target.
    """
    try:
        parts = [
            sys.modules["sklearn"].__version__,
            data,
            _exact(search.get("estimator")),
            _exact(search.get("scoring")),
            *(_exact(kwargs.get(name)) for name in ("error_score", "return_train_score")),
            *(_exact_data(kwargs.get(name)) for name in ("fit_params", "score_params")),
        ]
    except _Inexact:
        return None
    return None if data == UNKNOWN else _digest(parts)


def split_digest(train: Any, test: Any) -> str:
    """Digest of the rows that a split trains and tests on."""
    return f"{_whole_digest(train)}{_whole_digest(test)}"


def exact_digest(parameters: Mapping[str, Any]) -> str:
    """Digest of what makes a candidate; nothing if that can't be told exactly."""
    try:
        return _digest([_exact(dict(parameters))])
    except _Inexact:
        return ""


def rows_key(split: str) -> str:
    """What the keys of all candidates have of a split, given its digest; nothing if not all of its rows are known."""
    return "" if UNKNOWN in split else _digest([split])


class Known:
    """Gives what was found earlier, in place of a split.

    Parameters
    ----------
    note : Note
        What was noted of the split.
    result : mapping
        The same as it is to be given.
    """

    __slots__ = ("_result", "note")

    def __init__(self, note: Note, result: Mapping[str, Any]) -> None:
        self.note, self._result = note, result

    def __reduce__(self) -> tuple[Any, ...]:
        return _KNOWN, ((self.note, self._result),)

    def alone(self, function: Callable[..., Any], inside: int, _: Known) -> Alone:
        """Give what stands for a function in a worker that has loaded nothing else of fitbook."""
        return Alone(function, inside, self)

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the result without any call."""
        return dict(self._result)


def rebuilt(parts: tuple[Note, Mapping[str, Any]]) -> Known:
    """Make what was pickled."""
    return Known(*parts)


# A worker without fitbook fits this split again.
_KNOWN = function_or_nothing("fitbook.autolog.sklearn._resume", "rebuilt")


class Earlier:
    """What earlier searches over the same have finished.

    Parameters
    ----------
    record : RunRecord
        The search that goes on.
    digest : str or None
        Of this search and of those.
    """

    def __init__(self, record: RunRecord, digest: str | None) -> None:
        self._notes: dict[str, tuple[str, Note]] = {}
        if digest is None:
            say(
                "this search can't be resumed: its estimator, scoring or data has parts that no text tells exactly, or "
                "its data is so large (more than 16 MB) that not every byte of it was read"
            )
            return
        experiment, mine = record.experiment_id(), record.run.run_id
        same = f"tags.`{DIGEST_TAG}` = '{digest}'"
        for run in record.backend.store.search_runs([experiment], same, ViewType.ALL, _MAX_SEARCHES):
            for note in _notes_of(record.backend, run) if run.info.run_id != mine else ():
                if note.get("key"):
                    self._notes.setdefault(note["key"], (run.info.run_id, note))

    def find(self, key: str, kwargs: Mapping[str, Any]) -> Known | None:
        """Give a split that was finished without an error; None if there is none."""
        run_id, note = self._notes.get(key, ("", {}))
        if not note or note.get("error") or kwargs.get("return_parameters") or kwargs.get("return_estimator"):
            return None
        wanted = {"fit_error": None, "test_scores": note.get("test")}
        if kwargs.get("return_train_score"):
            wanted["train_scores"] = note.get("train")
        if kwargs.get("return_n_test_samples"):
            wanted["n_test_samples"] = note.get("n")
        if kwargs.get("return_times"):
            wanted |= {"fit_time": note.get("fit"), "score_time": note.get("score")}
        if any(part is None for name, value in wanted.items() if name != "fit_error" for part in _parts(value)):
            return None
        return Known({**note, "from": note.get("from", run_id)}, wanted)


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else [value]


def _notes_of(backend: Backend, search: Run) -> Iterator[Note]:
    """The notes of a search's splits, wherever they have come to."""
    run_id = search.info.run_id
    if backend.file is not None:
        try:
            left = left_behind(path_of(str(backend.file), run_id))
        except OSError as error:
            left = []
            say(f"the splits that an earlier search has left can't be read, and are fitted again: {error}")
        yield from (note for entry in left for note in objects(entry.value))
    for key, value in search.data.tags.items():
        yield from objects(value) if key.startswith(PREFIX) else ()
    children, token = f"tags.`mlflow.parentRunId` = '{run_id}'", None
    while token != "":
        found = backend.store.search_runs([search.info.experiment_id], children, ViewType.ALL, 1000, page_token=token)
        for child in found:
            yield from objects(child.data.tags.get(SPLITS_TAG, "[]"))
        token = found.token or ""


def _digest(parts: list[str]) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def _whole_digest(value: Any) -> str:
    """The digest of data of which every byte was read."""
    content = Content()
    try:
        content.add(value)
    except Exception:
        return UNKNOWN
    return UNKNOWN if content.sampled else content.digest()


def _exact_data(given: Mapping[str, Any] | None) -> str:
    """What tells the arguments of ``fit`` or ``score`` beside the data."""
    told = {str(name): _whole_digest(value) for name, value in (given or {}).items()}
    if UNKNOWN in told.values():
        raise _Inexact
    return json.dumps(told, sort_keys=True)


def _exact(value: Any, depth: int = 0) -> str:
    """A text that tells exactly what a value is.

    Raises
    ------
    _Inexact
        There is none.
    """
    cls = type(value)
    if depth > 20:
        raise _Inexact
    if value is None or cls in (bool, int, float, complex, str, bytes):
        return f"{cls.__name__}:{value!r}"
    if cls in (list, tuple):
        return f"{cls.__name__}[{','.join(_exact(part, depth + 1) for part in value)}]"
    if cls is dict:
        pairs = (f"{_exact(key, depth + 1)}={_exact(part, depth + 1)}" for key, part in value.items())
        return f"dict[{','.join(sorted(pairs))}]"
    if cls.__module__ == "numpy" and hasattr(value, "dtype"):
        told = _whole_digest(value) if value.shape else repr(value.item())
        if value.dtype.hasobject or told == UNKNOWN:
            raise _Inexact
        return f"{value.dtype}:{value.shape}:{told}"
    if hasattr(cls, "get_params") and is_known_class(cls):
        version = getattr(sys.modules.get(package_of(cls.__module__)), "__version__", "")
        return f"{class_name(value)} {version}({_exact(value.get_params(deep=False), depth + 1)})"
    raise _Inexact
