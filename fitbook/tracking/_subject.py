"""One side of a comparison: its run, and the curves and confusion matrices that were recorded with it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fitbook.entities import Run
from fitbook.errors import FitbookError
from fitbook.tracking._backend import Backend

_MAX_POINTS = 400
_MAX_BYTES = 2_000_000
_MAX_CURVES = 40
# The kinds of files that are shown, by their names: ``training_roc_curve.csv``, ``roc_curve_X_test.json``.
_KIND = re.compile(r"\w*?(confusion_matrix|roc_curve|precision_recall_curve)[\w-]*\.(csv|json)")
# Which columns are x and y, and how they are named in the axes.
_AXES = {"roc_curve": ("fpr", "tpr"), "precision_recall_curve": ("recall", "precision")}
# In which order scikit-learn returns them.
_RETURNED = {"roc_curve": ("fpr", "tpr"), "precision_recall_curve": ("precision", "recall")}

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A run that is compared, under its label."""

    label: str
    run: Run


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix: counts, or weights, by true and then by predicted class."""

    labels: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points, and what the axes are."""

    x: str
    y: str
    points: Points


def iteration_curves(backend: Backend, run: Run) -> dict[str, Curve]:
    """Metrics that have several points, by step."""
    found: dict[str, Curve] = {}
    for key, summary in sorted(backend.store.get_metric_summaries(run.info.run_id).items()):
        if (summary.latest.step > 0 or summary.min != summary.max) and len(found) < _MAX_CURVES:
            history = backend.store.get_metric_history(run.info.run_id, key, _MAX_POINTS)
            points = _finite((float(point.step), point.value) for point in history)
            if len(points) > 1:
                found[key] = Curve("step", key, sorted(points))
    return found


def recorded_files(backend: Backend, run: Run) -> tuple[dict[str, Curve], dict[str, Matrix]]:
    """Curves and confusion matrices among the run's files, by name; what can't be read as one is passed over."""
    curves: dict[str, Curve] = {}
    matrices: dict[str, Matrix] = {}
    try:
        files = backend.artifacts(run.info.run_id)
        listed = files.list()
    except FitbookError:  # the files of a run may be elsewhere, or gone; the rest can be compared
        return curves, matrices
    for file in listed:
        kind = _KIND.fullmatch(file.path)
        if kind is None or file.is_dir or (file.file_size or 0) > _MAX_BYTES:
            continue
        name = file.path.rpartition(".")[0]
        try:
            text = files.read(file.path).decode()
            if kind[1] == "confusion_matrix":
                matrices[name] = _READERS[kind[2]](text)
            else:
                curves[name] = _curve(text, kind[1], kind[2])
        except (FitbookError, ValueError, KeyError, TypeError, IndexError, csv.Error, RecursionError):
            continue
    return curves, matrices


def _curve(text: str, kind: str, ending: str) -> Curve:
    x, y = _AXES[kind]
    if ending == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        columns = {name: [float(row[name]) for row in rows] for name in (x, y)}
    else:
        returned = json.loads(text)
        columns = {
            name: [float(value) for value in values] for name, values in zip(_RETURNED[kind], returned, strict=False)
        }
    points = _finite(zip(columns[x], columns[y], strict=True))
    if len(points) < 2:
        raise ValueError("no curve")
    step = -(-len(points) // _MAX_POINTS)
    return Curve(x, y, [*points[:-1:step], *points[-1:]])


def _matrix_of_csv(text: str) -> Matrix:
    cells = {(row["true"], row["predicted"]): float(row["count"]) for row in csv.DictReader(io.StringIO(text))}
    labels = tuple(dict.fromkeys(label for pair in cells for label in pair))
    return _matrix(labels, [[cells[true, predicted] for predicted in labels] for true in labels])


def _matrix_of_json(text: str) -> Matrix:
    rows = [[float(cell) for cell in row] for row in json.loads(text)]
    return _matrix([str(number) for number in range(len(rows))], rows)


_READERS: dict[str, Callable[[str], Matrix]] = {"csv": _matrix_of_csv, "json": _matrix_of_json}


def _matrix(labels: Sequence[str], rows: Sequence[Sequence[float]]) -> Matrix:
    if not rows or any(len(row) != len(labels) or not all(map(math.isfinite, row)) for row in rows):
        raise ValueError("not a square of numbers")
    return Matrix(tuple(labels), tuple(map(tuple, rows)))


def _finite(points: Iterator[tuple[float, float]] | Any) -> Points:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
