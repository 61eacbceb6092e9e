"""Pictures of a fit from plain tables, as PNG; for drawing on a background thread after ``fit`` has returned."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._canvas import Canvas, text_width
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._report import PREFIX, Report
from fitbook.autolog.sklearn._table import Table

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

BLUE, ORANGE, INK, GREY, AXIS, GRID = "#2f6fb0", "#c8601f", "#222222", "#595959", "#8a8a8a", "#e4e4e4"
TOP = 20
_MAX_LABELLED = 30
_MAX_DRAWN = 200


def pictures(report: Report, importances: Table | None = None) -> dict[str, Callable[[], bytes]]:
    """The pictures that a report is good for, as file name to a function that draws it.

    Parameters
    ----------
    report : Report
        Its curves become ``training_confusion_matrix.png``, ``training_roc_curve.png``,
        ``training_precision_recall_curve.png`` and ``training_predicted_vs_true.png``.
    importances : Table, optional
        Becomes ``feature_importances.png`` or ``coefficients.png``.
    """
    rows = f"training data, {report.rows_used:,} rows"
    if report.rows_used < report.n_rows:
        rows = f"training data, {report.rows_used:,} of {report.n_rows:,} rows"
    score = {name.removeprefix(PREFIX): value for name, value in report.metrics.items()}
    about = f"{rows} · positive class: {report.positive}"
    draw: dict[str, Callable[[Table], bytes]] = {
        "confusion_matrix": lambda table: confusion_matrix(table, rows),
        "roc_curve": lambda table: roc_curve(table, score.get("roc_auc", math.nan), about),
        "precision_recall_curve": lambda table: precision_recall_curve(
            table, score.get("average_precision_score", math.nan), about
        ),
        "predicted_vs_true": lambda table: predicted_vs_true(table, score.get("r2_score", math.nan), rows),
    }
    tables = [table for kind, table in report.curves.items() if kind in draw and len(table)]
    found = {f"{PREFIX}{table.kind}.png": functools.partial(draw[table.kind], table) for table in tables}
    if importances is not None and len(importances):
        found[f"{importances.kind}.png"] = functools.partial(bars, importances)
    return dict(found)


def confusion_matrix(table: Table, subtitle: str) -> bytes:
    """Share of each true class by predicted class, with numbers up to 30 classes."""
    labels = list(dict.fromkeys([*table.columns["true"], *table.columns["predicted"]]))
    n, total = min(len(labels), _MAX_DRAWN), len(labels)
    shares = _shares(table, labels)
    names = [_short(str(label), 18 if n <= 12 else 12) for label in labels[:n]]
    labelled = n <= _MAX_LABELLED
    size = 9.0 if n <= 8 else 8.0 if n <= 12 else 7.0
    cell = max(300 / n, 42.0 if n <= 12 else 27.0) if labelled else 480 / n
    longest = text_width(names, size)
    upright = longest > cell - 6
    room = (longest if labelled else 0) + 8
    beneath = 52 + ((longest - 10 if upright else 6) if labelled else 0)
    panel = _Panel(cell * n, cell * n, left=34 + room, bottom=beneath)
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
    panel = _Panel(420, 320)
    panel.rates()
    panel.line([0, 1], [0, 1], AXIS, width=1, dashed=True)
    panel.line(table.columns["fpr"], table.columns["tpr"], BLUE, width=2)
    panel.text(0.97, 0.05, f"AUC = {auc:.3f}", size=10, across=1.0, up=0)
    return panel.png("ROC curve", subtitle, "", "false positive rate", "true positive rate")


def precision_recall_curve(table: Table, average_precision: float, subtitle: str) -> bytes:
    """Precision over recall; each precision holds until the next threshold."""
    panel = _Panel(420, 320)
    panel.rates()
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
    ticks = _round_ticks(low, high)
    written = _numbers(ticks)
    panel = _Panel(400, 320, left=48 + text_width(written, 9))
    panel.scale(ticks, written, low, high, x=True, y=True)
    panel.line([0, 1], [0, 1], AXIS, width=1, dashed=True)
    true, predicted = (points - low) / (high - low)
    panel.dots(true, predicted, BLUE, size=3.4, alpha=0.5)
    panel.text(0.03, 0.97, f"R² = {r2:.3f}", size=10, up=1.0)
    shown = "" if f" {points.shape[1]:,} rows" in subtitle else f"{points.shape[1]:,} of them shown"
    return panel.png("Predicted and true values", subtitle, shown, "true value", "predicted value")


def bars(table: Table) -> bytes:
    """The weightiest 20 features of a table of importances or coefficients."""
    names = [_short(name, 32) for name in table.columns["feature"][:TOP]]
    values = [column[:TOP] for header, column in table.columns.items() if header != "feature"]
    lengths = np.asarray(values, dtype=np.float64)
    lengths = lengths[0] if len(values) == 1 else np.abs(lengths).mean(axis=0)
    lengths = np.where(np.isfinite(lengths), lengths, 0.0)
    low, high = min(0.0, float(lengths.min())), max(0.0, float(lengths.max()))
    span = (high - low) or 1.0
    low, high = low - (0.03 * span if low < 0 else 0), high + 0.03 * span
    ticks = _round_ticks(low, high)
    n = len(names)
    panel = _Panel(360, 20 * n + 10, left=22 + text_width(names, 9))
    panel.scale(ticks, _numbers(ticks), low, high, x=True, y=False)
    zero = -low / (high - low)
    for k, (name, length) in enumerate(zip(names, lengths, strict=True)):
        middle, half, end = 1 - (k + 0.5) / n, 0.35 / n, zero + float(length) / (high - low)
        panel.box(min(zero, end), middle - half, max(zero, end), middle + half, BLUE if length >= 0 else ORANGE)
        panel.beside_y(middle, name, 9)
    if low < 0:
        panel.rule(zero, 0, zero, 1, INK)
    importance = table.kind == "feature_importances"
    what = "importance" if importance else "coefficient"
    if len(values) > 1:
        what = f"mean absolute coefficient ({len(values):,} classes or outputs)"
    total = len(table)
    many = f"top {n} of {total:,} features by magnitude" if total > n else f"{total:,} features"
    return panel.png("Feature importances" if importance else "Coefficients", many, "", what, "")


class _Panel:
    """A canvas with one rectangle for data, whose coordinates run from 0 to 1, and the words around it."""

    def __init__(self, width: float, height: float, *, left: float = 64, bottom: float = 52) -> None:
        self.left, self.bottom, self.w, self.h = round(left), round(bottom), round(width), round(height)
        self.sheet = Canvas(max(self.left + self.w + 24, 400), self.bottom + self.h + 78)

    def x(self, share: Any) -> Any:
        return self.left + np.asarray(share) * self.w

    def y(self, share: Any) -> Any:
        return self.bottom + np.asarray(share) * self.h

    def rule(self, x0: float, y0: float, x1: float, y1: float, color: str) -> None:
        self.sheet.rule(float(self.x(x0)), float(self.y(y0)), float(self.x(x1)), float(self.y(y1)), color)

    def line(self, xs: Any, ys: Any, color: str, **style: Any) -> None:
        self.sheet.line(self.x(xs), self.y(ys), color, **style)

    def dots(self, xs: Any, ys: Any, color: str, **style: Any) -> None:
        self.sheet.dots(self.x(xs), self.y(ys), color, **style)

    def box(self, left: float, bottom: float, right: float, top: float, color: Sequence[float] | str) -> None:
        self.sheet.box(float(self.x(left)), float(self.y(bottom)), float(self.x(right)), float(self.y(top)), color)

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        self.sheet.text(float(self.x(x)), float(self.y(y)), words, **style)

    def frame(self) -> None:
        self.rule(0, 0, 0, 1, AXIS)
        self.rule(0, 0, 1, 0, AXIS)

    def beside_y(self, y: float, words: str, size: float) -> None:
        self.sheet.text(self.left - 7, float(self.y(y)), words, size=size, across=1.0)

    def below_x(self, x: float, words: str, size: float, *, upright: bool = False) -> None:
        where = float(self.x(x)), self.bottom - 7
        self.sheet.text(*where, words, size=size, across=0.5, up=1.0, upright=upright)

    def scale(
        self, ticks: Sequence[float], written: Sequence[str], low: float, high: float, *, x: bool, y: bool
    ) -> None:
        """Grid lines and numbers at ticks."""
        for tick, words in zip(ticks, written, strict=True):
            at = (tick - low) / (high - low)
            if x:
                self.rule(at, 0, at, 1, GRID)
                self.below_x(at, words, 9)
            if y:
                self.rule(0, at, 1, at, GRID)
                self.beside_y(at, words, 9)
        self.frame()

    def rates(self) -> None:
        """Both axes from 0 to 1."""
        fifths = [i / 5 for i in range(6)]
        self.scale(fifths, [f"{v:.1f}" for v in fifths], 0, 1, x=True, y=True)

    def png(self, title: str, subtitle: str, more: str, xlabel: str, ylabel: str) -> bytes:
        sheet = self.sheet
        lines = [subtitle, more] if more else [subtitle]
        at_once = f"{subtitle} · {more}" if more else subtitle
        if text_width([at_once], 8.5) <= sheet.width - 28:
            lines = [at_once]
        sheet.text(14, sheet.height - 12, title, size=11.5, bold=True, color=INK, up=1.0)
        for i, words in enumerate(lines):
            fitting = _short(words, int((sheet.width - 28) / 6.3))
            sheet.text(14, sheet.height - 36 - 15 * i, fitting, size=8.5, color=GREY, up=1.0)
        sheet.text(self.left + self.w / 2, 10, xlabel, color=INK, across=0.5, up=0.0)
        sheet.text(12, self.bottom + self.h / 2, ylabel, color=INK, upright=True)
        return sheet.png()


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


def _round_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, a few of them."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _numbers(ticks: Sequence[float]) -> list[str]:
    """Ticks with as many digits as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0
    largest = max(map(abs, ticks))
    if largest >= 1e7 or step < 1e-5:
        return [f"{tick:.3g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, decimals) != round(step, decimals + 1):  # steps of 2.5
        decimals += 1
    return [f"{tick + 0.0:,.{decimals}f}" for tick in ticks]


def _short(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
