"""A few columns of plain data, and how they are written down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : dict of str to sequence
        Header to values; the values are Python scalars (numpy ones are unpacked on construction).
    kind : str
        What the table holds, e.g. ``"roc_curve"``; the name under which it is filed.
    """

    columns: Mapping[str, Any]
    kind: str = ""

    def __post_init__(self) -> None:
        plain = {str(name): _plain(values) for name, values in self.columns.items()}
        object.__setattr__(self, "columns", plain)
        if len({len(values) for values in plain.values()}) > 1:
            raise ValueError(f"columns of unequal length: { {k: len(v) for k, v in plain.items()} }")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def to_csv(self) -> str:
        """Text with a header line; floats are written so that they read back exactly, NaN as ``nan``."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*self.columns.values(), strict=True))
        return out.getvalue()

    def to_json(self) -> str:
        """MLflow's table layout, ``{"columns": [...], "data": [[...], ...]}``; NaN and infinities as Python's json."""
        rows = list(zip(*self.columns.values(), strict=True))
        return json.dumps({"columns": list(self.columns), "data": rows}, default=str)


def _plain(values: Sequence[Any]) -> list[Any]:
    if hasattr(values, "tolist"):
        return list(values.tolist())
    return [v.item() if hasattr(v, "item") and getattr(v, "shape", None) == () else v for v in values]
