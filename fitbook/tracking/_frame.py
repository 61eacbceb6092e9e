"""Runs as a DataFrame with MLflow's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fitbook.entities import Run

if TYPE_CHECKING:
    import pandas as pd


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Give a table of runs: who, when and where, then a column for each metric, param and tag that any of them has."""
    import pandas as pd  # noqa: PLC0415

    infos = [run.info for run in runs]
    starts, ends = ([getattr(info, name) for info in infos] for name in ("start_time", "end_time"))
    columns: dict[str, Any] = {
        "run_id": [info.run_id for info in infos],
        "experiment_id": [info.experiment_id for info in infos],
        "status": [info.status for info in infos],
        "artifact_uri": [info.artifact_uri for info in infos],
        "start_time": pd.to_datetime(starts, unit="ms", utc=True, errors="coerce"),
        "end_time": pd.to_datetime(ends, unit="ms", utc=True, errors="coerce"),
    }
    columns |= _wide("metrics", [run.data.metrics for run in runs], float("nan"))
    columns |= _wide("params", [run.data.params for run in runs], None)
    columns |= _wide("tags", [run.data.tags for run in runs], None)
    return pd.DataFrame(columns)


def _wide(kind: str, rows: list[Mapping[str, Any]], missing: Any) -> dict[str, list[Any]]:
    # Column by column: a DataFrame made of rows takes ten times as long.
    keys = sorted(set().union(*rows))
    return {f"{kind}.{key}": [row.get(key, missing) for row in rows] for key in keys}
