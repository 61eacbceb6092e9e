"""A comparison, as text and as plain data."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from fitbook.cli._output import NOTHING, duration, number, printable, table
from fitbook.entities import Run
from fitbook.tracking._compare import Comparison

# A metric with one of these words in its name is better when it is lower; scikit-learn's `neg_…` scorers undo that.
_LOWER = {
    "loss",
    "error",
    "err",
    "mse",
    "rmse",
    "mae",
    "mape",
    "msle",
    "rmsle",
    "deviance",
    "time",
    "duration",
    "seconds",
}
_LOWER |= {"inertia", "std", "brier"}


def compared_as_dict(compared: Comparison, names: Sequence[str], *, everything: bool) -> dict[str, Any]:
    """A comparison for JSON, each side under its name."""
    params, metrics = compared.params(everything=everything), compared.metrics()
    return {
        "runs": list(names),
        "params": {key: dict(zip(names, values, strict=True)) for key, values in params.items()},
        "metrics": {key: dict(zip(names, values, strict=True)) for key, values in metrics.items()},
        "best": {key: [names[n] for n in _best(key, values)] for key, values in metrics.items()},
    }


def compared_as_text(compared: Comparison, *, everything: bool) -> str:
    """A comparison for people."""
    runs = [subject.run for subject in compared.subjects]
    heads = [subject.label for subject in compared.subjects]
    rows = [["name", *(run.info.run_name for run in runs)], ["status", *(run.info.status for run in runs)]]
    rows += [["duration", *(lasted(run) for run in runs)]]
    parts = [table(["run", *heads], rows)]
    kind = "Params" if everything else "Params that differ"
    params = compared.params(everything=everything).items()
    cells = [[key, *(NOTHING if v is None else v for v in values)] for key, values in params]
    parts.append(f"{kind}\n{table(['param', *heads], cells)}" if cells else f"{kind}: none")
    cells = []
    for key, values in compared.metrics().items():
        best = _best(key, values)
        marked = [(NOTHING if v is None else number(v)) + (" *" if n in best else "") for n, v in enumerate(values)]
        cells.append([key, *marked])
    shown = table(["metric", *heads], cells, whole=range(1, len(heads) + 1)) if cells else ""
    parts.append(f"Metrics (* best)\n{shown}" if cells else "Metrics: none")
    for test in compared.significance():
        chance = "can't be told" if math.isnan(test["p"]) else f"p = {test['p']:.3g}"
        said = f"{test['new']} - {test['old']}: {test['metric']} over {test['folds']} folds differs by "
        parts.append(printable(f"{said}{test['difference']:+.4g} on average, {chance} (corrected resampled t-test)"))
    return "\n\n".join(parts)


def lasted(run: Run) -> str:
    """How long a run took."""
    return duration(None if run.info.end_time is None else run.info.end_time - run.info.start_time)


def _best(key: str, values: Sequence[float | None]) -> list[int]:
    """Places of the best value; none when fewer than two runs have numbers, or all have the same."""
    known = [value for value in values if value is not None and value == value]
    if len(set(known)) < 2:
        return []
    words = set(re.split(r"[\W_]+", key.lower()))
    best = min(known) if words & _LOWER and "neg" not in words else max(known)
    return [place for place, value in enumerate(values) if value == best]
