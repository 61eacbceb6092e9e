"""What users give, as rows of tables: checked, and numbers in the way that every database holds and sorts them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fitbook import _validate
from fitbook.entities import Metric

MAX_DOUBLE = 1.7976931348623157e308
NAN, PLUS_INFINITY, MINUS_INFINITY, MINUS_ZERO = 1, 2, 3, 4


def param_rows(run: int, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the rows of parameters."""
    return [
        {"run": run, "key": _validate.key("parameter", key), "value": text(value), "number": as_number(str(value))}
        for key, value in params.items()
    ]


def tag_rows(run: int, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the rows of tags."""
    return [{"run": run, "key": _validate.key("tag", key), "value": text(value)} for key, value in tags.items()]


def point_row(run: int, metric: Metric) -> dict[str, Any]:
    """Make the row of one point of a metric."""
    value, special = encode(_validate.metric_value(metric.key, metric.value))
    return {
        "run": run,
        "key": _validate.key("metric", metric.key),
        "value": value,
        "special": special,
        "step": _validate.step(metric.step),
        "timestamp": _validate.timestamp(metric.timestamp),
    }


def summaries(points: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each metric the point of the highest step, then timestamp, then the last written; with the metric's bounds."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for point in points:
        place = (point["run"], point["key"])
        number = None if point["special"] == NAN else point["value"]
        old = found.get(place)
        if old is None:
            found[place] = {**point, "lowest": number, "highest": number}
            continue
        if number is not None:
            lowest, highest = old["lowest"], old["highest"]
            old["lowest"] = number if lowest is None else min(lowest, number)
            old["highest"] = number if highest is None else max(highest, number)
        if (point["step"], point["timestamp"]) >= (old["step"], old["timestamp"]):
            old.update(point)
    return list(found.values())


def parent_of(tags: Mapping[str, object]) -> str | None:
    """The id of the parent run that tags name, if it looks like one."""
    parent = str(tags.get("mlflow.parentRunId") or "")
    return parent if 0 < len(parent) <= 32 and parent.isascii() else None


def text(value: object) -> str:
    """Turn a value into text that every database can hold; what is not valid Unicode is escaped, not lost."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def as_number(value: str) -> float | None:
    """The number that a parameter reads as, for comparing; None for text, NaN and what has no finite value."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def encode(value: float) -> tuple[float, int]:
    """Split a number into what every database holds and sorts, and what else it is."""
    if math.isfinite(value):
        return (0.0, MINUS_ZERO) if value == 0 and math.copysign(1.0, value) < 0 else (value, 0)
    if math.isnan(value):
        return 0.0, NAN
    return (MAX_DOUBLE, PLUS_INFINITY) if value > 0 else (-MAX_DOUBLE, MINUS_INFINITY)


def decode(value: float, special: int) -> float:
    """Undo `encode`."""
    return (value, math.nan, math.inf, -math.inf, -0.0)[special]


def decode_bound(value: float | None) -> float | None:
    """Read the lowest or highest value of a metric, of which an infinity is kept as the largest float."""
    return value if value is None or abs(value) < MAX_DOUBLE else math.copysign(math.inf, value)
