"""Charts of plain numbers: curves with their spread, and how one value stands among many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._canvas import text_width
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.autolog.sklearn._panel import BLUE, ORANGE, Panel, numbers, rates, round_ticks, short

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

_COLORS = (BLUE, ORANGE, "#3a8f5c", "#8a5fb0", "#8a6d3b", "#4aa3a3")
_MAX_DOTTED = 60
_MAX_NAMED = 12
_BINS = 24

# A curve: its values, and how far each of them spreads (None if that is not known).
Curve = tuple[Any, Any]


def curves(title: str, subtitle: str, xlabel: str, ylabel: str, xs: Sequence[Any], lines: Mapping[str, Curve]) -> bytes:
    """Curves over common positions, each with its spread as bars and its name above; the first six of them.

    Parameters
    ----------
    title, subtitle, xlabel, ylabel : str
    xs : sequence of float or of str
        Positions; texts stand at equal distances.
    lines : mapping of str to (values, spreads)
        By name. What is not finite is left out.
    """
    named = any(isinstance(x, str) for x in xs)
    at: NDArray[Any] = np.arange(len(xs)) if named else np.asarray(xs, dtype=np.float64)
    drawn = {name: _arrays(curve) for name, curve in list(lines.items())[: len(_COLORS)]}
    low, high = _range([end for values, spreads in drawn.values() for end in (values - spreads, values + spreads)])
    left, right = _range([at])
    if len(at) == 1:
        left, right = at[0] - 0.5, at[0] + 0.5
    ticks = round_ticks(low, high)
    panel = Panel(420, 300, left=42 + text_width(numbers(ticks), 9))
    panel.scale(ticks, numbers(ticks), low, high, x=False, y=True)
    if named:
        every = -(-len(xs) // _MAX_NAMED)
        for i in range(0, len(xs), every):
            panel.below_x((i - left) / (right - left), short(str(xs[i]), 60 // min(len(xs), _MAX_NAMED) + 3), 9)
    else:
        across = round_ticks(left, right)
        if (at == at.round()).all():  # folds and rows are counted
            across = [tick for tick in across if tick == round(tick)] or [float(at[0])]
        panel.scale(across, numbers(across), left, right, x=True, y=False)
    beside = 0.0
    for color, (name, (values, spreads)) in zip(_COLORS, drawn.items(), strict=False):
        known = np.isfinite(values) & np.isfinite(at)
        x, y = (at[known] - left) / (right - left), (values[known] - low) / (high - low)
        for middle, height, spread in zip(x, y, spreads[known] / (high - low), strict=True):
            if spread > 0:
                panel.rule(middle, height - spread, middle, height + spread, color)
        if len(x) > 1:
            panel.line(x, y, color, width=1.8)
        if len(x) <= _MAX_DOTTED:
            panel.dots(x, y, color, size=5, alpha=0.95)
        panel.sheet.text(panel.left + beside, panel.bottom + panel.h + 12, short(name, 30), color=color)
        beside += text_width([short(name, 30)], 9) + 16
    more = "" if len(lines) <= len(drawn) else f"{len(drawn)} of {len(lines)} curves"
    return panel.png(title, subtitle, more, xlabel, ylabel)


def among(title: str, subtitle: str, xlabel: str, many: Sequence[float], one: float, name: str) -> bytes:
    """How one value stands among many: their frequencies, and a line where it is."""
    values = np.asarray(many, dtype=np.float64)
    values = values[np.isfinite(values)]
    low, high = _range([values, np.asarray([one])])
    counts, edges = np.histogram(values, bins=_BINS, range=(low, high))
    top = 1.05 * max(1, int(counts.max()))
    ticks, upward = round_ticks(low, high), [t for t in round_ticks(0, top) if t == int(t)]
    panel = Panel(420, 300)
    panel.scale(upward, numbers(upward), 0, top, x=False, y=True)
    panel.scale(ticks, numbers(ticks), low, high, x=True, y=False)
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        panel.box((start - low) / (high - low), 0, (end - low) / (high - low) - 0.004, count / top, BLUE)
    if np.isfinite(one):
        where = (one - low) / (high - low)
        panel.line([where, where], [0, 1], ORANGE, width=2)
    panel.sheet.text(panel.left, panel.bottom + panel.h + 12, name, color=ORANGE)
    return panel.png(title, subtitle, "", xlabel, "how often")


def reliability(title: str, subtitle: str, given: Sequence[float], found: Sequence[float]) -> bytes:
    """How often what was predicted with a probability came true, and the line where both agree."""
    panel = rates(diagonal=True)
    if len(given) > 1:
        panel.line(given, found, BLUE, width=2)
    panel.dots(given, found, BLUE, size=5, alpha=0.95)
    return panel.png(title, subtitle, "", "predicted probability", "share that came true")


def _arrays(curve: Curve) -> tuple[NDArray[Any], NDArray[Any]]:
    values = np.asarray(curve[0], dtype=np.float64)
    spreads = np.zeros(len(values)) if curve[1] is None else np.asarray(curve[1], dtype=np.float64)
    return values, np.where(np.isfinite(spreads), spreads, 0.0)


def _range(parts: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """From the least to the largest of the finite values, and a little beyond."""
    finite = np.concatenate([part[np.isfinite(part)] for part in parts]) if parts else np.zeros(0)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    pad = 0.04 * (high - low) or max(abs(high) * 0.1, 1e-12)
    return low - pad, high + pad
