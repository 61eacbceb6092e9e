"""A comparison as one HTML file: no script, nothing fetched, and every text of the users' escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from fitbook._best import smaller_is_better
from fitbook.tracking._backend import Backend
from fitbook.tracking._subject import Curve, Matrix, Subject, iteration_curves, recorded_files

_COLOURS = ("#1f6fb4", "#d9600a", "#2b8a3e", "#c2255c", "#7048e8", "#8c6d1f", "#0b8a8f", "#5c5f66")
_MAX_CLASSES = 30
_NO_SCORE = re.compile(r"^fitbook\.|(^|_)(std|n_iter)(_|$)")  # of which neither more nor less is better
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 360, 220, 48, 26

_NOTHING = '<p class="quiet">none</p>'

# Should an escape ever be missing, a browser still runs and fetches nothing.
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>fitbook: comparison</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; padding: 0 1em; color: #222 }
h1 { font-size: 1.4em } h2 { font-size: 1.1em; margin-top: 2em; border-bottom: 1px solid #ddd }
table { border-collapse: collapse; margin: .5em 0 }
td, th { padding: .2em .7em; border-bottom: 1px solid #eee; text-align: left; vertical-align: top }
td, th { unicode-bidi: isolate; overflow-wrap: break-word; max-width: 26em } .short { white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums } .best { font-weight: 600 } .wide { overflow-x: auto }
.beside { display: flex; flex-wrap: wrap; gap: 1.5em } figure { margin: 0 } figcaption { font-weight: 600 }
table.matrix td { text-align: right; border: 1px solid #fff } svg { display: block } .quiet { color: #777 }
</style></head><body>
"""


def report(
    backend: Backend,
    subjects: Sequence[Subject],
    params: Mapping[str, Sequence[str | None]],
    metrics: Mapping[str, Sequence[float | None]],
    significance: Sequence[Mapping[str, Any]],
) -> str:
    """Write a comparison.

    Parameters
    ----------
    backend : Backend
        Where curves and files of the runs are.
    subjects : sequence of Subject
        What is compared.
    params, metrics : mappings
        Values by key, one for each subject.
    significance : sequence of mapping
        As `Comparison.significance` gives it.
    """
    names = [subject.label for subject in subjects]
    curves: dict[str, dict[int, Curve]] = {}
    matrices: dict[str, dict[int, Matrix]] = {}
    for number, subject in enumerate(subjects):
        drawn, shown = recorded_files(backend, subject.run)
        for name, curve in {**iteration_curves(backend, subject.run), **drawn}.items():
            curves.setdefault(name, {})[number] = curve
        for name, matrix in shown.items():
            matrices.setdefault(name, {})[number] = matrix
    parts = [
        _HEAD,
        f"<h1>{' vs. '.join(map(escape, names))}</h1>",
        _runs(subjects),
        _section(
            "Params that differ", _table("param", names, [(key, _texts(values)) for key, values in params.items()])
        ),
        _section(
            "Metrics",
            _table("metric", names, [(key, _numbers(key, values)) for key, values in metrics.items()], "number"),
        ),
        _section("Significance over folds", _significance(significance)),
        _section("Curves", _beside(_chart(name, found, names) for name, found in sorted(curves.items()))),
        *(
            _section(name, _beside(_matrix(names[n], m) for n, m in found.items()))
            for name, found in sorted(matrices.items())
        ),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content or _NOTHING}"


def _beside(figures: Iterable[str]) -> str:
    content = "\n".join(figures)
    return f'<div class="beside">{content}</div>' if content else ""


def _runs(subjects: Sequence[Subject]) -> str:
    rows = []
    for number, subject in enumerate(subjects):
        info = subject.run.info
        mark = f'<span style="color:{_colour(number)}">&#9632;</span>'
        seconds = "" if info.end_time is None else f"{(info.end_time - info.start_time) / 1000:.1f} s"
        names = "".join(f"<td>{escape(cell)}</td>" for cell in (subject.label, info.run_name or ""))
        cells = (info.run_id, info.status, seconds, info.user_id or "")
        short = "".join(f'<td class="short">{escape(cell)}</td>' for cell in cells)
        rows.append(f"<tr><td>{mark}</td>{names}{short}</tr>")
    head = "<tr><th></th><th></th><th>name</th><th>run</th><th>status</th><th>took</th><th>user</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _table(head: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], column: str = "") -> str:
    if not rows:
        return ""
    top = f"<th>{escape(head)}</th>" + "".join(f'<th class="{column}">{escape(name)}</th>' for name in names)
    lines = "\n".join(f"<tr><td>{escape(key)}</td>{''.join(cells)}</tr>" for key, cells in rows)
    return f'<div class="wide"><table><tr>{top}</tr>\n{lines}</table></div>'


