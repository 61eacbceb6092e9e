"""Findings on their way: into the run, to the user, and what is looked out for when a model is evaluated later."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fitbook import _validate
from fitbook.autolog._config import Selection
from fitbook.autolog._guard import quietly, suppressed, tell
from fitbook.autolog._record import RunRecord
from fitbook.autolog.sklearn._findings import Finding, findings, overfit
from fitbook.autolog.sklearn._rows import Hashes, hashes, rows_of
from fitbook.errors import NotFound, WrongState
from fitbook.tracking._run import RunHandle

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = "findings.json"
_REAPPEARING = "train_rows_in_held_out"
_MAX_WATCHED = 32
_MAX_LOOKS = 10
_MIN_ROWS = 20


@dataclass(slots=True)
class _Watched:
    """What is remembered of a fit: no data, but hashes of some of its rows."""

    wanted: Selection
    training_score: float | None
    rows: Hashes | None
    looks_left: int = _MAX_LOOKS
    found: dict[str, Finding] = field(default_factory=dict)


_lock = threading.Lock()
_watched: OrderedDict[str, _Watched] = OrderedDict()


def findings_of_fit(record: RunRecord, estimator: Any, X: Any, y: Any, metrics: Mapping[str, float]) -> dict[str, str]:
    """Look at a fit, tell of what is found, and remember what a later evaluation is compared with.

    Parameters
    ----------
    record : RunRecord
        Gets the findings as a file, and its notes what could not be looked at.
    estimator, X, y : the fitted estimator and its training data
    metrics : mapping of str to float
        ``training_score`` and ``best_cv_score``, if they are known.

    Returns
    -------
    dict of str to str
        The findings as tags.
    """
    wanted = record.config.findings
    if not wanted.wanted:
        return {}
    found = {one.name: one for one in findings(estimator, X, y, metrics, wanted, record.notes)}
    if record.config.log_post_training_metrics:
        rows = rows_of(X) if _REAPPEARING in wanted else None
        remembered = hashes(rows) if rows is not None and rows.n_rows >= _MIN_ROWS else None
        with _lock:
            _watched[record.run.run_id] = _Watched(wanted, metrics.get("training_score"), remembered, found=found)
            while len(_watched) > _MAX_WATCHED:
                _watched.popitem(last=False)
    if found:
        record.later(f"writing {_FILE}", functools.partial(_write, record.run, list(found.values())))
    for one in found.values():
        tell(f"fitbook: {record.name}: {one.text}", once=one.text)
    return _tags(found.values())


def look_at_evaluation(run: RunHandle, data: Any, score: float | None = None) -> None:
    """Look at what a recorded model is asked to predict or score, if it is more than a few rows; ten times at most.

    Parameters
    ----------
    run : RunHandle
        The model's.
    data : array-like
        What it predicts or is scored on.
    score : float, optional
        What ``score`` has returned.
    """
    watched = _watched.get(run.run_id)
    if watched is None or not watched.looks_left:
        return
    rows = rows_of(data)
    if (rows is None and score is None) or (rows is not None and rows.n_rows < _MIN_ROWS):
        return
    watched.looks_left -= 1
    new = []
    if "overfit" in watched.wanted:
        new.append(overfit(watched.training_score, score, "on data that was scored later"))
    if watched.rows is not None and rows is not None:
        new.append(reappearing(watched.rows, hashes(rows), scored=score is not None))
    for finding in new:
        if finding is not None and finding.name not in watched.found:
            watched.found[finding.name] = finding
            run.soon(functools.partial(_write_later, run, list(watched.found.values())))
            tell(f"fitbook: {finding.text}")


def reappearing(training: Hashes, held_out: Hashes, *, scored: bool) -> Finding | None:
    """Tell whether rows of the training data are among others that a model is evaluated on.

    The training data itself, or all data, may well be predicted; so may a part of the training data, but then not be
    scored. Rows of a few values repeat by their nature.
    """
    if training.repeat_by_nature:
        return None
    hits = training.count(held_out)
    share = min(1.0, hits / len(held_out.values) / training.share)
    covered = share * held_out.n_rows / training.n_rows
    if hits < 5 or share < 0.05 or covered > 0.8 or (share > 0.95 and not scored):
        return None
    verb = "scored" if scored else "predicted"
    about = "" if training.share == held_out.share == 1 else "about "
    n_rows = round(share * held_out.n_rows)
    text = f"Of {held_out.n_rows:,} {verb} rows, {about}{n_rows:,} are among those that the model was trained on."
    return Finding(_REAPPEARING, text, {"rows": held_out.n_rows, "reappearing": n_rows, "estimated": bool(about)})


def _tags(found: Iterable[Finding]) -> dict[str, str]:
    return {f"fitbook.finding.{one.name}": _validate.safe_text(one.text) for one in found}


def _write(run: RunHandle, found: list[Finding]) -> None:
    run.log_dict({one.name: {"text": one.text, **one.details} for one in found}, _FILE)


def _write_later(run: RunHandle, found: list[Finding]) -> None:
    # The run may have been removed since.
    with suppressed(), quietly("writing a finding"), contextlib.suppress(NotFound, WrongState):
        run.set_tags(_tags(found))
        _write(run, found)
