"""A sheet of pixels to draw pictures on: smooth lines, dots, boxes and literal text, with numpy and Pillow.

Measured: matplotlib's figure and axes take 40 to 100 ms for a plot of 20 bars, its bare renderer still 25, nearly all
of it for text, and importing either takes 0.4 s of every process. This takes 3 ms and 0.03 s. It reads no style
settings, keeps no state but loaded fonts, never warns about a character, and never asks ``pyplot`` or LaTeX.
"""

from __future__ import annotations

import copy
import functools
import struct
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = Lazy("numpy")

DPI = 100
_FINER = 4  # lines are drawn this many times larger and averaged, which smoothes their edges
_CAP, _DEPTH = 0.73, 0.22  # heights of capitals and depth of descenders, in font sizes


class Canvas:
    """A white sheet; positions are pixels from its lower left corner, sizes of text and lines are points.

    Parameters
    ----------
    width, height : int
        Pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._pixels = np.full((height, width, 3), 255, dtype=np.uint8)

    def copy(self) -> Canvas:
        """Another sheet with the same pixels."""
        other = copy.copy(self)
        other._pixels = self._pixels.copy()
        return other

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, *, width: float, dashed: bool = False) -> None:
        """Join points; ``dashed`` is for a straight line of two."""
        from PIL import Image, ImageDraw  # noqa: PLC0415

        points = np.column_stack([xs, np.subtract(self.height, ys)]).astype(np.float64)
        corner = np.floor(points.min(axis=0)).astype(int) - 4
        size = np.ceil(points.max(axis=0)).astype(int) + 4 - corner
        mask = Image.new("L", tuple((size * _FINER).tolist()))
        points = (points - corner) * _FINER
        pen = ImageDraw.Draw(mask)
        thick = max(1, round(width * DPI / 72 * _FINER))
        if dashed:
            dashes = max(1, int(np.hypot(*(points[1] - points[0])) / (10 * _FINER)))
            starts = points[0] + np.linspace(0, 1, dashes, endpoint=False)[:, None] * (points[1] - points[0])
            for start in starts:
                end = start + 0.55 / dashes * (points[1] - points[0])
                pen.line([*start.tolist(), *end.tolist()], fill=255, width=thick)
        else:
            pen.line(points.ravel().tolist(), fill=255, width=thick)
            for x, y in _corners(points, thick).tolist():  # ends of segments are cut square, which leaves notches
                pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
        self._blend(np.asarray(mask.reduce(_FINER)), int(corner[0]), int(corner[1]), color)

    def rule(self, x0: float, y0: float, x1: float, y1: float, color: str) -> None:
        """A horizontal or vertical line, one pixel wide."""
        left, bottom = round(min(x0, x1)), round(min(y0, y1))
        self.box(left, bottom, max(round(max(x0, x1)), left + 1), max(round(max(y0, y1)), bottom + 1), color)

    def dots(self, xs: Sequence[float], ys: Sequence[float], color: str, *, size: float, alpha: float) -> None:
        """Round marks of a diameter in points; where they overlap they darken. Those at the sheet's edge are left out."""
        radius = size / 2 * DPI / 72
        reach = int(np.ceil(radius + 1))
        centre = np.column_stack([xs, np.subtract(self.height, ys)]).astype(np.float64)
        whole: Any = np.floor(centre).astype(int)
        clear = np.zeros((self.height, self.width))  # logarithm of what shines through
        inside = (whole >= reach).all(axis=1) & (whole < (self.width - reach, self.height - reach)).all(axis=1)
        whole, centre = whole[inside], centre[inside]
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                at = whole + (dx, dy)
                away = np.hypot(*(at + 0.5 - centre).T)
                cover = np.clip(radius + 0.5 - away, 0, 1) * alpha
                np.add.at(clear, tuple(at[:, ::-1].T), np.log1p(-cover))
        self._blend(((1 - np.exp(clear)) * 255).astype(np.uint8), 0, 0, color)

    def box(self, left: float, bottom: float, right: float, top: float, color: Sequence[float] | str) -> None:
        """Fill a rectangle of whole pixels."""
        rows = slice(max(0, self.height - round(top)), max(0, self.height - round(bottom)))
        self._pixels[rows, max(0, round(left)) : max(0, round(right))] = _rgb(color)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 9,
        color: str = "#222222",
        bold: bool = False,
        across: float = 0.0,
        up: float = 0.5,
        upright: bool = False,
    ) -> None:
        """Write one line.

        Parameters
        ----------
        x, y : float
            The anchor.
        words : str
            Taken literally; a character that the font lacks becomes a box.
        across, up : float
            Where in the text the anchor is: 0 at its left end or bottom, 1 at its right end or top.
        upright : bool
            Written from bottom to top.
        """
        ink, rise, depth, pad = _written(words, size, bold)
        width = ink.shape[1]
        below = depth * (1 - 2 * up) if up < 0.5 else 0.0  # from the anchor's line to the baseline
        if upright:
            ink = np.rot90(ink)
            left = x - across * (rise + depth) - pad
            top = self.height - y - (1 - up) * width
        else:
            left = x - across * width
            top = self.height - y - below - rise * (1 - up) - pad
        self._blend(ink, round(left), round(top), color)

    def png(self) -> bytes:
        """The sheet as a PNG file: https://www.w3.org/TR/png-3/.

        Pillow's writer tries five filters on each row, which takes three times as long and saves nothing on plots.
        """
        rows = np.zeros((self.height, 1 + 3 * self.width), dtype=np.uint8)  # each begins with its filter: none
        rows[:, 1:] = self._pixels.reshape(self.height, -1)
        per_metre = round(DPI / 0.0254)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            [
                _chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)),  # 8 bits, RGB
                _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
                _chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)),
                _chunk(b"IEND", b""),
            ]
        )

    def _blend(self, mask: NDArray[np.uint8], left: int, top: int, color: str) -> None:
        """Lay a colour over the sheet, as opaque as the mask says; what lies outside is cut off."""
        y0, x0 = max(0, -top), max(0, -left)
        y1, x1 = min(mask.shape[0], self.height - top), min(mask.shape[1], self.width - left)
        if y1 <= y0 or x1 <= x0:
            return
        cut = mask[y0:y1, x0:x1]
        inked = np.nonzero(cut)  # few of a line's pixels
        opaque = cut[inked][:, None].astype(np.float32) / 255
        sheet = self._pixels[top + y0 : top + y1, left + x0 : left + x1]
        under = sheet[inked].astype(np.float32)
        sheet[inked] = np.rint(under + (np.asarray(_rgb(color), dtype=np.float32) - under) * opaque)


