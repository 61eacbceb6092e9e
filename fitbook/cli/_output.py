"""Text for people and JSON for programs. Standard library and click only.

On a terminal a table is made to fit: its widest columns are cut first, then columns are left out from the right, and a
line says so. Into a pipe or file it goes whole.
"""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import Any

import click

GAP = "  "
NARROWEST = 6
SHORTEST_HEADER = 14
NOTHING = "-"


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    keep: int = 1,
) -> str:
    """Lay out a table.

    Parameters
    ----------
    headers : sequence of str
        One for each column.
    rows : sequence of sequences of str
        The cells; what a terminal would act on rather than show is escaped.
    right : sequence of int
        The columns to be aligned at their right.
    whole : sequence of int
        The columns whose cells are never cut, only their headers; these at the front, where metrics' names are alike.
    keep : int
        How many columns, from the left, are never left out.
    """
    lines = [[printable(cell) for cell in row] for row in [headers, *rows]]
    widths = [max(width(line[column]) for line in lines) for column in range(len(headers))]
    limit = terminal_columns()
    floors = [max([SHORTEST_HEADER, *(width(line[n]) for line in lines[1:])]) for n in range(len(headers))]
    floors = [floor if n in whole else NARROWEST for n, floor in enumerate(floors)]
    shown = len(widths) if limit is None else _fit(widths, floors, limit, keep)
    text = "\n".join(
        GAP.join(_cell(line[n], widths[n], n in right, n in whole) for n in range(shown)).rstrip() for line in lines
    )
    if shown < len(widths):
        left_out = ", ".join(line for line in lines[0][shown:])
        text += f"\n(no room for: {left_out}; a wider terminal, a pipe or --json shows all)"
    return text


def terminal_columns() -> int | None:
    """How wide the terminal is; None if the output goes elsewhere."""
    return get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None


def _fit(widths: list[int], floors: Sequence[int], limit: int, keep: int) -> int:
    """Cut ``widths`` in place, the widest first, until they fit; returns how many of them are shown."""
    shown = len(widths)
    least = [min(pair) for pair in zip(widths, floors, strict=True)]
    while shown > keep and _total(least[:shown]) > limit:
        shown -= 1
    for _ in range(max(0, _total(widths[:shown]) - limit)):
        spare = [n for n in range(shown) if widths[n] > least[n]]
        if spare:
            widths[max(spare, key=lambda n: widths[n])] -= 1
    return shown


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _cell(text: str, room: int, right: bool, front: bool) -> str:
    text = clipped(text, room, front=front)
    padding = " " * (room - width(text))
    return padding + text if right else text + padding


def width(text: str) -> int:
    """How many terminal columns a text takes: two for wide characters, none for combining marks."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def clipped(text: str, room: int, *, front: bool = False) -> str:
    """Cut a text to at most ``room`` terminal columns, at its end or front, and put an ellipsis there."""
    if width(text) <= room:
        return text
    kept, used = 0, 0
    for character in reversed(text) if front else text:
        used += _columns(character)
        if used > room - 1:
            break
        kept += 1
    return "…" + text[len(text) - kept :] if front else text[:kept] + "…"


def printable(text: str) -> str:
    """Escape control characters: a run's name must not be able to move the cursor or colour the screen."""
    if text.isprintable():
        return text
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") else repr(c)[1:-1] for c in text)


def number(value: float) -> str:
    """A metric's value, in at most six significant digits."""
    return f"{value:.6g}"


def moment(milliseconds: int | None) -> str:
    """A time in the local time zone, to the second."""
    if milliseconds is None:
        return NOTHING
    try:
        return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"


def duration(milliseconds: int | None) -> str:
    """A span of time in the unit that suits it."""
    if milliseconds is None:
        return NOTHING
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = seconds / 60, seconds / 3600
    return f"{minutes:.1f} min" if minutes < 60 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def size(count: int | None) -> str:
    """A number of bytes in the unit that suits it."""
    if count is None:
        return NOTHING
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" or value >= 99.5 else f"{value:.1f} {units[0]}"


def emit_json(value: Any) -> None:
    """Print a value as JSON; what JSON lacks becomes text: ``"NaN"``, ``"Infinity"``, ``"-Infinity"``."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=not readable, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
