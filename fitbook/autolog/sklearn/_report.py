"""How well an estimator does on the data it was trained on: metrics under MLflow's names, and curves as data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn import _metrics
from fitbook.autolog.sklearn._kinds import estimator_type, sklearn_bases, unwrap
from fitbook.autolog.sklearn._known import unknown_part
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._own_score import own_score
from fitbook.autolog.sklearn._predict import (
    ClassifierOutput,
    bytes_copied,
    classify,
    codes_in,
    count_rows,
    estimate,
    every,
    labels_in,
    within_budget,
)
from fitbook.autolog.sklearn._table import Table
from fitbook.autolog.sklearn._trees import uncounted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

PREFIX = "training_"
SAMPLE = 5


@dataclass(slots=True)
class Report:
    """What was found out about a fit, or about predictions for rows that were held out.

    Attributes
    ----------
    metrics : dict of str to float
        Their names begin with ``prefix``.
    curves : dict of str to Table
        ``roc_curve``, ``precision_recall_curve``, ``confusion_matrix``, ``calibration_curve``, ``predicted_vs_true``,
        ``cluster_sizes``.
    notes : list of str
        What was sampled, thinned out or skipped, and why.
    rows_used, n_rows : int
        Rows that the metrics are of, and rows of the training data.
    kind : str
        The estimator's type.
    positive : str
        The positive class of the curves.
    bytes_copied : int
        Of the rows that were predicted, as far as they had to be copied for that.
    sample : array-like or None
        The first predictions, as ``predict`` returns them.
    deadline : float
        Reading of ``time.perf_counter()`` at which the budget is spent.
    prefix, data : str
        What names of metrics and files begin with, and what the rows are called in pictures.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Table] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rows_used: int = 0
    n_rows: int = 0
    kind: str = "other"
    positive: str = ""
    bytes_copied: int = 0
    sample: Any = None
    deadline: float = 0.0
    prefix: str = PREFIX
    data: str = "training data"

    def add(self, metrics: dict[str, float]) -> None:
        """Take metrics in under the prefix."""
        self.metrics.update({self.prefix + name: value for name, value in metrics.items()})

    def tables(self) -> dict[str, Table]:
        """The curves by file name."""
        return {f"{self.prefix}{kind}.csv": table for kind, table in self.curves.items()}