def _corners(points: NDArray[Any], reach: float) -> NDArray[Any]:
    """Points at which long enough segments meet at an angle that shows."""
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    before, after = steps[:-1], steps[1:]
    long = np.minimum(lengths[:-1], lengths[1:]) > reach / 4
    bend = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 0.3 * lengths[:-1] * lengths[1:]
    corners: NDArray[Any] = points[1:-1][long & bend]
    return corners


def text_width(words: Sequence[str], size: float) -> float:
    """Pixels that the longest of some texts takes."""
    font = _font(size, False)
    return max((float(font.getlength(w)) for w in words), default=0.0)


@functools.lru_cache(maxsize=512)  # numbers beside axes and titles are the same in many pictures
def _written(words: str, size: float, bold: bool) -> tuple[NDArray[np.uint8], int, int, int]:
    """The ink of a line, the heights of its capitals and descenders, and the room above and below, in pixels."""
    from PIL import Image, ImageDraw  # noqa: PLC0415

    font, em = _font(size, bold), size * DPI / 72
    width = int(font.getlength(words)) + 1
    rise, depth = round(em * _CAP), round(em * _DEPTH)
    pad = round(em * 0.3)  # accents and brackets stick out
    mask = Image.new("L", (width, rise + depth + 2 * pad))
    ImageDraw.Draw(mask).text((0, pad + rise), words, fill=255, font=font, anchor="ls")
    return np.asarray(mask), rise, depth, pad


@functools.lru_cache(maxsize=32)
def _font(size: float, bold: bool) -> Any:
    from PIL import ImageFont  # noqa: PLC0415

    home = find_spec("matplotlib")  # only its font is used; finding does not import it
    folder = Path((home and home.submodule_search_locations or [""])[0], "mpl-data", "fonts", "ttf")
    pixels = size * DPI / 72
    try:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        return ImageFont.truetype(str(folder / name), pixels, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return ImageFont.load_default(pixels)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def _rgb(color: Sequence[float] | str) -> tuple[int, ...]:
    """Bytes of ``"#rrggbb"`` or of three shares of one."""
    if isinstance(color, str):
        return tuple(bytes.fromhex(color[1:]))
    return tuple(round(share * 255) for share in color)
