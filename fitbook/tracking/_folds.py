"""The scores of a run on the folds of its cross-validation, and whether those of two runs differ by more than chance."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fitbook.entities import Run, ViewType
from fitbook.store import Store

# What a search's run says of its folds, as JSON: ``digest`` of the data and of each fold's rows, ``ratio`` of test rows to
# training rows, ``scoring``, and ``metric``, by which it has chosen.
FOLDS_TAG = "fitbook.search.folds"
_CANDIDATE, _BEST, _PARENT = "fitbook.candidate", "fitbook.best_candidate", "mlflow.parentRunId"
_SPLIT = re.compile(r"split(\d+)_test_(.+)")


@dataclass(frozen=True, slots=True)
class FoldScores:
    """What one model has scored on each fold; more is better.

    Attributes
    ----------
    metric : str
    scores : tuple of float
        By fold.
    same : str
        Equal for what was scored in the same way on the same rows; empty if that is not known.
    ratio : float
        Test rows for each training row.
    """

    metric: str
    scores: tuple[float, ...]
    same: str
    ratio: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How much more one model scores than another on the same folds, and how likely that is by chance."""

    difference: float
    t: float
    p: float
    n: int

    @property
    def two_sided(self) -> float:
        """The probability of such a difference, or a larger one in either direction."""
        return 2 * (self.p if self.p < 0.5 else 1 - self.p)


def folds_text(data: str, folds: Mapping[int, tuple[str, float]], scoring: str, metric: str) -> str:
    """What a search's run says of its folds.

    Parameters
    ----------
    data : str
        Digest of the data.
    folds : mapping of int to pairs of str and float
        Digest of the rows of each fold, and its test rows for each training row.
    scoring : str
        How they are scored.
    metric : str
        By which the best is chosen.
    """
    rows = "".join(folds[number][0] for number in sorted(folds))
    digest = hashlib.blake2b(f"{data}{rows}".encode(), digest_size=12).hexdigest()
    ratio = math.fsum(ratio for _, ratio in folds.values()) / len(folds)
    return json.dumps({"digest": digest, "ratio": round(ratio, 6), "scoring": scoring, "metric": metric})


def fold_scores(store: Store, run: Run, metric: str | None = None) -> FoldScores | None:
    """Read the scores of a search's best candidate, or of a candidate, or of a cross-validation; None if there are none.

    Parameters
    ----------
    store : Store
    run : Run
    metric : str, optional
        One of several that the folds were scored by; that by which the best was chosen, if not given.
    """
    tags = run.data.tags
    if _CANDIDATE in tags and _PARENT in tags:
        return _of_candidate(run, _told(store.get_run(tags[_PARENT]).data.tags), metric)
    if tags.get(_BEST, "").isdecimal():
        mine = f"tags.`{_PARENT}` = '{run.info.run_id}' AND tags.`{_CANDIDATE}` = '{tags[_BEST]}'"
        found = store.search_runs([run.info.experiment_id], mine, ViewType.ACTIVE_ONLY, 1)
        return _of_candidate(found[0], _told(tags), metric) if found else None
    return _of_cross_validation(store, run, metric)


def _told(tags: Mapping[str, str]) -> dict[str, Any]:
    try:
        told = json.loads(tags.get(FOLDS_TAG, "{}"))
    except ValueError:  # a tag is whatever somebody wrote
        told = {}
    return told if isinstance(told, dict) else {}


def _of_candidate(run: Run, told: Mapping[str, Any], metric: str | None) -> FoldScores | None:
    named = {found[2] for key in run.data.metrics if (found := _SPLIT.fullmatch(key))}
    metric = metric or told.get("metric") or ("score" if "score" in named else None)
    scores: dict[int, float] = {}
    for key, value in run.data.metrics.items():
        found = _SPLIT.fullmatch(key)
        if found and found[2] == metric:
            scores[int(found[1])] = value
    same = json.dumps([told["digest"], told.get("scoring"), metric]) if told.get("digest") else ""
    return _made(str(metric), scores, same, told.get("ratio"))


def _of_cross_validation(store: Store, run: Run, metric: str | None) -> FoldScores | None:
    key = f"test_{metric or 'score'}"
    if key not in run.data.metrics or f"mean_{key}" not in run.data.metrics:
        return None
    scores = {point.step: point.value for point in store.get_metric_history(run.info.run_id, key)}
    # Without shuffling, the same number of folds of the same data are the same folds.
    data, cv = run.data.tags.get("fitbook.data.digest"), run.data.params.get("cv", "")
    known = data not in (None, "unknown") and (cv.isdecimal() or cv == "None")
    same = json.dumps([data, cv, run.data.params.get("scoring"), key]) if known else ""
    return _made(metric or "score", scores, same, None)


def _made(metric: str, scores: Mapping[int, float], same: str, ratio: Any) -> FoldScores | None:
    if len(scores) < 2:
        return None
    if not isinstance(ratio, (int, float)) or not 0 < ratio < math.inf:
        ratio = 1 / (len(scores) - 1)
    return FoldScores(metric, tuple(scores[fold] for fold in sorted(scores)), same, float(ratio))


def paired_test(new: Sequence[float], old: Sequence[float], ratio: float, margin: float = 0.0) -> PairedTest:
    """Test whether one model scores more than another by more than a margin: the corrected resampled t-test.

    The training sets of folds overlap, so that their scores are not independent and the plain t-test finds differences
    where there are none. The correction enlarges the variance of the mean from ``1 / n`` to ``1 / n + ratio`` times that of
    the differences: C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003), 239-281.

    Parameters
    ----------
    new, old : sequences of float
        Their scores on the same folds.
    ratio : float
        Test rows for each training row: 1 / (k - 1) for k folds.
    margin : float
        How much more it has to be.

    Returns
    -------
    PairedTest
        ``difference`` is the mean of ``new - old``; ``p`` is one-sided, the probability of such a difference, or a larger
        one, if the true one is ``margin``. NaN where a score is NaN.
    """
    differences = [a - b for a, b in zip(new, old, strict=True)]
    n = len(differences)
    mean = math.fsum(differences) / n
    variance = math.fsum((d - mean) ** 2 for d in differences) / (n - 1)
    error = math.sqrt((1 / n + ratio) * variance)
    if math.isnan(error):
        return PairedTest(mean, math.nan, math.nan, n)
    above = mean - margin
    # Differences that are all the same but for rounding.
    if error <= 1e-12 * max(map(abs, (*new, *old))):
        certain = above > 1e-12
        return PairedTest(mean, math.inf if certain else 0.0, 0.0 if certain else 1.0, n)
    from scipy.special import stdtr  # noqa: PLC0415

    t = above / error
    return PairedTest(mean, t, float(stdtr(n - 1, -t)), n)
