"""Pictures of a fit from plain tables, as PNG; for drawing on a background thread after ``fit`` has returned."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._canvas import text_width
from fitbook.autolog.sklearn._charts import reliability
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._panel import AXIS, BLUE, GRID, INK, ORANGE, Panel, numbers, rates, round_ticks, short
from fitbook.autolog.sklearn._report import Report
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

TOP = 20
_BARS = {
    "feature_importances": ("Feature importances", "importance"),
    "permutation_importances": ("Permutation importances", "mean loss of score when permuted"),
    "final_importances": ("Importances for the final estimator", "importance"),
    "final_coefficients": ("Coefficients of the final estimator", "coefficient"),
}
_MAX_LABELLED = 30
_MAX_DRAWN = 200


def pictures(report: Report, importances: Table | None = None) -> dict[str, Callable[[], bytes]]:
    """The pictures that a report is good for, as file name to a function that draws it.

    Parameters
    ----------
    report : Report
        Its curves become ``training_confusion_matrix.png``, ``training_roc_curve.png``,
        ``training_precision_recall_curve.png``, ``training_calibration_curve.png`` and
        ``training_predicted_vs_true.png``, or begin with another prefix of the report's.
    importances : Table, optional
        Becomes ``feature_importances.png`` or ``coefficients.png``.
    """
    rows = f"{report.data}, {report.rows_used:,} rows"
    if report.rows_used < report.n_rows:
        rows = f"{report.data}, {report.rows_used:,} of {report.n_rows:,} rows"
    score = {name.removeprefix(report.prefix): value for name, value in report.metrics.items()}
    about = f"{rows} · positive class: {report.positive}"
    draw: dict[str, Callable[[Table], bytes]] = {
        "confusion_matrix": lambda table: confusion_matrix(table, rows),
        "roc_curve": lambda table: roc_curve(table, score.get("roc_auc", math.nan), about),
        "precision_recall_curve": lambda table: precision_recall_curve(
            table, score.get("average_precision_score", math.nan), about
        ),
        "calibration_curve": lambda table: reliability(
            "Calibration curve", about if report.positive else rows, table.columns["predicted"], table.columns["true"]
        ),
        "predicted_vs_true": lambda table: predicted_vs_true(table, score.get("r2_score", math.nan), rows),
    }
    tables = [table for kind, table in report.curves.items() if kind in draw and len(table)]
    found = {f"{report.prefix}{table.kind}.png": functools.partial(draw[table.kind], table) for table in tables}
    if importances is not None and len(importances):
        found[f"{importances.kind}.png"] = functools.partial(bars, importances)
    return dict(found)


def confusion_matrix(table: Table, subtitle: str) -> bytes:
    """Share of each true class by predicted class, with numbers up to 30 classes."""
    labels = list(dict.fromkeys([*table.columns["true"], *table.columns["predicted"]]))
    n, total = min(len(labels), _MAX_DRAWN), len(labels)
    shares = _shares(table, labels)
    names = [short(str(label), 18 if n <= 12 else 12) for label in labels[:n]]
    labelled = n <= _MAX_LABELLED
    size = 9.0 if n <= 8 else 8.0 if n <= 12 else 7.0
    cell = max(300 / n, 42.0 if n <= 12 else 27.0) if labelled else 480 / n
    longest = text_width(names, size)
    upright = longest > cell - 6
    room = (longest if labelled else 0) + 8
    beneath = 52 + ((longest - 10 if upright else 6) if labelled else 0)
    panel = Panel(cell * n, cell * n, left=34 + room, bottom=beneath)
    for i, j in zip(*np.nonzero(shares), strict=True):
        tint = [1 - (1 - blue) * float(shares[i, j]) for blue in (0.13, 0.36, 0.62)]
        panel.box(j / n, 1 - (i + 1) / n, (j + 1) / n, 1 - i / n, tint)
    panel.rule(0, 1, 1, 1, GRID)
    panel.rule(1, 0, 1, 1, GRID)
    panel.frame()
    if labelled:
        for k, name in enumerate(names):
            panel.beside_y(1 - (k + 0.5) / n, name, size)
            panel.below_x((k + 0.5) / n, name, size, upright=upright)
        for i, j in zip(*np.nonzero(shares), strict=True):
            share = float(shares[i, j])
            written = f"{share:.2f}" if n <= 12 else f"{share * 100:.0f}"
            color = "#ffffff" if share > 0.55 else INK
            panel.text((j + 0.5) / n, 1 - (i + 0.5) / n, written, size=size, color=color, across=0.5)
    unit = "percent" if labelled and n > 12 else "share"
    first = f"first {n} of {total:,} classes · " if n < total else f"{n} classes · " if not labelled else ""
    return panel.png("Confusion matrix", f"{first}{unit} of each true class", subtitle, "predicted class", "true class")


def roc_curve(table: Table, auc: float, subtitle: str) -> bytes:
    """True positive rate over false positive rate."""
    panel = rates(diagonal=True)
    panel.line(table.columns["fpr"], table.columns["tpr"], BLUE, width=2)
    panel.text(0.97, 0.05, f"AUC = {auc:.3f}", size=10, across=1.0, up=0)
    return panel.png("ROC curve", subtitle, "", "false positive rate", "true positive rate")


def precision_recall_curve(table: Table, average_precision: float, subtitle: str) -> bytes:
    """Precision over recall; each precision holds until the next threshold."""
    panel = rates(diagonal=False)
    recall, precision = np.asarray(table.columns["recall"]), np.asarray(table.columns["precision"])
    panel.line(np.repeat(recall, 2)[1:], np.repeat(precision, 2)[:-1], BLUE, width=2)
    panel.text(0.03, 0.05, f"average precision = {average_precision:.3f}", size=10, up=0)
    return panel.png("Precision-recall curve", subtitle, "", "recall", "precision")


def predicted_vs_true(table: Table, r2: float, subtitle: str) -> bytes:
    """Predictions over true values, with the line where they agree."""
    points = np.asarray([table.columns["true"], table.columns["predicted"]], dtype=np.float64)
    points = points[:, np.isfinite(points).all(axis=0)]
    low, high = (float(points.min()), float(points.max())) if points.size else (0.0, 1.0)
    pad = 0.04 * (high - low) or max(abs(high) * 0.1, 1e-12)
    low, high = low - pad, high + pad
    ticks = round_ticks(low, high)
    written = numbers(ticks)
    panel = Panel(400, 320, left=48 + text_width(written, 9))
    panel.scale(ticks, written, low, high, x=True, y=True)
    panel.line([0, 1], [0, 1], AXIS, width=1, dashed=True)
    true, predicted = (points - low) / (high - low)
    panel.dots(true, predicted, BLUE, size=3.4, alpha=0.5)
    panel.text(0.03, 0.97, f"R² = {r2:.3f}", size=10, up=1.0)
    shown = "" if f" {points.shape[1]:,} rows" in subtitle else f"{points.shape[1]:,} of them shown"
    return panel.png("Predicted and true values", subtitle, shown, "true value", "predicted value")


def bars(table: Table) -> bytes:
    """The weightiest 20 features of a table of importances or coefficients."""
    names = [short(name, 32) for name in table.columns["feature"][:TOP]]
    shown = ["importance"] if "importance" in table.columns else [name for name in table.columns if name != "feature"]
    values = [table.columns[header][:TOP] for header in shown]
    lengths = np.asarray(values, dtype=np.float64)
    lengths = lengths[0] if len(values) == 1 else np.abs(lengths).mean(axis=0)
    lengths = np.where(np.isfinite(lengths), lengths, 0.0)
    low, high = min(0.0, float(lengths.min())), max(0.0, float(lengths.max()))
    span = (high - low) or 1.0
    low, high = low - (0.03 * span if low < 0 else 0), high + 0.03 * span
    ticks = round_ticks(low, high)
    n = len(names)
    panel = Panel(360, 20 * n + 10, left=22 + text_width(names, 9))
    panel.scale(ticks, numbers(ticks), low, high, x=True, y=False)
    zero = -low / (high - low)
    for k, (name, length) in enumerate(zip(names, lengths, strict=True)):
        middle, half, end = 1 - (k + 0.5) / n, 0.35 / n, zero + float(length) / (high - low)
        panel.box(min(zero, end), middle - half, max(zero, end), middle + half, BLUE if length >= 0 else ORANGE)
        panel.beside_y(middle, name, 9)
    if low < 0:
        panel.rule(zero, 0, zero, 1, INK)
    title, what = _BARS.get(table.kind, ("Coefficients", "coefficient"))
    if len(values) > 1:
        what = f"mean absolute coefficient ({len(values):,} classes or outputs)"
    total = len(table)
    many = f"top {n} of {total:,} features by magnitude" if total > n else f"{total:,} features"
    return panel.png(title, many, "", what, "")


def _shares(table: Table, labels: list[Any]) -> Any:
    """Confusion matrix with rows that sum to one, of the first 200 classes at most."""
    n = len(labels)
    at = {label: i for i, label in enumerate(labels)}
    rows = [at[label] for label in table.columns["true"]]
    columns = [at[label] for label in table.columns["predicted"]]
    counts = np.zeros((n, n))
    counts[rows, columns] = table.columns["count"]
    totals = counts.sum(axis=1, keepdims=True)
    return (counts / np.where(totals > 0, totals, 1))[:_MAX_DRAWN, :_MAX_DRAWN]
