"""Scores from labels, probabilities and numbers: scikit-learn's definitions in bare numpy.

The values equal `sklearn.metrics`'. Its functions spend most of their time, at the sizes that autologging mostly
meets, on validating input that is known here to be valid, and they warn where a score is not defined. Here a score
that is not defined is left out and a note says why.

Class labels come in as codes ``0 … n_classes - 1``; weights are None or one non-negative float64 for each row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

MAX_POINTS = 1_000
MAX_FULL_MATRIX = 30
MAX_OUTPUTS = 100
N_BINS = 10

Notes = list[str]


def confusion(true: NDArray[Any], predicted: NDArray[Any], n_classes: int, weights: Any) -> NDArray[Any]:
    """Weight of rows by true class (first axis) and predicted class."""
    cells = np.bincount(true * n_classes + predicted, weights=weights, minlength=n_classes * n_classes)
    return cells.reshape(n_classes, n_classes)


def label_scores(matrix: NDArray[Any], positive: int | None, notes: Notes) -> dict[str, float]:
    """Accuracy, precision, recall and F1 from a confusion matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n_classes, n_classes)
    positive : int or None
        Code of the positive class of a binary problem; None averages over classes, weighted by their true frequency.
    notes : list of str
        Receives what is not defined.
    """
    hits, true, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    total = true.sum()
    if not total > 0:
        notes.append("label metrics: the sample weights sum to zero")
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        recall = np.where(true > 0, hits / true, 0.0)
        f1 = np.where(true + predicted > 0, 2 * hits / (true + predicted), 0.0)
    if positive is None:
        scores = [float(np.dot(values, true) / total) for values in (precision, recall, f1)]
    elif len(matrix) > 2:
        notes.append("precision, recall, f1: pos_label only applies to two classes")
        scores = []
    else:
        scores = [float(values[positive]) for values in (precision, recall, f1)]
        if not predicted[positive] > 0 or not true[positive] > 0:
            notes.append("precision, recall, f1: no row is, or none was predicted, positive; counted as 0")
    named = dict(zip(("precision_score", "recall_score", "f1_score"), scores, strict=False))
    return named | {"accuracy_score": float(hits.sum() / total)}


def log_loss(true: NDArray[Any], proba: NDArray[Any], weights: Any, notes: Notes) -> dict[str, float]:
    """Mean negative logarithm of the probability given to the true class."""
    if not (proba.min() >= 0 and proba.max() <= 1):  # NaN lands here as well
        notes.append("log_loss: predict_proba returned values outside 0–1")
        return {}
    eps = np.finfo(proba.dtype).eps if proba.dtype.kind == "f" else np.finfo(np.float64).eps
    given = np.clip(proba[np.arange(len(true)), true], eps, 1 - eps)
    loss = -np.log(given)
    if weights is None:
        return {"log_loss": float(loss.mean())}
    total = weights.sum()
    if not total > 0:
        return {}
    return {"log_loss": float(np.dot(loss, weights) / total)}


def roc_auc(true: NDArray[Any], proba: NDArray[Any], weights: Any, notes: Notes) -> dict[str, float]:
    """Area under the ROC curve of several classes: every pair of classes against each other, weighted by frequency."""
    if weights is not None:
        notes.append("roc_auc: not defined with sample weights for more than two classes")
        return {}
    counts = np.bincount(true, minlength=proba.shape[1])
    present = np.flatnonzero(counts)
    if len(present) < 2:
        notes.append("roc_auc: only one class is present")
        return {}
    if not np.isfinite(proba).all() or not np.allclose(proba.sum(axis=1), 1):
        notes.append("roc_auc: the predicted probabilities do not sum to one")
        return {}
    # Mann and Whitney: sorting one column serves all pairs of that class; ties count half.
    areas = np.zeros((len(counts), len(counts)))
    for one in present:
        own = np.sort(proba[true == one, one])
        below = np.searchsorted(own, proba[:, one], side="left")
        upto = np.searchsorted(own, proba[:, one], side="right")
        won = np.bincount(true, weights=len(own) - 0.5 * (below + upto), minlength=len(counts))
        areas[one, present] = won[present] / (len(own) * counts[present])
    rows, columns = np.triu_indices(len(present), k=1)
    a, b = present[rows], present[columns]
    return {"roc_auc": float(np.average((areas[a, b] + areas[b, a]) / 2, weights=counts[a] + counts[b]))}


def binary_curves(
    positive: NDArray[Any], score: NDArray[Any], weights: Any, notes: Notes
) -> tuple[dict[str, float], dict[str, Table]]:
    """ROC AUC, average precision and both curves of a binary problem.

    Parameters
    ----------
    positive : bool ndarray of shape (n,)
        Whether the row belongs to the positive class.
    score : ndarray of shape (n,)
        The higher, the more likely positive.
    weights : float64 ndarray of shape (n,) or None
    notes : list of str
        Receives what is not defined, and which curves were thinned out.
    """
    if weights is not None:
        kept = weights != 0
        positive, score, weights = positive[kept], score[kept], weights[kept]
    if not len(score) or positive.all() or not positive.any():
        notes.append("roc_auc, curves: only one class is present")
        return {}, {}
    if not np.isfinite(score).all():
        notes.append("roc_auc, curves: the scores hold NaN or infinities")
        return {}, {}
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], positive[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # rows of one score are one point
    if weights is None:
        tps = np.cumsum(hit)[ends]
        fps = 1 + ends - tps
    else:
        weights = weights[order]
        tps, fps = np.cumsum(hit * weights)[ends], np.cumsum((1 - hit) * weights)[ends]
    thresholds = score[ends].astype(np.float64)
    precision, recall = tps / (tps + fps), tps / tps[-1]
    tpr, fpr = np.append(0.0, recall), np.append(0.0, fps / fps[-1])
    metrics = {
        "roc_auc": float(np.dot(np.diff(fpr), tpr[1:] + tpr[:-1]) / 2),
        "average_precision_score": float(np.dot(np.diff(np.append(0.0, recall)), precision)),
    }
    corner = np.ones(len(fpr), dtype=bool)
    if len(fps) > 2:  # points in the middle of a straight line say nothing
        corner[2:-1] = (np.diff(fps, 2) != 0) | (np.diff(tps, 2) != 0)
    roc = Table(
        _thinned(
            {"fpr": fpr[corner], "tpr": tpr[corner], "threshold": np.append(np.inf, thresholds)[corner]},
            "roc_curve",
            notes,
        ),
        kind="roc_curve",
    )
    columns = {
        "precision": np.append(precision[::-1], 1.0),
        "recall": np.append(recall[::-1], 0.0),
        "threshold": np.append(thresholds[::-1], np.nan),
    }
    pr = Table(_thinned(columns, "precision_recall_curve", notes), kind="precision_recall_curve")
    return metrics, {"roc_curve": roc, "precision_recall_curve": pr}


def regression_scores(true: NDArray[Any], predicted: NDArray[Any], weights: Any, notes: Notes) -> dict[str, float]:
    """Squared and absolute errors and R²; for several outputs the mean and each one's own.

    Parameters
    ----------
    true, predicted : float64 ndarray of shape (n,) or (n, n_outputs)
    """
    if not (np.isfinite(true).all() and np.isfinite(predicted).all()):
        notes.append("regression metrics: the target or the predictions hold NaN or infinities")
        return {}
    true, predicted = true.reshape(len(true), -1), predicted.reshape(len(predicted), -1)
    w = np.ones(len(true)) if weights is None else weights
    total = w.sum()
    if not total > 0:
        notes.append("regression metrics: the sample weights sum to zero")
        return {}
    error = true - predicted
    squared = w @ (error * error)
    mse, mae = squared / total, w @ np.abs(error) / total
    # The mean by `average`: of equal numbers it is that very number, so that a constant target has no spread.
    spread = w @ np.square(true - np.average(true, axis=0, weights=weights))
    each = {
        "mean_squared_error": mse,
        "root_mean_squared_error": np.sqrt(mse),
        "mean_absolute_error": mae,
    }
    if len(true) < 2:
        notes.append("r2_score: needs two rows or more")
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            each["r2_score"] = np.where(spread != 0, 1 - squared / spread, np.where(squared == 0, 1.0, 0.0))
    means = {name: float(values.mean()) for name, values in each.items()}
    # MLflow's is the root of the mean, not the mean of the roots.
    means["root_mean_squared_error"] = float(np.sqrt(means["mean_squared_error"]))
    if true.shape[1] > 1:
        means |= {
            f"{name}_output{i}": float(v) for name, values in each.items() for i, v in enumerate(values[:MAX_OUTPUTS])
        }
        if true.shape[1] > MAX_OUTPUTS:
            notes.append(f"per-output metrics: the first {MAX_OUTPUTS} of {true.shape[1]:,} outputs")
    return means


def multilabel_scores(true: NDArray[Any], predicted: NDArray[Any], weights: Any, notes: Notes) -> dict[str, float]:
    """Precision, recall and F1 weighted by label frequency, and the share of rows with all labels right."""
    w = np.ones(len(true)) if weights is None else weights
    hits, trues, predictions = w @ (true & predicted), w @ true, w @ predicted
    if not w.sum() > 0 or not trues.sum() > 0:
        notes.append("label metrics: no row with a label and a weight")
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(predictions > 0, hits / predictions, 0.0)
        recall = np.where(trues > 0, hits / trues, 0.0)
        f1 = np.where(trues + predictions > 0, 2 * hits / (trues + predictions), 0.0)
    scores = zip(("precision_score", "recall_score", "f1_score"), (precision, recall, f1), strict=True)
    named = {name: float(np.dot(values, trues) / trues.sum()) for name, values in scores}
    return named | {"accuracy_score": float(w @ (true == predicted).all(axis=1) / w.sum())}


def several_scores(true: NDArray[Any], predicted: NDArray[Any], weights: Any, notes: Notes) -> dict[str, float]:
    """Label metrics of several outputs: of each, and of all.

    Over all, ``accuracy_score`` is the share of rows that are right in every output. The other three are, of labels that
    are there or not, averages weighted by how often they are there, and else means over the outputs.

    Parameters
    ----------
    true, predicted : ndarray of shape (n, n_outputs)
    """
    n_outputs = true.shape[1]
    if n_outputs > MAX_OUTPUTS:
        notes.append(f"per-output metrics: the first {MAX_OUTPUTS} of {n_outputs:,} outputs")
    yes_or_no = all(set(np.unique(labels).tolist()) <= {0, 1} for labels in (true, predicted))
    each: dict[str, list[float]] = {}
    for k in range(min(n_outputs, MAX_OUTPUTS)):
        both = np.concatenate([true[:, k], predicted[:, k]])
        classes, codes = ([0, 1], both.astype(np.intp)) if yes_or_no else np.unique(both, return_inverse=True)
        matrix = confusion(codes[: len(true)], codes[len(true) :], len(classes), weights)
        for name, value in label_scores(matrix, 1 if yes_or_no else None, []).items():
            each.setdefault(name, []).append(value)
    scores = {f"{name}_output{k}": value for name, values in each.items() for k, value in enumerate(values)}
    if yes_or_no:
        return scores | multilabel_scores(true == 1, predicted == 1, weights, notes)
    right = (true == predicted).all(axis=1)
    scores |= {name: float(np.mean(values)) for name, values in each.items()}
    return scores | {"accuracy_score": float(np.average(right, weights=weights))}


def calibration(came_true: NDArray[Any], given: NDArray[Any], weights: Any) -> tuple[dict[str, float], Table]:
    """How far predicted probabilities are from how often they came true, in ten bins of equal width.

    Parameters
    ----------
    came_true : bool ndarray of shape (n,)
    given : ndarray of shape (n,)
        The probability that was predicted for it.
    weights : float64 ndarray of shape (n,) or None

    Returns
    -------
    dict, Table
        ``expected_calibration_error``; ``predicted``, ``true`` and ``rows`` of each bin that has any.
    """
    w = np.ones(len(given)) if weights is None else weights
    bins = np.clip((given * N_BINS).astype(np.intp), 0, N_BINS - 1)
    rows, of_bin = np.bincount(bins, minlength=N_BINS), np.bincount(bins, w, minlength=N_BINS)
    kept = of_bin > 0
    predicted = np.bincount(bins, w * given, minlength=N_BINS)[kept] / of_bin[kept]
    true = np.bincount(bins, w * came_true, minlength=N_BINS)[kept] / of_bin[kept]
    error = float(np.average(np.abs(predicted - true), weights=of_bin[kept]))
    columns = {"predicted": predicted, "true": true, "rows": rows[kept]}
    return {"expected_calibration_error": error}, Table(columns, kind="calibration_curve")


def confusion_table(matrix: NDArray[Any], labels: list[Any]) -> Table:
    """A confusion matrix as one line per cell.

    With more than 30 classes only cells that are not empty are listed, and the diagonal.
    """
    shown = (matrix != 0) | np.eye(len(labels), dtype=bool) | (len(labels) <= MAX_FULL_MATRIX)
    rows, columns = np.nonzero(shown)
    counts = matrix[rows, columns].tolist()
    cells = {"true": [labels[i] for i in rows], "predicted": [labels[i] for i in columns], "count": counts}
    return Table(cells, kind="confusion_matrix")


def thin(n: int) -> NDArray[Any]:
    """At most 1,000 evenly spaced positions in ``0 … n - 1``, both ends included."""
    return np.arange(n) if n <= MAX_POINTS else np.linspace(0, n - 1, MAX_POINTS).astype(np.intp)


def _thinned(columns: dict[str, NDArray[Any]], name: str, notes: Notes) -> dict[str, Any]:
    n = len(next(iter(columns.values())))
    if n <= MAX_POINTS:
        return dict(columns)
    notes.append(f"{name}: {MAX_POINTS:,} of {n:,} points are kept")
    kept = thin(n)
    return {key: values[kept] for key, values in columns.items()}