@dataclass(slots=True)
class _Fit:
    """What the parts of a report have in common."""

    estimator: Any
    X: Any
    y: Any
    weights: Any
    predicted: Any
    pos_label: Any
    seconds: float
    fit_seconds: float
    sampling: bool
    report: Report

    def call(self, function: Callable[[Any], Any], per_row: float) -> tuple[Any, int] | None:
        """Call within what is left of the budget; notes sampling and skipping."""
        model, _ = unwrap(self.estimator)
        n = self.report.n_rows
        left = max(0.0, self.report.deadline - time.perf_counter())
        quick = estimate(model, self.fit_seconds)

        def counted(rows: Any) -> Any:
            self.report.bytes_copied += bytes_copied(rows, self.X)
            return function(rows)

        with np.errstate(all="ignore"):
            found = within_budget(
                counted, self.X, n, seconds=left, per_row=per_row, quick=quick, sampling=self.sampling
            )
        if found is None:
            rows = "200 of " if self.sampling else "all "
            self.report.notes.append(
                f"predictions: skipped, because predicting {rows}{n:,} rows takes longer than the "
                f"{self.seconds * 1e3:.0f} ms that training metrics may cost"
            )
            return None
        self.report.rows_used = -(-n // found[1])
        if found[1] > 1:
            self.report.notes.append(
                f"sampled: metrics and curves are of {self.report.rows_used:,} evenly spaced rows of {n:,}, "
                f"which is what {self.seconds * 1e3:.0f} ms allow"
            )
        return found


def training_report(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    fit_seconds: float,
    budget_ms: float,
    sampling: bool = True,
    pos_label: Any = None,
    predicted: Any = None,
) -> Report:
    """Measure a fitted estimator on its training data.

    Nothing is changed, nothing is printed, no warning is issued, and only code of known libraries is called.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
    sample_weight : array-like of shape (n_samples,), optional
    fit_seconds : float
        How long the fit took.
    budget_ms : float
        What the report may cost in milliseconds.
    sampling : bool
        Measure on a sample of the rows if all would cost more.
    pos_label : label, optional
        The positive class of a binary problem: precision, recall and F1 are then this class's.
    predicted : array-like of shape (n_samples,), optional
        What ``fit_predict`` has returned.

    Returns
    -------
    Report
        A part that fails is a note and does not keep the others from being there.
    """
    seconds = max(0.0, budget_ms / 1e3)
    report = Report(kind=estimator_type(estimator), deadline=time.perf_counter() + seconds)
    fit = _Fit(estimator, X, y, sample_weight, predicted, pos_label, seconds, fit_seconds, sampling, report)
    part = {
        "classifier": _classifier,
        "regressor": _regressor,
        "clusterer": _clusterer,
        "outlier_detector": _outlier_detector,
        "density_estimator": _density_estimator,
    }.get(report.kind)
    try:
        report.n_rows = 0 if X is None else count_rows(X)
        if part is not None:
            with uncounted(estimator):
                part(fit)
    except Exception as error:
        report.notes.append(f"training metrics: {type(error).__name__}: {error}"[:500])
    return report


def _may_predict(fit: _Fit, *, needs_y: bool = True) -> bool:
    why = None
    if fit.X is None or (needs_y and fit.y is None):
        why = "the fit had no " + ("data" if fit.X is None else "target")
    elif (stranger := unknown_part(fit.estimator)) is not None:
        why = f"predicting would run code that is not of a library fitbook knows: {stranger}"
    elif not hasattr(fit.estimator, "predict"):
        why = f"{type(fit.estimator).__name__} can't predict"
    if why:
        fit.report.notes.append(f"training metrics: skipped; {why}")
    return why is None


def _weights(fit: _Fit, step: int) -> NDArray[Any] | None:
    return None if fit.weights is None else np.asarray(every(fit.weights, step), dtype=np.float64).reshape(-1)


def _classifier(fit: _Fit) -> None:
    if not _may_predict(fit):
        return
    report, estimator = fit.report, fit.estimator
    shape = getattr(fit.y, "shape", None) or np.shape(fit.y)
    several = len(shape) == 2 and shape[1] > 1
    classes = None if several else getattr(estimator, "classes_", None)
    if isinstance(classes, list):  # one array for each output
        several, classes = len(classes) > 1, classes[0]
    n_classes = 0 if several or classes is None else len(classes)

    def predict(rows: Any) -> ClassifierOutput:
        output = classify(estimator, rows, n_classes)
        report.sample = labels_in(output.labels, classes)[:SAMPLE]
        return output

    found = fit.call(predict, 0.3e-6 + 0.15e-6 * n_classes)
    if found is None:
        if report.sample is None and n_classes:
            report.sample = np.asarray(classes)[:1]  # predictions are of this type
        return
    output, step = found
    true, weights = np.asarray(every(fit.y, step)), _weights(fit, step)
    if several:
        several_labels(report, true, output.labels, weights)
    else:
        if classes is None:
            classes = np.unique(np.concatenate([true.reshape(-1), output.labels.reshape(-1)]))
        calibrated = type(unwrap(estimator)[0]).__name__ == "CalibratedClassifierCV"
        one_label(report, np.asarray(classes), true, output, weights, pos_label=fit.pos_label, calibrated=calibrated)
    _score(fit, "accuracy_score")


def one_label(
    report: Report,
    classes: NDArray[Any],
    true: Any,
    output: ClassifierOutput,
    weights: Any,
    *,
    pos_label: Any,
    calibrated: bool,
) -> None:
    """Report how well one label for each row was predicted.

    Parameters
    ----------
    report : Report
    classes : ndarray of shape (n_classes,)
        Unique labels in rising order.
    true : array-like of shape (n,)
    output : ClassifierOutput
    weights : float64 ndarray of shape (n,) or None
    pos_label : label or None
    calibrated : bool
        It is of interest whether the probabilities are right.
    """
    labels = classes.tolist()
    codes, guesses = codes_in(true, classes), codes_in(output.labels, classes)
    proba, score = output.proba, output.score
    known = (codes >= 0) & (guesses >= 0)
    if not known.all():  # as the unlabelled rows of semi-supervised learning
        report.notes.append(f"{np.count_nonzero(~known):,} rows with labels the classifier doesn't know are left out")
        codes, guesses = codes[known], guesses[known]
        weights, proba, score = (None if a is None else a[known] for a in (weights, proba, score))
        report.rows_used = len(codes)
    if not len(codes):
        return
    positive = labels.index(pos_label) if pos_label in labels else None
    if pos_label is not None and positive is None:
        report.notes.append(f"pos_label {pos_label!r} is not among the classes; averages over classes instead")
    notes = report.notes
    matrix = _metrics.confusion(codes, guesses, len(labels), weights)
    _part(report, "label metrics", lambda: _metrics.label_scores(matrix, positive, notes))
    if len(labels) <= 300:
        report.curves["confusion_matrix"] = _metrics.confusion_table(matrix, labels)
    else:
        notes.append(f"confusion_matrix: skipped, {len(labels):,} classes")
    if proba is not None:
        _part(report, "log_loss", lambda: _metrics.log_loss(codes, proba, weights, notes))
        if calibrated:
            second = 1 if positive is None else positive
            sure = np.full(len(codes), second) if len(labels) == 2 else proba.argmax(axis=1)
            given = proba[np.arange(len(codes)), sure]
            _part(report, "calibration", lambda: _calibration(report, codes == sure, given, weights))
    if score is not None:
        second = 1 if positive is None else positive
        report.positive = str(labels[second])
        toward = proba[:, second] if proba is not None else score if second else -score
        _part(report, "curves", lambda: _curves(report, codes == second, toward, weights))
    elif proba is not None and len(labels) > 2:
        if time.perf_counter() + 0.2e-6 * len(codes) * len(labels) > report.deadline and len(codes) > 1_000:
            notes.append("roc_auc: skipped, it would exceed the budget")
        else:
            _part(report, "roc_auc", lambda: _metrics.roc_auc(codes, proba, weights, notes))


def _curves(report: Report, positive: Any, score: Any, weights: Any) -> dict[str, float]:
    metrics, curves = _metrics.binary_curves(positive, score, weights, report.notes)
    report.curves.update(curves)
    return metrics


def several_labels(report: Report, true: NDArray[Any], predicted: NDArray[Any], weights: Any) -> None:
    """Report how well the labels of several outputs were predicted."""
    report.notes.append("curves: skipped, the target has several outputs")
    _part(report, "label metrics", lambda: _metrics.several_scores(true, predicted, weights, report.notes))


def _calibration(report: Report, came_true: Any, given: Any, weights: Any) -> dict[str, float]:
    metrics, report.curves["calibration_curve"] = _metrics.calibration(came_true, given, weights)
    return metrics


def _regressor(fit: _Fit) -> None:
    if not _may_predict(fit):
        return
    report, estimator = fit.report, fit.estimator

    def predict(rows: Any) -> Any:
        values = estimator.predict(rows)
        report.sample = values[:SAMPLE]
        return np.asarray(values, dtype=np.float64)

    found = fit.call(predict, 0.1e-6)
    if found is None:
        return
    predicted, step = found
    numbers(report, np.asarray(every(fit.y, step), dtype=np.float64), predicted, _weights(fit, step))
    _score(fit, "r2_score")


def numbers(report: Report, true: NDArray[Any], predicted: NDArray[Any], weights: Any) -> None:
    """Report how near predictions came to one number, or several, for each row."""
    predicted = predicted.reshape(true.shape)
    _part(report, "regression metrics", lambda: _metrics.regression_scores(true, predicted, weights, report.notes))
    if true.size == len(true):
        kept = _metrics.thin(len(true))
        points: dict[str, Any] = {"true": true.reshape(-1)[kept], "predicted": predicted.reshape(-1)[kept]}
        report.curves["predicted_vs_true"] = Table(points, kind="predicted_vs_true")
        if len(kept) < len(true):
            report.notes.append(f"predicted_vs_true: {len(kept):,} of {len(true):,} rows are kept")
    else:
        report.notes.append("curves: skipped, the target has several outputs")


def _clusterer(fit: _Fit) -> None:
    model, _ = unwrap(fit.estimator)
    fitted = vars(model)
    labels = fit.predicted if fit.predicted is not None else fitted.get("labels_")
    if isinstance(fitted.get("inertia_"), (int, float)):
        fit.report.add({"inertia": float(fitted["inertia_"])})
    if labels is None:
        fit.report.notes.append("cluster sizes: the estimator keeps no labels")
        return
    names, sizes = np.unique(np.asarray(labels), return_counts=True)
    fit.report.rows_used = int(sizes.sum())
    clusters = names >= 0
    fit.report.add({"n_clusters": float(clusters.sum()), "n_noise": float(sizes[~clusters].sum())})
    if len(names) <= _metrics.MAX_POINTS:
        fit.report.curves["cluster_sizes"] = Table({"cluster": list(names), "size": list(sizes)}, kind="cluster_sizes")


def _outlier_detector(fit: _Fit) -> None:
    model, _ = unwrap(fit.estimator)
    fit.report.sample = np.ones(1, dtype=int)  # predictions are of this type
    predicted, step = fit.predicted, 1
    if predicted is None and "IsolationForest" in sklearn_bases(type(model)):
        return  # judging all of its rows takes longer than fitting some of them did, and its params tell the share
    if predicted is None and "negative_outlier_factor_" in vars(model):  # LocalOutlierFactor judges while it fits
        predicted = np.where(vars(model)["negative_outlier_factor_"] < vars(model)["offset_"], -1, 1)
    if predicted is None:
        found = fit.call(fit.estimator.predict, 0.05e-6) if _may_predict(fit, needs_y=False) else None
        if found is None:
            return
        predicted, step = found
    outliers = np.asarray(predicted) == -1
    fit.report.rows_used = len(outliers)
    fit.report.add({"outlier_share": float(outliers.mean())})
    if step == 1:
        fit.report.add({"n_outliers": float(outliers.sum())})


def _density_estimator(fit: _Fit) -> None:
    model, _ = unwrap(fit.estimator)
    fitted = vars(model)
    if isinstance(fitted.get("lower_bound_"), (int, float)):
        fit.report.add({"lower_bound": float(fitted["lower_bound_"])})
    if not hasattr(model, "bic") or model is not fit.estimator or not _may_predict(fit, needs_y=False):
        return
    before = len(fit.report.notes)
    found = fit.call(model.bic, 0.0)
    if found is not None and found[1] == 1:
        fit.report.add({"bic": float(found[0])})
    else:  # the criterion of a sample says nothing about the whole
        fit.report.rows_used = 0
        fit.report.notes[before:] = ["bic: skipped, it would exceed the budget"]


def _score(fit: _Fit, plain: str) -> None:
    report = fit.report
    metrics = {name.removeprefix(PREFIX): value for name, value in report.metrics.items()}
    value = own_score(fit.estimator, metrics, plain, weighted=fit.weights is not None)
    if value is not None:
        report.add({"score": value})
    elif metrics:
        report.notes.append("training_score: skipped, its scorer would need another pass over the data")


def _part(report: Report, what: str, compute: Callable[[], dict[str, float]]) -> None:
    try:
        report.add(compute())
    except Exception as error:
        report.notes.append(f"{what}: {type(error).__name__}: {error}"[:300])
