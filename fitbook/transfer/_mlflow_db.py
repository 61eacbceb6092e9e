"""MLflow's SQL store, of any version since 1.0: what a version lacks, tables and columns, is found by reflection.

Nothing is written, and a SQLite file is opened read-only. A server that has it open goes on writing: every statement is
read to its end at once, so that none holds a lock for longer than a few runs take.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    LifecycleStage,
    Metric,
    ModelVersion,
    RegisteredModel,
    RunDraft,
)
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store._urls import parsed_url
from fitbook.transfer._mlruns import DELETED_VERSION
from fitbook.transfer._places import find_files
from fitbook.transfer._records import LoggedModelRecord, Problem, RegisteredModelRecord, RunRecord

_RUNS_AT_ONCE = 50
_LARGEST = 1.7976931348623157e308  # what MLflow writes for infinity

# The tables that are read, each with its columns; those of `_NEEDED` tell that it is MLflow's database.
_TABLES = {
    "experiments": "experiment_id name artifact_location lifecycle_stage creation_time last_update_time workspace",
    "experiment_tags": "experiment_id key value",
    "runs": "run_uuid experiment_id name user_id status start_time end_time deleted_time lifecycle_stage artifact_uri",
    "params": "run_uuid key value",
    "tags": "run_uuid key value",
    "metrics": "run_uuid key value timestamp step is_nan",
    "datasets": "dataset_uuid name digest dataset_source_type dataset_source dataset_schema dataset_profile",
    "inputs": "input_uuid source_type source_id destination_type destination_id",
    "input_tags": "input_uuid name value",
    "logged_models": "model_id experiment_id name artifact_location creation_timestamp_ms lifecycle_stage source_run_id",
    "registered_models": "name creation_time last_updated_time description workspace",
    "registered_model_tags": "name key value workspace",
    "registered_model_aliases": "name alias version workspace",
    "model_versions": (
        "name version creation_time last_updated_time description current_stage source run_id status storage_location "
        "workspace"
    ),
    "model_version_tags": "name version key value workspace",
}
_NEEDED = ("experiments", "runs", "params", "metrics", "tags")


class DatabaseSource:
    """The record in a database of MLflow; see `Source`.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL, or the path of a SQLite file.

    Raises
    ------
    StoreUnavailable
        It can't be opened.
    InvalidValue
        It is not MLflow's.
    """

    def __init__(self, url: str) -> None:
        self._beside = Path.cwd()
        parsed = parsed_url(url) if "://" in url else sa.URL.create("sqlite", database=str(Path(url).absolute()))
        if parsed.get_backend_name() == "sqlite":
            parsed = self._read_only(parsed)
        try:
            self._engine = sa.create_engine(parsed, poolclass=NullPool)
            known = set(sa.inspect(self._engine).get_table_names())
            metadata = sa.MetaData()
            metadata.reflect(self._engine, only=[name for name in _TABLES if name in known], resolve_fks=False)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreUnavailable(f"MLflow's database {parsed!r} can't be read: {_cause(error)}.") from error
        self._tables = metadata.tables
        missing = [name for name in _NEEDED if name not in self._tables]
        if missing:
            raise InvalidValue(f"{parsed!r} is not MLflow's database: it has no table {', '.join(missing)}.")
        if "run_uuid" not in self._tables["runs"].columns:
            raise InvalidValue(
                f"{parsed!r} is not MLflow's database: its runs have no column run_uuid. A store of fitbook's is opened "
                "with set_tracking_uri() or --tracking-uri."
            )

    def experiments(self) -> Iterator[Experiment | Problem]:
        """See `Source`."""
        tags = _pairs(self._rows("experiment_tags"), "experiment_id")
        for row in self._rows("experiments", order=("creation_time", "experiment_id")):
            yield Experiment(
                experiment_id=str(row.experiment_id),
                name=_in_workspace(row.name, row.workspace),
                artifact_location=row.artifact_location or "",
                lifecycle_stage=row.lifecycle_stage or LifecycleStage.ACTIVE,
                tags=tags[row.experiment_id],
                creation_time=row.creation_time,
                last_update_time=row.last_update_time,
            )

    def count_runs(self) -> int:
        """See `Source`."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(self._tables["runs"])) or 0)

    def runs(self, experiment: Experiment) -> Iterator[RunRecord | Problem]:
        """See `Source`."""
        number = int(experiment.experiment_id)
        rows = self._rows("runs", lambda c: c.experiment_id == number, order=("start_time", "run_uuid"))
        models = self._logged_models(number)
        for start in range(0, len(rows), _RUNS_AT_ONCE):
            some = rows[start : start + _RUNS_AT_ONCE]
            ids = [row.run_uuid for row in some]
            params, tags, metrics, datasets = (
                self._params(ids),
                self._tags(ids),
                self._metrics(ids),
                self._datasets(ids),
            )
            for row in some:
                run_id, deleted = row.run_uuid, row.lifecycle_stage == LifecycleStage.DELETED
                draft = RunDraft(
                    experiment_id=experiment.experiment_id,
                    run_id=run_id,
                    run_name=row.name or tags[run_id].get("mlflow.runName", ""),
                    user_id=row.user_id or tags[run_id].get("mlflow.user", ""),
                    start_time=row.start_time or 0,
                    end_time=row.end_time,
                    status=row.status or "RUNNING",
                    params=params[run_id],
                    tags=tags[run_id],
                    metrics=metrics[run_id],
                    datasets=datasets[run_id],
                    deleted_time=(row.deleted_time or row.end_time or row.start_time or 0) if deleted else None,
                )
                uri = row.artifact_uri or ""
                yield RunRecord(draft, uri, find_files(uri, self._beside), models.get(run_id, []))

    def models(self) -> Iterator[RegisteredModelRecord | Problem]:
        """See `Source`."""
        versions: dict[Any, list[Row[Any]]] = defaultdict(list)
        for row in self._rows("model_versions", order=("name", "version")):
            versions[row.workspace, row.name].append(row)
        aliases: dict[Any, dict[str, int]] = defaultdict(dict)
        for row in self._rows("registered_model_aliases"):
            aliases[row.workspace, row.name][row.alias] = row.version
        tags = _pairs(self._rows("registered_model_tags"), "workspace", "name")
        version_tags = _pairs(self._rows("model_version_tags"), "workspace", "name", "version")
        for row in self._rows("registered_models", order=("creation_time", "name")):
            key = (row.workspace, row.name)
            name = _in_workspace(row.name, row.workspace)
            every = versions[key]
            kept = [v for v in every if v.current_stage != DELETED_VERSION]
            yield RegisteredModelRecord(
                RegisteredModel(
                    name=name,
                    creation_timestamp=row.creation_time or 0,
                    last_updated_timestamp=row.last_updated_time or row.creation_time or 0,
                    description=row.description or "",
                    tags=tags[key],
                    aliases=aliases[key],
                ),
                tuple(_version(name, v, version_tags[(*key, v.version)]) for v in kept),
                tuple(v.version for v in every if v.current_stage == DELETED_VERSION),
                {v.version: v.storage_location for v in kept if v.storage_location},
            )

    def close(self) -> None:
        """See `Source`."""
        self._engine.dispose()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _read_only(self, url: sa.URL) -> sa.URL:
        file = Path(url.database or "")
        if not url.database or url.database == ":memory:" or not file.is_file():
            raise StoreUnavailable(f"There is no database {url.database!r} to import from.")
        self._beside = file.absolute().parent
        query = {"mode": "ro", "uri": "true"}
        if _is_wal(file) and not Path(f"{file}-wal").exists():
            # Nobody has it open; opened as usual, SQLite would make two files beside it.
            query["immutable"] = "1"
        return url.set(database=file.absolute().as_uri(), query=query)

    def _rows(
        self, name: str, where: Callable[[Any], Any] | None = None, order: Sequence[str] = ()
    ) -> Sequence[Row[Any]]:
        """Read a table, NULL for each column that it lacks; nothing if there is no such table."""
        table = self._tables.get(name)
        if table is None:
            return []
        columns = {c: table.c[c] if c in table.c else sa.null().label(c) for c in _TABLES[name].split()}
        query = sa.select(*columns.values()).select_from(table)
        if where is not None:
            query = query.where(where(table.c))
        query = query.order_by(*(columns[c] for c in order if c in table.c))
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"Table {name!r} of MLflow's database can't be read: {_cause(error)}.") from error

    def _params(self, ids: Sequence[str]) -> dict[Any, dict[str, str]]:
        return _pairs(self._rows("params", lambda c: c.run_uuid.in_(ids)), "run_uuid")

    def _tags(self, ids: Sequence[str]) -> dict[Any, dict[str, str]]:
        return _pairs(self._rows("tags", lambda c: c.run_uuid.in_(ids)), "run_uuid")

    def _metrics(self, ids: Sequence[str]) -> dict[str, list[Metric]]:
        found: dict[str, list[Metric]] = defaultdict(list)
        for row in self._rows("metrics", lambda c: c.run_uuid.in_(ids), order=("timestamp", "step", "value")):
            value = float("nan") if row.is_nan else infinite(row.value)
            found[row.run_uuid].append(Metric(row.key, value, row.timestamp, row.step or 0))
        return found

    def _datasets(self, ids: Sequence[str]) -> dict[str, list[DatasetInput]]:
        used = self._rows(
            "inputs",
            lambda c: sa.and_(c.source_type == "DATASET", c.destination_type == "RUN", c.destination_id.in_(ids)),
        )
        if not used:
            return defaultdict(list)
        data = {
            row.dataset_uuid: Dataset(
                row.name,
                row.digest,
                row.dataset_source_type,
                row.dataset_source,
                row.dataset_schema,
                row.dataset_profile,
            )
            for row in self._rows("datasets", lambda c: c.dataset_uuid.in_({u.source_id for u in used}))
        }
        inputs = [row.input_uuid for row in used]
        tags: dict[str, dict[str, str]] = defaultdict(dict)
        for row in self._rows("input_tags", lambda c: c.input_uuid.in_(inputs)):
            tags[row.input_uuid][row.name] = row.value
        found: dict[str, list[DatasetInput]] = defaultdict(list)
        for row in used:
            if row.source_id in data:
                found[row.destination_id].append(DatasetInput(data[row.source_id], tags[row.input_uuid]))
        return found

    def _logged_models(self, experiment: int) -> dict[str, list[LoggedModelRecord]]:
        found: dict[str, list[LoggedModelRecord]] = defaultdict(list)
        rows = self._rows("logged_models", lambda c: c.experiment_id == experiment, order=("creation_timestamp_ms",))
        for row in rows:
            if row.source_run_id and row.lifecycle_stage != LifecycleStage.DELETED:
                files = find_files(row.artifact_location, self._beside)
                found[row.source_run_id].append(
                    LoggedModelRecord(row.model_id, row.name, row.creation_timestamp_ms, row.artifact_location, files)
                )
        return found


def infinite(value: float) -> float:
    """What was logged, of a value that MLflow's database or server gives: it keeps infinities as the largest number."""
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else value


def _pairs(rows: Iterable[Row[Any]], *owner: str) -> dict[Any, dict[str, str]]:
    found: dict[Any, dict[str, str]] = defaultdict(dict)
    for row in rows:
        values = row._mapping
        key = values[owner[0]] if len(owner) == 1 else tuple(values[name] for name in owner)
        found[key][row.key] = "" if row.value is None else row.value
    return found


def _version(name: str, row: Row[Any], tags: dict[str, str]) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=row.version,
        creation_timestamp=row.creation_time or 0,
        last_updated_timestamp=row.last_updated_time or row.creation_time or 0,
        current_stage=row.current_stage or "None",
        description=row.description or "",
        source=row.source or "",
        run_id=row.run_id or "",
        status=row.status or "READY",
        tags=tags,
    )


def _in_workspace(name: str, workspace: str | None) -> str:
    # In MLflow the same name may be there in several workspaces.
    return name if workspace in (None, "default") else f"{name} ({workspace})"


def _is_wal(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(20)[18:20] == b"\x02\x02"


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().rstrip(".")
