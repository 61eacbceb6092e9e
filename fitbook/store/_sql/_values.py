"""What users give, as rows of tables: checked, and numbers in the way that every database holds and sorts them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from fitbook import _validate
from fitbook.entities import Dataset, Metric

MAX_DOUBLE = 1.7976931348623157e308
NAN, PLUS_INFINITY, MINUS_INFINITY, MINUS_ZERO = 1, 2, 3, 4


def param_rows(run: int, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the rows of parameters."""
    texts = _checked("parameter", params).items()
    return [{"run": run, "key": key, "value": value, "number": as_number(value)} for key, value in texts]


def tag_rows(owner: int, tags: Mapping[str, str], *, column: str = "run") -> list[dict[str, Any]]:
    """Make the rows of tags of a run, or of an experiment."""
    return [{column: owner, "key": key, "value": value} for key, value in _checked("tag", tags).items()]


def _checked(kind: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {_validate.key(kind, key): _validate.text(f"{kind} {key!r}", value) for key, value in texts.items()}


def dataset_row(experiment: int, data: Dataset) -> dict[str, Any]:
    """Make the row of a data set."""
    row: dict[str, Any] = {"experiment": experiment}
    for name, most in (("name", _validate.MAX_NAME), ("digest", 64), ("source_type", 36), ("source", None)):
        row[name] = _validate.text(f"{name} of the data set", getattr(data, name), most)
    for name in ("schema", "profile"):
        value = getattr(data, name)
        row[name] = None if value is None else _validate.text(f"{name} of the data set", value)
    return row


def input_tags(tags: Mapping[str, str]) -> str:
    """Write what is noted of a run's use of a data set."""
    # Checked one by one: JSON could write what PostgreSQL then can't read.
    return _validate.text("tags of the data set", json.dumps(_checked("tag", tags)))


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
