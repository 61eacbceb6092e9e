"""`SqlStore`: the store contract on any database that SQLAlchemy reaches."""

from __future__ import annotations

import json
import math
import time
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from fitbook import _validate
from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    LoggedModel,
    Metric,
    PagedList,
    Run,
    RunData,
    RunDraft,
    RunInfo,
    RunInputs,
    RunStatus,
    ViewType,
)
from fitbook.errors import AlreadyExists, InvalidValue, NotFound, ParamConflict, WrongState
from fitbook.store import _filter, _filter_sql
from fitbook.store import _tables as t
from fitbook.store._base import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME, Store
from fitbook.store._database import Database

T = TypeVar("T")

_UNDER_ROOT = _filter_sql.UNDER_ROOT
RUN_NAME_TAG = "mlflow.runName"
_CHUNK = 500
_MODEL_COLUMNS = [column.name for column in t.logged_models.columns if column.name not in ("id", "run")]
_MAX_DOUBLE = 1.7976931348623157e308


class SqlStore(Store):
    """Experiments and runs in SQL tables.

    Parameters
    ----------
    database : Database
        Holds the tables.
    artifact_root : str
        Path or URI under which experiments without a location of their own keep their files. Locations under it are
        stored relative to it, so that a tracking directory can be moved.
    """

    def __init__(self, database: Database, artifact_root: str) -> None:
        self.database = database
        self._artifact_root = artifact_root.rstrip("/")
        fresh = database.excluded(t.metrics)
        newer = sa.tuple_(fresh.step, fresh.timestamp) >= sa.tuple_(t.metrics.c.step, t.metrics.c.timestamp)
        self._upsert_metric = database.upsert(t.metrics, newer=newer)
        columns = [c.name for c in t.metrics.columns]
        self._quick_run = database.prepare(
            sa.select(t.runs.c.id, t.runs.c.lifecycle_stage).where(t.runs.c.run_id == sa.bindparam("run_id"))
        )
        self._quick_point = database.prepare(t.metric_points.insert(), columns)
        self._quick_metric = database.prepare(self._upsert_metric, columns)
        database.fill = weakref.WeakMethod(self._ensure_default_experiment)
        self._ensure_default_experiment()

    # -- experiments -------------------------------------------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        name = _validate.name("experiment", name)
        rows = [{"key": _validate.key("tag", k), "value": _text(v)} for k, v in (tags or {}).items()]
        artifact_location = self._relative(artifact_location or "")
        try:
            with self.database.write() as connection:
                number = _insert_experiment(connection, name, artifact_location)
                if rows:
                    connection.execute(t.experiment_tags.insert(), [{"experiment": number, **row} for row in rows])
        except IntegrityError:
            stage = self.get_experiment_by_name(name)
            deleted = stage is not None and stage.lifecycle_stage == LifecycleStage.DELETED
            hint = "It is deleted: restore it, or choose another name." if deleted else "Choose another name."
            raise AlreadyExists("experiment", name, hint) from None
        return str(number)

    def get_experiment(self, experiment_id: str) -> Experiment:
        with self.database.read() as connection:
            number = self._experiment(connection, experiment_id, active=False).id
            return self._experiments(connection, t.experiments.c.id == number)[0]

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        with self.database.read() as connection:
            found = self._experiments(connection, t.experiments.c.name == name)
        return found[0] if found else None

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        query = sa.select(t.experiments).where(
            t.experiments.c.lifecycle_stage.in_(LifecycleStage.of_view(view_type)),
            *_conditions(filter_string, _filter.EXPERIMENTS),
        )
        orders = _filter.parse_order(order_by, _filter.EXPERIMENTS)
        query = _filter_sql.order(query, orders, _filter.EXPERIMENTS)
        if not orders:
            query = query.order_by(t.experiments.c.creation_time.desc(), t.experiments.c.id.desc())
        offset, limit = _page(page_token, max_results)
        with self.database.read() as connection:
            rows = connection.execute(query.offset(offset).limit(limit + 1)).all()
            found = self._experiments(connection, t.experiments.c.id.in_([row.id for row in rows]))
        by_id = {e.experiment_id: e for e in found}
        return _paged([by_id[str(row.id)] for row in rows], offset, limit)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        new_name = _validate.name("experiment", new_name)
        try:
            with self.database.write() as connection:
                row = self._experiment(connection, experiment_id)
                _update(connection, t.experiments, row.id, name=new_name, last_update_time=_now())
        except IntegrityError:
            raise AlreadyExists("experiment", new_name, "Choose another name.") from None

    def delete_experiment(self, experiment_id: str) -> None:
        self._set_experiment_stage(experiment_id, LifecycleStage.ACTIVE, LifecycleStage.DELETED)

    def restore_experiment(self, experiment_id: str) -> None:
        self._set_experiment_stage(experiment_id, LifecycleStage.DELETED, LifecycleStage.ACTIVE)

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        key = _validate.key("tag", key)
        with self.database.write() as connection:
            row = self._experiment(connection, experiment_id)
            connection.execute(
                self.database.upsert(t.experiment_tags), {"experiment": row.id, "key": key, "value": _text(value)}
            )
            _update(connection, t.experiments, row.id, last_update_time=_now())

    # -- runs --------------------------------------------------------------------------------------------------------

    def create_runs(self, drafts: Sequence[RunDraft]) -> None:
        if not drafts:
            return
        try:
            with self.database.write() as connection:
                for experiment_id in {draft.experiment_id for draft in drafts}:
                    self._experiment(connection, experiment_id)
                connection.execute(t.runs.insert(), [_run_row(draft) for draft in drafts])
                _insert_contents(connection, drafts)
        except IntegrityError:
            with self.database.read() as connection:
                taken = _numbers(connection, [draft.run_id for draft in drafts])
            raise AlreadyExists("run", next(iter(taken), drafts[0].run_id)) from None

    def get_run(self, run_id: str) -> Run:
        with self.database.read() as connection:
            rows = connection.execute(_select_runs().where(t.runs.c.run_id == run_id)).all()
            if not rows:
                raise _no_run(connection, run_id)
            return self._load(connection, rows, inputs=True)[0]

    def find_runs(self, id_prefix: str, limit: int = 10) -> list[str]:
        with self.database.read() as connection:
            return _run_ids(connection, id_prefix, limit)

    def update_run(
        self, run_id: str, *, status: str | None = None, end_time: int | None = None, run_name: str | None = None
    ) -> None:
        if status is not None:
            _validate.one_of("run status", status, RunStatus.ALL)
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            values: dict[str, Any] = {}
            if status is not None:
                values["status"] = status
            if end_time is not None:
                values["end_time"] = int(end_time)
            if run_name is not None:
                self._write_tags(connection, run, {RUN_NAME_TAG: run_name})
            if values:
                _update(connection, t.runs, run, **values)

    def delete_run(self, run_id: str) -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id, active=False)
            _update(connection, t.runs, run, lifecycle_stage=LifecycleStage.DELETED, deleted_time=_now())

    def restore_run(self, run_id: str) -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id, active=False)
            _update(connection, t.runs, run, lifecycle_stage=LifecycleStage.ACTIVE, deleted_time=None)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        query = _select_runs().where(
            t.runs.c.experiment.in_([_number("experiment", e) for e in experiment_ids]),
            t.runs.c.lifecycle_stage.in_(LifecycleStage.of_view(run_view_type)),
            *_conditions(filter_string, _filter.RUNS, self._artifact_root),
        )
        orders = _filter.parse_order(order_by, _filter.RUNS)
        query = _filter_sql.order(query, orders, _filter.RUNS, artifact_root=self._artifact_root)
        if not orders:
            query = query.order_by(t.runs.c.start_time.desc(), t.runs.c.id.desc())
        offset, limit = _page(page_token, max_results)
        with self.database.read() as connection:
            rows = connection.execute(query.offset(offset).limit(limit + 1)).all()
            more = len(rows) > limit
            found = self._load(connection, rows[:limit])
        return PagedList(found, f"{offset + limit}" if more else None)

    # -- what runs hold ----------------------------------------------------------------------------------------------

    def log_metric(self, run_id: str, metric: Metric) -> None:
        with self.database.write() as connection:
            found: Any = self._quick_run.run(connection, {"run_id": run_id}).first()
            if found is None or found[1] != LifecycleStage.ACTIVE:
                self._run(connection, run_id)  # which says what is wrong
            row = _point_row(found[0], metric)
            self._quick_point.run(connection, row)
            self._quick_metric.run(connection, row)

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
                points = [_point_row(run, metric) for metric in metrics]
                connection.execute(t.metric_points.insert(), points)
                connection.execute(self._upsert_metric, _latest(points))
            for dataset in datasets:
                self._write_dataset(connection, run, dataset)

    def set_tag_once(self, run_id: str, key: str, value: str) -> str:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            found = connection.scalar(sa.select(t.tags.c.value).where(t.tags.c.run == run, t.tags.c.key == key))
            if found is not None:
                return str(found)
            self._write_tags(connection, run, {key: value})
        return value

    def delete_tag(self, run_id: str, key: str) -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            gone = connection.execute(t.tags.delete().where(t.tags.c.run == run, t.tags.c.key == key))
            if gone.rowcount == 0:
                known = connection.scalars(sa.select(t.tags.c.key).where(t.tags.c.run == run)).all()
                raise NotFound(f"tag of run {run_id}", key, known)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        p = t.metric_points.c
        with self.database.read() as connection:
            run = self._run(connection, run_id, active=False)
            query = sa.select(p.value, p.special, p.timestamp, p.step).where(p.run == run, p.key == key).order_by(p.id)
            return [Metric(key, _decode(r[0], r[1]), r[2], r[3]) for r in connection.execute(query)]

    # -- models of runs ----------------------------------------------------------------------------------------------

    def record_model(self, model: LoggedModel) -> None:
        with self.database.write() as connection:
            run = self._run(connection, model.run_id)
            row = {name: getattr(model, name) for name in _MODEL_COLUMNS}
            try:
                connection.execute(t.logged_models.insert(), {"run": run, **row})
            except IntegrityError:
                raise AlreadyExists("model", model.model_id) from None

    def get_logged_model(self, model_id: str) -> LoggedModel:
        found = self._logged_models(t.logged_models.c.model_id == model_id)
        if not found:
            raise NotFound("model", model_id, hint="`fitbook models list` shows the registered ones.")
        return found[0]

    def list_logged_models(self, run_id: str) -> list[LoggedModel]:
        return self._logged_models(t.runs.c.run_id == run_id)

    def latest_logged_model(self, artifact_path: str) -> LoggedModel | None:
        m = t.logged_models.c
        newest = (
            sa.select(sa.func.max(m.id))
            .join(t.runs, m.run == t.runs.c.id)
            .where(m.artifact_path == artifact_path, t.runs.c.lifecycle_stage == LifecycleStage.ACTIVE)
        )
        found = self._logged_models(m.id == newest.scalar_subquery())
        return found[0] if found else None

    def generation(self) -> int:
        return self.database.generation()

    def close(self) -> None:
        self.database.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _ensure_default_experiment(self) -> None:
        if self.get_experiment_by_name(DEFAULT_EXPERIMENT_NAME) is not None:
            return
        with self.database.read() as connection:
            if connection.scalar(sa.select(sa.func.count()).select_from(t.experiments)):
                return
        with self.database.write() as connection:
            if not connection.scalar(sa.select(sa.func.count()).select_from(t.experiments)):
                _insert_experiment(connection, DEFAULT_EXPERIMENT_NAME, None, number=int(DEFAULT_EXPERIMENT_ID))

    def _experiment(self, connection: Connection, experiment_id: str, *, active: bool = True) -> Row[Any]:
        number = _number("experiment", experiment_id)
        row = connection.execute(sa.select(t.experiments).where(t.experiments.c.id == number)).first()
        if row is None:
            names = connection.scalars(sa.select(t.experiments.c.id).limit(20)).all()
            raise NotFound("experiment with id", experiment_id, [str(name) for name in names])
        if active and row.lifecycle_stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The experiment {row.name!r} (id {row.id}) is deleted; restore it first.")
        return row

    def _experiments(self, connection: Connection, condition: sa.ColumnElement[bool]) -> list[Experiment]:
        rows = connection.execute(sa.select(t.experiments).where(condition)).all()
        tags = _grouped(connection, t.experiment_tags, "experiment", [row.id for row in rows])
        return [
            Experiment(
                experiment_id=str(row.id),
                name=row.name,
                artifact_location=self._location(row.id, row.artifact_location),
                lifecycle_stage=row.lifecycle_stage,
                tags=dict(tags[row.id]),
                creation_time=row.creation_time,
                last_update_time=row.last_update_time,
            )
            for row in rows
        ]

    def _location(self, number: int, stored: str) -> str:
        if stored.startswith(_UNDER_ROOT):
            return f"{self._artifact_root}/{stored.removeprefix(_UNDER_ROOT)}"
        return stored or f"{self._artifact_root}/{number}"

    def _relative(self, location: str) -> str:
        location, start = location.rstrip("/"), f"{self._artifact_root}/"
        return _UNDER_ROOT + location.removeprefix(start) if location.startswith(start) else location

    def _set_experiment_stage(self, experiment_id: str, before: str, after: str) -> None:
        with self.database.write() as connection:
            row = self._experiment(connection, experiment_id, active=False)
            if row.lifecycle_stage != before:
                raise WrongState(f"The experiment {row.name!r} (id {row.id}) is {row.lifecycle_stage} already.")
            last = connection.scalar(sa.select(sa.func.max(t.runs.c.deleted_time)).where(t.runs.c.experiment == row.id))
            now = max(_now(), (last or 0) + 1)
            _update(connection, t.experiments, row.id, lifecycle_stage=after, last_update_time=now)
            # Runs that the user had deleted one by one before stay deleted when the experiment comes back.
            gone_with_it = t.runs.c.deleted_time == row.last_update_time
            connection.execute(
                t.runs.update()
                .where(t.runs.c.experiment == row.id, t.runs.c.lifecycle_stage == before)
                .where(sa.true() if after == LifecycleStage.DELETED else gone_with_it)
                .values(lifecycle_stage=after, deleted_time=now if after == LifecycleStage.DELETED else None)
            )

    def _run(self, connection: Connection, run_id: str, *, active: bool = True) -> int:
        query = sa.select(t.runs.c.id, t.runs.c.lifecycle_stage).where(t.runs.c.run_id == run_id)
        row = connection.execute(query).first()
        if row is None:
            raise _no_run(connection, run_id)
        if active and row.lifecycle_stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The run {run_id} is deleted and can't be changed; restore it first.")
        return int(row.id)

    def _write_params(self, connection: Connection, run_id: str, run: int, params: Mapping[str, str]) -> None:
        rows = _param_rows(run, params)
        known: dict[str, str] = {}
        for chunk in _chunks([row["key"] for row in rows]):
            query = sa.select(t.params.c.key, t.params.c.value).where(t.params.c.run == run, t.params.c.key.in_(chunk))
            known.update((row.key, row.value) for row in connection.execute(query))
        for row in rows:
            if known.get(row["key"], row["value"]) != row["value"]:
                raise ParamConflict(run_id, row["key"], known[row["key"]], row["value"])
        if fresh := [row for row in rows if row["key"] not in known]:
            connection.execute(t.params.insert(), fresh)

    def _write_tags(self, connection: Connection, run: int, tags: Mapping[str, str]) -> None:
        connection.execute(self.database.upsert(t.tags), _tag_rows(run, tags))
        if RUN_NAME_TAG in tags:
            _update(connection, t.runs, run, name=_validate.name("run", str(tags[RUN_NAME_TAG])))

    def _write_dataset(self, connection: Connection, run: int, used: DatasetInput) -> None:
        d, data = t.datasets.c, used.dataset
        experiment = connection.scalar(sa.select(t.runs.c.experiment).where(t.runs.c.id == run))
        same = sa.and_(d.experiment == experiment, d.name == data.name, d.digest == data.digest)
        number = connection.scalar(sa.select(d.id).where(same))
        if number is None:
            values = {k: getattr(data, k) for k in ("name", "digest", "source_type", "source", "schema", "profile")}
            inserted = connection.execute(t.datasets.insert(), {"experiment": experiment, **values})
            number = inserted.inserted_primary_key[0]  # type: ignore[index]
        row = {"run": run, "dataset": number, "tags": json.dumps(dict(used.tags))}
        connection.execute(self.database.upsert(t.run_datasets), row)

    def _load(self, connection: Connection, rows: Sequence[Row[Any]], *, inputs: bool = False) -> list[Run]:
        numbers = [row.id for row in rows]
        params = _grouped(connection, t.params, "run", numbers)
        tags = _grouped(connection, t.tags, "run", numbers)
        metrics: dict[int, dict[str, float]] = defaultdict(dict)
        m = t.metrics.c
        for chunk in _chunks(numbers):
            query = sa.select(m.run, m.key, m.value, m.special).where(m.run.in_(chunk))
            for run, key, value, special in connection.execute(query):
                metrics[run][key] = _decode(value, special) if special else value
        datasets = _load_datasets(connection, numbers) if inputs else {}
        return [
            Run(
                self._info(row),
                RunData(dict(metrics[row.id]), dict(params[row.id]), dict(tags[row.id])),
                RunInputs(tuple(datasets.get(row.id, ()))),
            )
            for row in rows
        ]

    def _info(self, row: Row[Any]) -> RunInfo:
        return RunInfo(
            run_id=row.run_id,
            experiment_id=str(row.experiment),
            run_name=row.name,
            user_id=row.user_id,
            status=row.status,
            start_time=row.start_time,
            end_time=row.end_time,
            lifecycle_stage=row.lifecycle_stage,
            artifact_uri=f"{self._location(row.experiment, row.artifact_location)}/{row.run_id}/artifacts",
        )

    def _logged_models(self, condition: sa.ColumnElement[bool]) -> list[LoggedModel]:
        m = t.logged_models
        query = sa.select(m, t.runs.c.run_id.label("run_id")).join(t.runs, m.c.run == t.runs.c.id)
        with self.database.read() as connection:
            return [
                LoggedModel(
                    row.model_id,
                    row.run_id,
                    row.artifact_path,
                    row.flavor,
                    row.sha256,
                    row.size_bytes,
                    row.creation_timestamp,
                )
                for row in connection.execute(query.where(condition).order_by(m.c.id))
            ]


