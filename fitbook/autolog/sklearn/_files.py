"""The tables, pictures and the diagram that go with a record: written and drawn when no fit is going on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from fitbook.autolog._record import RunRecord
from fitbook.autolog.sklearn import _describe
from fitbook.autolog.sklearn._table import Table

Paint = Callable[[], bytes]


def write_files(record: RunRecord, tables: Mapping[str, Table], pictures: Mapping[str, Paint], outline: Any) -> None:
    """Leave the files of a record to the background.

    Parameters
    ----------
    record : RunRecord
    tables : mapping of str to Table
        By path, to be written as CSV.
    pictures : mapping of str to callable
        By path, each drawn as PNG if the user wants figures.
    outline : object
        As `_diagram.outline` has made it of the estimator; for ``estimator.html``.
    """

    def write_data() -> None:
        texts = {path: table.to_csv() for path, table in tables.items()}
        texts["estimator.html"] = _describe.html(outline)
        record.run.writable.put_all({path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()})

    drawn: dict[str, bytes] = {}

    def draw(path: str, paint: Paint) -> None:
        drawn[path] = paint()

    record.later("writing tables and diagram", write_data)
    if record.config.log_plots and pictures:
        for path, paint in pictures.items():  # each for itself: a fit that begins waits for no more than one
            record.at_leisure(f"drawing {path}", functools.partial(draw, path, paint))
        record.at_leisure("keeping what was drawn", lambda: record.run.artifacts.put_all(drawn))
