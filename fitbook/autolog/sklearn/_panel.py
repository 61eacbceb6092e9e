"""A rectangle for data with scales and words around it, drawn on a canvas: what every picture begins with."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._canvas import Canvas, text_width
from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

BLUE, ORANGE, INK, GREY, AXIS, GRID = "#2f6fb0", "#c8601f", "#222222", "#595959", "#8a8a8a", "#e4e4e4"


class Panel:
    """A canvas with one rectangle for data, whose coordinates run from 0 to 1, and the words around it."""

    def __init__(self, width: float, height: float, *, left: float = 64, bottom: float = 52) -> None:
        self.left, self.bottom, self.w, self.h = round(left), round(bottom), round(width), round(height)
        self.sheet = Canvas(max(self.left + self.w + 24, 400), self.bottom + self.h + 78)

    def x(self, share: Any) -> Any:
        """Pixels across of a share of the width."""
        return self.left + np.asarray(share) * self.w

    def y(self, share: Any) -> Any:
        """Pixels up of a share of the height."""
        return self.bottom + np.asarray(share) * self.h

    def rule(self, x0: float, y0: float, x1: float, y1: float, color: str) -> None:
        """A horizontal or vertical line, one pixel wide."""
        self.sheet.rule(float(self.x(x0)), float(self.y(y0)), float(self.x(x1)), float(self.y(y1)), color)

    def line(self, xs: Any, ys: Any, color: str, **style: Any) -> None:
        """Join points."""
        self.sheet.line(self.x(xs), self.y(ys), color, **style)

    def dots(self, xs: Any, ys: Any, color: str, **style: Any) -> None:
        """Round marks."""
        self.sheet.dots(self.x(xs), self.y(ys), color, **style)

    def box(self, left: float, bottom: float, right: float, top: float, color: Sequence[float] | str) -> None:
        """Fill a rectangle."""
        self.sheet.box(float(self.x(left)), float(self.y(bottom)), float(self.x(right)), float(self.y(top)), color)

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        """Write one line."""
        self.sheet.text(float(self.x(x)), float(self.y(y)), words, **style)

    def frame(self) -> None:
        """Both axes."""
        self.rule(0, 0, 0, 1, AXIS)
        self.rule(0, 0, 1, 0, AXIS)

    def beside_y(self, y: float, words: str, size: float) -> None:
        """Write left of the vertical axis."""
        self.sheet.text(self.left - 7, float(self.y(y)), words, size=size, across=1.0)

    def below_x(self, x: float, words: str, size: float, *, upright: bool = False) -> None:
        """Write below the horizontal axis."""
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

    def copy(self) -> Panel:
        """Another with what is drawn on this one."""
        other = copy.copy(self)
        other.sheet = self.sheet.copy()
        return other

    def png(self, title: str, subtitle: str, more: str, xlabel: str, ylabel: str) -> bytes:
        """The picture with its title, up to two lines beneath it, and the names of the axes."""
        sheet = self.sheet
        lines = [words for words in (subtitle, more) if words]
        at_once = " · ".join(lines)
        if text_width([at_once], 8.5) <= sheet.width - 28:
            lines = [at_once]
        sheet.text(14, sheet.height - 12, title, size=11.5, bold=True, color=INK, up=1.0)
        for i, words in enumerate(lines):
            fitting = short(words, int((sheet.width - 28) / 6.3))
            sheet.text(14, sheet.height - 36 - 15 * i, fitting, size=8.5, color=GREY, up=1.0)
        sheet.text(self.left + self.w / 2, 10, xlabel, color=INK, across=0.5, up=0.0)
        sheet.text(12, self.bottom + self.h / 2, ylabel, color=INK, upright=True)
        return sheet.png()


def rates(*, diagonal: bool) -> Panel:
    """A panel with both axes from 0 to 1, and the line where they agree if wanted."""
    return _rates(diagonal).copy()


@functools.cache  # it is half the work of such a picture
def _rates(diagonal: bool) -> Panel:
    panel, fifths = Panel(420, 320), [i / 5 for i in range(6)]
    panel.scale(fifths, [f"{v:.1f}" for v in fifths], 0, 1, x=True, y=True)
    if diagonal:
        panel.line([0, 1], [0, 1], AXIS, width=1, dashed=True)
    return panel


def round_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, a few of them."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def numbers(ticks: Sequence[float]) -> list[str]:
    """Ticks with as many digits as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0
    largest = max(map(abs, ticks))
    if largest >= 1e7 or step < 1e-5:
        return [f"{tick:.3g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, decimals) != round(step, decimals + 1):  # steps of 2.5
        decimals += 1
    return [f"{tick + 0.0:,.{decimals}f}" for tick in ticks]


def short(text: str, limit: int) -> str:
    """A text on one line, cut to at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