def _now() -> int:
    return time.time_ns() // 1_000_000


def _insert_experiment(connection: Connection, name: str, location: str | None, number: int | None = None) -> int:
    now = _now()
    row: dict[str, Any] = {
        "name": name,
        "artifact_location": (location or "").rstrip("/"),
        "lifecycle_stage": LifecycleStage.ACTIVE,
        "creation_time": now,
        "last_update_time": now,
    }
    if number is not None:
        row["id"] = number
    return int(connection.execute(t.experiments.insert(), row).inserted_primary_key[0])  # type: ignore[index]


def _update(connection: Connection, table: sa.Table, number: int, **values: Any) -> None:
    connection.execute(table.update().where(table.c.id == number).values(**values))


def _number(kind: str, text: object) -> int:
    if isinstance(text, int) or (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19):
        return int(text)
    raise NotFound(f"{kind} with id", text, hint="Ids of experiments are numbers; names go to get_experiment_by_name.")


def _run_ids(connection: Connection, prefix: str, limit: int) -> list[str]:
    matches = t.runs.c.run_id.between(prefix, prefix + "~")
    return list(connection.scalars(sa.select(t.runs.c.run_id).where(matches).limit(limit)))


def _no_run(connection: Connection, run_id: object) -> NotFound:
    known = _run_ids(connection, run_id[:4], 50) if isinstance(run_id, str) and run_id else []
    return NotFound("run", run_id, known, hint="" if known else "`fitbook runs list` shows what there is.")


