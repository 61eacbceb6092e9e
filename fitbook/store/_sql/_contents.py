"""What runs hold: params, metrics, tags, data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook import _validate
from fitbook.entities import DatasetInput, Metric, MetricSummary, ParamChange
from fitbook.errors import InvalidValue, NotFound, ParamConflict
from fitbook.store import _tables as t
from fitbook.store._database import Database
from fitbook.store._sql._part import SqlPart, now_ms, update
from fitbook.store._sql._values import (
    dataset_row,
    decode,
    decode_bound,
    input_tags,
    param_rows,
    parent_of,
    point_row,
    summaries,
    tag_rows,
)

RUN_NAME_TAG = "mlflow.runName"
PARENT_RUN_ID_TAG = "mlflow.parentRunId"
POINT_COLUMNS = [column.name for column in t.metric_points.columns if column.name != "id"]


class SqlContents(SqlPart):
    """The part of the contract that is about what runs hold."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        p, tables = t.params.c, (t.params, t.metrics, t.tags)
        columns = {table: [column.name for column in table.columns] for table in tables}
        # The keys of one call and what stands between them: one statement, however many there are.
        known = sa.and_(p.run == sa.bindparam("of_run"), p.key.between(sa.bindparam("first"), sa.bindparam("last")))
        self._known_params = database.prepare(sa.select(p.key, p.value).where(known))
        m = t.metric_points.c
        mine = sa.and_(m.run == sa.bindparam("of_run"), m.key == sa.bindparam("of_key"))
        points = sa.select(m.value, m.special, m.timestamp, m.step).where(mine).order_by(m.id)
        later = points.add_columns(m.id).where(m.id > sa.bindparam("before")).limit(sa.literal_column("1"))
        self._all_points = database.prepare(points)
        self._count_points = database.prepare(sa.select(sa.func.count()).where(mine))
        self._later_point = database.prepare(later.offset(sa.bindparam("skipped", type_=sa.Integer)))
        self._insert_params = database.prepare(t.params.insert(), columns[t.params])
        self._insert_metrics = database.prepare(t.metrics.insert(), columns[t.metrics])
        self._insert_tags = database.prepare(t.tags.insert(), columns[t.tags])
        self._insert_points = database.prepare(t.metric_points.insert(), POINT_COLUMNS)
        self._upsert_metrics = database.prepare(_upsert_metric(database), columns[t.metrics])
        self._upsert_tags = database.prepare(database.upsert(t.tags), columns[t.tags])

    def log_metric(self, run_id: str, metric: Metric) -> None:
        with self.database.write() as connection:
            row = point_row(self._run(connection, run_id), metric)
            self._insert_points.run(connection, [row])
            self._upsert_metrics.run(connection, summaries([row]))

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        datasets: Iterable[DatasetInput] = (),
    ) -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            if params:
                self._write_params(connection, run_id, run, params)
            if tags:
                self._write_tags(connection, run, tags)
            if metrics:
                points = [point_row(run, metric) for metric in metrics]
                self._insert_points.run(connection, points)
                self._upsert_metrics.run(connection, summaries(points))
            for dataset in datasets:
                self._write_dataset(connection, run, dataset)

    def correct_param(self, run_id: str, key: str, value: str, *, user_id: str, reason: str = "") -> None:
        user_id = _validate.text("user id", user_id, _validate.MAX_NAME)
        who = {"user_id": user_id, "reason": _validate.text("reason", reason)}
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            [row] = param_rows(run, {key: value})
            p = t.params.c
            change = {"new_value": row["value"], "timestamp": now_ms(), **who}
            noted = [sa.literal(value, t.param_changes.c[name].type) for name, value in change.items()]
            old = sa.select(p.run, p.key, p.value, *noted).where(p.run == run, p.key == key, p.value != row["value"])
            columns = ["run", "key", "old_value", *change]
            insert = t.param_changes.insert().from_select(columns, old).execution_options(preserve_rowcount=True)
            if connection.execute(insert).rowcount:
                connection.execute(self.database.upsert(t.params), row)
                return
            known = connection.scalars(sa.select(p.key).where(p.run == run)).all()
            if key not in known:
                raise NotFound(f"parameter of run {run_id}", key, known)

    def get_param_history(self, run_id: str, key: str | None = None) -> list[ParamChange]:
        c = t.param_changes.c
        with self.database.read() as connection:
            run = self._run(connection, run_id, active=False)
            query = sa.select(c.key, c.old_value, c.new_value, c.timestamp, c.user_id, c.reason).where(c.run == run)
            query = query if key is None else query.where(c.key == _validate.asked("parameter key", key))
            return [ParamChange(*row) for row in connection.execute(query.order_by(c.id))]

    def set_tag_once(self, run_id: str, key: str, value: str) -> str:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            found = connection.scalar(sa.select(t.tags.c.value).where(t.tags.c.run == run, t.tags.c.key == key))
            if found is not None:
                return str(found)
            self._write_tags(connection, run, {key: value})
        return value

    def delete_tag(self, run_id: str, key: str) -> None:
        key = _validate.asked("tag key", key)
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            gone = connection.execute(t.tags.delete().where(t.tags.c.run == run, t.tags.c.key == key))
            if gone.rowcount == 0:
                known = connection.scalars(sa.select(t.tags.c.key).where(t.tags.c.run == run)).all()
                raise NotFound(f"tag of run {run_id}", key, known)
            if key == PARENT_RUN_ID_TAG:
                update(connection, t.runs, run, parent_run_id=None)

    def get_metric_history(self, run_id: str, key: str, max_points: int | None = None) -> list[Metric]:
        if max_points is not None and (type(max_points) is not int or max_points < 2):
            raise InvalidValue(f"max_points is {max_points!r}; give a whole number of at least 2, or None for all.")
        with self.database.read() as connection:
            of = {"of_run": self._run(connection, run_id, active=False), "of_key": _validate.asked("metric key", key)}
            total = 0 if max_points is None else self._count_points.all(connection, of)[0][0]
            if max_points is None or total <= max_points:
                rows = self._all_points.all(connection, of)
            else:
                rows = list(self._some_points(connection, of, total, max_points))
        return [Metric(key, decode(value, special), moment, step) for value, special, moment, step in rows]

    def _some_points(
        self, connection: Connection, of: Mapping[str, Any], total: int, wanted: int
    ) -> Iterator[Sequence[Any]]:
        """Read as many points as wanted, from the first to the last at even distances: each is one walk down an index."""
        before, passed = 0, -1
        for place in ((total - 1) * i // (wanted - 1) for i in range(wanted)):
            values = {**of, "before": before, "skipped": place - passed - 1}
            [(*row, before)] = self._later_point.all(connection, values)
            passed = place
            yield row

    def get_metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        m = t.metrics.c
        with self.database.read() as connection:
            run = self._run(connection, run_id, active=False)
            rows = connection.execute(sa.select(t.metrics).where(m.run == run).order_by(m.key)).all()
        return {
            row.key: MetricSummary(
                Metric(row.key, decode(row.value, row.special), row.timestamp, row.step),
                decode_bound(row.lowest),
                decode_bound(row.highest),
            )
            for row in rows
        }

    def _write_params(self, connection: Connection, run_id: str, run: int, params: Mapping[str, str]) -> None:
        rows = param_rows(run, params)
        span = {"first": min(params), "last": max(params)}
        known: dict[str, str] = dict(self._known_params.all(connection, {"of_run": run, **span}))  # type: ignore[arg-type]
        for row in rows:
            if known.get(row["key"], row["value"]) != row["value"]:
                raise ParamConflict(run_id, row["key"], known[row["key"]], row["value"])
        if fresh := [row for row in rows if row["key"] not in known]:
            self._insert_params.run(connection, fresh)

    def _write_tags(self, connection: Connection, run: int, tags: Mapping[str, str], **also: Any) -> None:
        """Write tags, and what they and the caller change in the run's own row."""
        if RUN_NAME_TAG in tags:
            also["name"] = _validate.name("run", str(tags[RUN_NAME_TAG]))
        self._upsert_tags.run(connection, tag_rows(run, tags))
        if PARENT_RUN_ID_TAG in tags:
            also["parent_run_id"] = parent_of(tags)
        if also:
            update(connection, t.runs, run, **also)

    def _write_dataset(self, connection: Connection, run: int, used: DatasetInput) -> None:
        d, data = t.datasets.c, used.dataset
        experiment = connection.scalars(sa.select(t.runs.c.experiment).where(t.runs.c.id == run)).one()
        same = sa.and_(d.experiment == experiment, d.name == data.name, d.digest == data.digest)
        number = connection.scalar(sa.select(d.id).where(same))
        if number is None:
            inserted = connection.execute(t.datasets.insert(), dataset_row(experiment, data))
            number = inserted.inserted_primary_key[0]  # type: ignore[index]
        row = {"run": run, "dataset": number, "tags": input_tags(dict(used.tags))}
        connection.execute(self.database.upsert(t.run_datasets), row)


def _upsert_metric(database: Database) -> Any:
    old, fresh = t.metrics.c, database.excluded(t.metrics)
    bounds = {
        "lowest": sa.case((sa.or_(old.lowest.is_(None), fresh.lowest < old.lowest), fresh.lowest), else_=old.lowest),
        "highest": sa.case(
            (sa.or_(old.highest.is_(None), fresh.highest > old.highest), fresh.highest), else_=old.highest
        ),
    }
    return database.upsert(t.metrics, newer=("step", "timestamp"), merged=bounds)