def _texts(values: Sequence[str | None]) -> list[str]:
    return [f"<td>{'&ndash;' if value is None else escape(value)}</td>" for value in values]


def _numbers(key: str, values: Sequence[float | None]) -> list[str]:
    known = [value for value in values if value is not None and not math.isnan(value)]
    ranked = len(set(known)) > 1 and not _NO_SCORE.search(key)
    best = None if not ranked else min(known) if smaller_is_better(key) else max(known)
    return [
        f'<td class="number{" best" if best is not None and value == best else ""}">'
        f"{'&ndash;' if value is None else f'{value:.6g}'}</td>"
        for value in values
    ]


def _significance(tests: Sequence[Mapping[str, Any]]) -> str:
    if not tests:
        return '<p class="quiet">None was scored in the same way on the same folds of the same data as the first.</p>'
    rows = [
        (f"{test['new']} − {test['old']}", [f'<td class="number">{escape(str(test["metric"]))}</td>', *_plain(test)])
        for test in tests
    ]
    table = _table("difference of", ["metric", "folds", "mean", "t", "p, two-sided"], rows, "number")
    return f'{table}<p class="quiet">Corrected resampled t-test (Nadeau and Bengio 2003).</p>'


def _plain(test: Mapping[str, Any]) -> list[str]:
    return [f'<td class="number">{test[name]:.4g}</td>' for name in ("folds", "difference", "t", "p")]


def _matrix(label: str, matrix: Matrix) -> str:
    caption = f"<figcaption>{escape(label)}</figcaption>"
    if len(matrix.labels) > _MAX_CLASSES:
        return f"<figure>{caption}{len(matrix.labels)} classes are too many to be shown</figure>"
    head = "".join(f"<th>{escape(name)}</th>" for name in matrix.labels)
    lines = []
    for name, row in zip(matrix.labels, matrix.rows, strict=True):
        total = sum(row) or 1.0
        shades = [0.7 * max(0.0, min(1.0, cell / total)) for cell in row]
        cells = "".join(
            f'<td style="background:rgba(31,111,180,{shade:.3f})">{cell:g}</td>'
            for cell, shade in zip(row, shades, strict=True)
        )
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    corner = '<th class="quiet">true \\ predicted</th>'
    return f'<figure>{caption}<table class="matrix"><tr>{corner}{head}</tr>{"".join(lines)}</table></figure>'


def _chart(name: str, found: Mapping[int, Curve], names: Sequence[str]) -> str:
    xs = [x for curve in found.values() for x, _ in curve.points] or [0.0]
    ys = [y for curve in found.values() for _, y in curve.points] or [0.0]
    low, high = min(ys), max(ys)
    first, last = min(xs), max(xs)
    lines = []
    for number, curve in found.items():
        places = " ".join(
            f"{_LEFT + _share(x, first, last) * (_WIDTH - _LEFT - 8):.1f},"
            f"{8 + (1 - _share(y, low, high)) * (_HEIGHT - _BOTTOM - 8):.1f}"
            for x, y in curve.points
        )
        line = f'fill="none" stroke="{_colour(number)}" stroke-width="1.6"'
        lines.append(f'<polyline {line} points="{places}"><title>{escape(names[number])}</title></polyline>')
    floor = _HEIGHT - _BOTTOM
    axes = f'<path d="M{_LEFT} 8V{floor}H{_WIDTH - 8}" fill="none" stroke="#999"/>'
    ticks = (
        f'<text x="{_LEFT - 4}" y="16" text-anchor="end">{high:.4g}</text>'
        f'<text x="{_LEFT - 4}" y="{floor}" text-anchor="end">{low:.4g}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 10}">{first:.4g}</text>'
        f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 10}" text-anchor="end">{last:.4g}</text>'
    )
    axis = next(iter(found.values())).x
    middle = f'<text x="{(_LEFT + _WIDTH) // 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(axis)}</text>'
    drawn = f"{axes}{ticks}{middle}{''.join(lines)}"
    svg = f'<svg width="{_WIDTH}" height="{_HEIGHT}" font-size="10" fill="#555">{drawn}</svg>'
    return f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>"


def _share(value: float, low: float, high: float) -> float:
    # Halves, because the distance of two floats may be none.
    return 0.5 if high <= low else (value / 2 - low / 2) / (high / 2 - low / 2)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