def _numbers(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in _chunks(run_ids):
        query = sa.select(t.runs.c.run_id, t.runs.c.id).where(t.runs.c.run_id.in_(chunk))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def _run_row(draft: RunDraft) -> dict[str, Any]:
    return {
        "run_id": draft.run_id,
        "experiment": _number("experiment", draft.experiment_id),
        "name": _validate.name("run", draft.run_name),
        "user_id": draft.user_id,
        "status": _validate.one_of("run status", draft.status, RunStatus.ALL),
        "lifecycle_stage": LifecycleStage.ACTIVE,
        "start_time": draft.start_time,
        "end_time": draft.end_time,
    }


def _insert_contents(connection: Connection, drafts: Sequence[RunDraft]) -> None:
    rows: dict[sa.Table, list[dict[str, Any]]] = {t.params: [], t.tags: [], t.metrics: [], t.metric_points: []}
    numbers = _numbers(connection, [draft.run_id for draft in drafts])
    for draft in drafts:
        run = numbers[draft.run_id]
        points = [_point_row(run, metric) for metric in draft.metrics]
        rows[t.params] += _param_rows(run, draft.params)
        rows[t.tags] += _tag_rows(run, {**draft.tags, RUN_NAME_TAG: draft.run_name})
        rows[t.metrics] += _latest(points)
        rows[t.metric_points] += points
    for table, content in rows.items():
        if content:
            connection.execute(table.insert(), content)


def _param_rows(run: int, params: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"run": run, "key": _validate.key("parameter", key), "value": _text(value), "number": _as_number(str(value))}
        for key, value in params.items()
    ]


