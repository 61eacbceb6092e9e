"""What is found out beside a training report, as plain data: numbers, curves, tables and how to draw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fitbook import _validate
from fitbook.autolog.sklearn._metrics import MAX_POINTS, thin
from fitbook.autolog.sklearn._table import Table
from fitbook.entities import Metric


@dataclass(slots=True)
class Facts:
    """What a call, or a fitted estimator, tells about itself.

    Attributes
    ----------
    metrics : dict of str to float
    curves : dict of str to list of (int, float)
        Metrics with a value for each of several steps.
    params, tags : dict of str to str
    tables : dict of str to Table
        By file name.
    pictures : dict of str to callable
        By file name; each draws a PNG.
    notes : list of str
        What was thinned out or skipped, and why.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def curve(self, name: str, values: Any, steps: Any = None) -> None:
        """Add a curve of at most 1,000 points; a step is the position of the value unless given."""
        kept = thin(len(values))
        self.curves[name] = [(int(i if steps is None else steps[i]), float(values[i])) for i in kept]
        if len(kept) < len(values):
            self.notes.append(f"{name}: {MAX_POINTS:,} of {len(values):,} points are kept as metrics, all in the table")

    def points(self, timestamp: int) -> list[Metric]:
        """The points of all curves, as of one moment."""
        return [
            Metric(_validate.safe_key(name), value, timestamp, step)
            for name, points in self.curves.items()
            for step, value in points
        ]
