"""Reading runs: rows of several tables, put together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from fitbook.entities import Dataset, DatasetInput, Run, RunData, RunInfo, RunInputs, RunStatus
from fitbook.store import _tables as t
from fitbook.store._sql._leases import END_REASON_TAG, Ended, SqlLeases
from fitbook.store._sql._part import chunks, grouped, may_be_id, no_run, run_ids
from fitbook.store._sql._values import decode


class SqlReading(SqlLeases):
    """The part of the contract that reads runs by id, and what puts runs together from rows."""

    def get_run(self, run_id: str) -> Run:
        with self._read_runs() as (connection, dead):
            return self._load(connection, [_row(connection, run_id)], dead, inputs=True)[0]

    def get_run_info(self, run_id: str) -> RunInfo:
        with self._read_runs() as (connection, dead):
            row = _row(connection, run_id)
            return self._info(row, dead.get(row.id))

    def find_runs(self, id_prefix: str, limit: int = 10) -> list[str]:
        with self.database.read() as connection:
            return run_ids(connection, id_prefix, limit)

    def _load_numbers(self, connection: Connection, numbers: Sequence[int], dead: Mapping[int, Ended]) -> list[Run]:
        """Load runs by the numbers that they have inside, in their order."""
        found: dict[int, Row[Any]] = {}
        for chunk in chunks(numbers):
            found.update((row.id, row) for row in connection.execute(select_runs().where(t.runs.c.id.in_(chunk))))
        return self._load(connection, [found[number] for number in numbers], dead)

    def _load(
        self, connection: Connection, rows: Sequence[Row[Any]], dead: Mapping[int, Ended], *, inputs: bool = False
    ) -> list[Run]:
        numbers = [row.id for row in rows]
        params = grouped(connection, t.params, "run", numbers)
        tags = grouped(connection, t.tags, "run", numbers)
        metrics: dict[int, dict[str, float]] = defaultdict(dict)
        m = t.metrics.c
        for chunk in chunks(numbers):
            query = sa.select(m.run, m.key, m.value, m.special).where(m.run.in_(chunk))
            for run, key, value, special in connection.execute(query).all():
                metrics[run][key] = decode(value, special) if special else value
        datasets = _load_datasets(connection, numbers) if inputs else {}
        for number in dead.keys() & set(numbers):
            tags[number][END_REASON_TAG] = dead[number].reason
        return [
            Run(
                self._info(row, dead.get(row.id)),
                RunData(dict(metrics[row.id]), dict(params[row.id]), dict(tags[row.id])),
                RunInputs(tuple(datasets.get(row.id, ()))),
            )
            for row in rows
        ]

    def _info(self, row: Row[Any], ended: Ended | None = None) -> RunInfo:
        return RunInfo(
            run_id=row.run_id,
            experiment_id=str(row.experiment),
            run_name=row.name,
            user_id=row.user_id,
            status=row.status if ended is None else RunStatus.FAILED,
            start_time=row.start_time,
            end_time=row.end_time if ended is None else ended.end_time,
            lifecycle_stage=row.lifecycle_stage,
            artifact_uri=f"{self._location(row.experiment, row.artifact_location)}/{row.run_id}/artifacts",
            parent_run_id=row.parent_run_id,
        )


def _row(connection: Connection, run_id: str) -> Row[Any]:
    row = connection.execute(select_runs().where(t.runs.c.run_id == run_id)).first() if may_be_id(run_id) else None
    if row is None:
        raise no_run(connection, run_id)
    return row


def select_runs() -> sa.Select[Any]:
    """Ask for runs, with where their experiments keep files."""
    return sa.select(t.runs, t.experiments.c.artifact_location).join(
        t.experiments, t.runs.c.experiment == t.experiments.c.id
    )


def _load_datasets(connection: Connection, numbers: Sequence[int]) -> dict[int, list[DatasetInput]]:
    """Read the data sets that runs used."""
    found: dict[int, list[DatasetInput]] = defaultdict(list)
    used = t.run_datasets
    query = sa.select(used.c.run, used.c.tags, t.datasets).join(t.datasets, used.c.dataset == t.datasets.c.id)
    for row in connection.execute(query.where(used.c.run.in_(numbers)).order_by(used.c.dataset)):
        data = Dataset(row.name, row.digest, row.source_type, row.source, row.schema, row.profile)
        found[row.run].append(DatasetInput(data, json.loads(row.tags)))
    return found