def _as_number(value: str) -> float | None:
    """The number that a parameter reads as, for comparing; None for text, NaN and what has no finite value."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _tag_rows(run: int, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"run": run, "key": _validate.key("tag", key), "value": _text(value)} for key, value in tags.items()]


def _text(value: object) -> str:
    """Turn a value into text that every database can hold; what is not valid Unicode is escaped, not lost."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _point_row(run: int, metric: Metric) -> dict[str, Any]:
    value, special = _encode(_validate.metric_value(metric.key, metric.value))
    return {
        "run": run,
        "key": _validate.key("metric", metric.key),
        "value": value,
        "special": special,
        "step": _validate.step(metric.step),
        "timestamp": _validate.timestamp(metric.timestamp),
    }


def _latest(points: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each metric the point of the highest step, then timestamp, then the last written."""
    latest: dict[tuple[int, str], dict[str, Any]] = {}
    for point in points:
        place = (point["run"], point["key"])
        old = latest.get(place)
        if old is None or (point["step"], point["timestamp"]) >= (old["step"], old["timestamp"]):
            latest[place] = point
    return list(latest.values())


def _encode(value: float) -> tuple[float, int]:
    if math.isfinite(value):
        return (value, 0) if value or math.copysign(1.0, value) > 0 else (0.0, 4)
    if math.isnan(value):
        return 0.0, 1
    return (_MAX_DOUBLE, 2) if value > 0 else (-_MAX_DOUBLE, 3)


def _decode(value: float, special: int) -> float:
    return (value, math.nan, math.inf, -math.inf, -0.0)[special]


def _select_runs() -> sa.Select[Any]:
    return sa.select(t.runs, t.experiments.c.artifact_location).join(
        t.experiments, t.runs.c.experiment == t.experiments.c.id
    )


def _grouped(connection: Connection, table: sa.Table, owner: str, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    column = table.c[owner]
    for chunk in _chunks(numbers):
        for number, key, value in connection.execute(
            sa.select(column, table.c.key, table.c.value).where(column.in_(chunk))
        ):
            found[number][key] = value
    return found


def _load_datasets(connection: Connection, numbers: Sequence[int]) -> dict[int, list[DatasetInput]]:
    found: dict[int, list[DatasetInput]] = defaultdict(list)
    used = t.run_datasets
    query = sa.select(used.c.run, used.c.tags, t.datasets).join(t.datasets, used.c.dataset == t.datasets.c.id)
    for row in connection.execute(query.where(used.c.run.in_(numbers)).order_by(used.c.dataset)):
        data = Dataset(row.name, row.digest, row.source_type, row.source, row.schema, row.profile)
        found[row.run].append(DatasetInput(data, json.loads(row.tags)))
    return found


def _conditions(filter_string: str | None, entity: Any, artifact_root: str = "") -> list[sa.ColumnElement[bool]]:
    tree = _filter.parse(filter_string, entity)
    return [] if tree is None else [_filter_sql.where(tree, entity, artifact_root=artifact_root)]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _page(token: str | None, max_results: int) -> tuple[int, int]:
    if not isinstance(max_results, int) or max_results < 1:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number of at least 1.")
    if token is None or token == "":
        return 0, max_results
    if not (token.isascii() and token.isdigit()):
        raise InvalidValue(f"The page token {token!r} is not one that a search returned.")
    return int(token), max_results


def _paged(items: list[T], offset: int, limit: int) -> PagedList[T]:
    return PagedList(items[:limit], f"{offset + limit}" if len(items) > limit else None)
