"""How well ``cross_val_predict`` did: the metrics and curves of a training report, of rows that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._kinds import estimator_type
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._predict import ClassifierOutput, Codes, codes_in, count_rows, every
from fitbook.autolog.sklearn._report import Report, numbers, one_label, several_labels

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

_MAX_ROWS = 200_000


def out_of_fold_report(
    estimator: Any,
    y: Any,
    predicted: Any,
    method: str,
    *,
    deadline: float,
    sampling: bool = True,
    pos_label: Any = None,
) -> Report:
    """Measure what ``cross_val_predict`` has returned; the metrics are ``cross_val_…``.

    Parameters
    ----------
    estimator : estimator
        Only its kind matters.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
    predicted : array-like
    method : str
        What of the estimator was called: ``"predict"``, ``"predict_proba"``, …
    deadline : float
        Reading of ``time.perf_counter()`` at which the budget is spent.
    sampling : bool
        Measure on at most 200,000 evenly spaced rows.
    pos_label : label, optional
        The positive class of a binary problem.
    """
    kind = estimator_type(estimator)
    report = Report(kind=kind, deadline=deadline, prefix="cross_val_", data="out-of-fold predictions")
    if y is None or kind not in ("classifier", "regressor"):
        return report
    try:
        n = report.n_rows = count_rows(y)
        step = -(-n // _MAX_ROWS) if sampling else 1
        report.rows_used = -(-n // step)
        if step > 1:
            report.notes.append(f"sampled: metrics and curves are of {report.rows_used:,} evenly spaced rows of {n:,}")
        if kind == "regressor":
            true, values = (np.asarray(every(part, step), dtype=np.float64) for part in (y, predicted))
            numbers(report, true, values, None)
        else:
            _labels(report, y, predicted, step, method, pos_label)
    except Exception as error:
        report.notes.append(f"out-of-fold metrics: {type(error).__name__}: {error}"[:500])
    return report


def _labels(report: Report, y: Any, predicted: Any, step: int, method: str, pos_label: Any) -> None:
    true = np.asarray(every(y, step))
    several = true.ndim == 2 and true.shape[1] > 1
    if several and method != "predict":
        report.notes.append(f"out-of-fold metrics: none is made of {method} of several outputs")
        return
    values = np.asarray(every(predicted, step))
    if several:
        several_labels(report, true, values, None)
        return
    classes = np.unique(true)
    columns = len(classes) if method == "predict" else 2 if values.ndim == 1 else values.shape[1]
    if step > 1 and (len(classes) != columns or (method == "predict" and (codes_in(values, classes) < 0).any())):
        classes = np.unique(np.asarray(y))  # no row of some class is among those that were taken
    if len(classes) != columns and method != "predict":
        report.notes.append(
            f"out-of-fold metrics: {method} tells of {columns} classes, and the target has {len(classes)}"
        )
        return
    if method == "predict":
        output = ClassifierOutput(values, None, None)
    elif values.ndim == 1:
        output = ClassifierOutput(Codes((values > 0).astype(np.intp)), None, values)
    else:
        proba = {"predict_proba": values, "predict_log_proba": np.exp(values)}.get(method)
        score = proba[:, 1] if proba is not None and len(classes) == 2 else None
        output = ClassifierOutput(Codes(np.argmax(values, axis=1)), proba, score)
    one_label(report, classes, true, output, None, pos_label=pos_label, calibrated=True)
