"""What every part of the SQL store stands on: the database, and finding runs and experiments in it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from fitbook import _validate
from fitbook.entities import LifecycleStage
from fitbook.errors import NotFound, WrongState
from fitbook.store import _tables as t
from fitbook.store._base import Store
from fitbook.store._database import Database
from fitbook.store._filter_targets import UNDER_ROOT

T = TypeVar("T")

# How many values go into one IN (…): databases have a limit, and long lists are slow to compile.
CHUNK = 500


class SqlPart(Store):
    """Some of the contract's methods, on SQL tables.

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
        r = t.runs.c
        run = sa.select(r.id, r.lifecycle_stage, r.lease_until).where(r.run_id == sa.bindparam("of_run"))
        self._find_run = database.prepare(run)
        self._lock_run = database.prepare(run.with_for_update())
        e = t.experiments.c
        experiment = sa.select(e.lifecycle_stage).where(e.id == sa.bindparam("of_experiment"))
        self._share_experiment = database.prepare(experiment.with_for_update(read=True))

    def _join(self, connection: Connection, experiment_id: str) -> None:
        """Make sure that an experiment is active, and stays so until the transaction ends; others may do so as well."""
        values = {"of_experiment": number_of("experiment", experiment_id)}
        if self._share_experiment.first(connection, values) != (LifecycleStage.ACTIVE,):
            self._experiment(connection, experiment_id)  # says what is wrong

    def _experiment(self, connection: Connection, experiment_id: str, *, active: bool = True) -> Row[Any]:
        """Find an experiment; an active one stays as it is until the transaction ends."""
        query = sa.select(t.experiments).where(t.experiments.c.id == number_of("experiment", experiment_id))
        row = connection.execute(query.with_for_update() if active else query).first()
        if row is None:
            names = connection.scalars(sa.select(t.experiments.c.id).limit(20)).all()
            raise NotFound("experiment with id", experiment_id, [str(name) for name in names])
        if active and row.lifecycle_stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The experiment {row.name!r} (id {row.id}) is deleted; restore it first.")
        return row

    def _run(self, connection: Connection, run_id: str, *, active: bool = True) -> int:
        """Find a run; an active one is written to by nobody else until the transaction ends."""
        return self._run_and_lease(connection, run_id, active=active)[0]

    def _run_and_lease(self, connection: Connection, run_id: str, *, active: bool = True) -> tuple[int, int | None]:
        find = self._lock_run if active else self._find_run
        found = find.first(connection, {"of_run": run_id}) if may_be_id(run_id) else None
        if found is None:
            raise no_run(connection, run_id)
        number, stage, lease_until = found
        if active and stage != LifecycleStage.ACTIVE:
            raise WrongState(f"The run {run_id} is deleted and can't be changed; restore it first.")
        return int(number), lease_until

    def _location(self, number: int, stored: str) -> str:
        if stored.startswith(UNDER_ROOT):
            return f"{self._artifact_root}/{stored.removeprefix(UNDER_ROOT)}"
        return stored or f"{self._artifact_root}/{number}"

    def _relative(self, location: str) -> str:
        location, start = location.rstrip("/"), f"{self._artifact_root}/"
        return UNDER_ROOT + location.removeprefix(start) if location.startswith(start) else location


def now_ms() -> int:
    """Milliseconds since the epoch, by this machine's clock."""
    return time.time_ns() // 1_000_000


def number_of(kind: str, text: object) -> int:
    """Read the number that an id is inside."""
    if isinstance(text, int) or (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19):
        return int(text)
    raise NotFound(f"{kind} with id", text, hint="Ids of experiments are numbers; names go to get_experiment_by_name.")


def may_be_id(value: object) -> bool:
    """Tell whether a run may have this id; nothing else is looked up, for MySQL finds every id with letters for 0."""
    return isinstance(value, str) and value.isascii() and "\x00" not in value


def run_ids(connection: Connection, prefix: str, limit: int) -> list[str]:
    """List ids of runs that begin with this text."""
    prefix = _validate.asked("beginning of a run id", prefix)
    matches = t.runs.c.run_id.between(prefix, prefix + "~")
    return list(connection.scalars(sa.select(t.runs.c.run_id).where(matches).limit(limit)))


def no_run(connection: Connection, run_id: object) -> NotFound:
    """Make the error for an unknown run, with ids that look like it."""
    known = run_ids(connection, str(run_id)[:4], 50) if may_be_id(run_id) and run_id else []
    return NotFound("run", run_id, known, hint="" if known else "`fitbook runs list` shows what there is.")


def run_numbers(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    """Look up the numbers that runs have inside."""
    found: dict[str, int] = {}
    for chunk in chunks(run_ids):
        query = sa.select(t.runs.c.run_id, t.runs.c.id).where(t.runs.c.run_id.in_(chunk))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def update(connection: Connection, table: sa.Table, number: int, **values: Any) -> None:
    """Change one row."""
    connection.execute(table.update().where(table.c.id == number).values(**values))


def grouped(connection: Connection, table: sa.Table, owner: str, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """Read the keys and values that belong to each of these rows."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    column = table.c[owner]
    for chunk in chunks(numbers):
        query = sa.select(column, table.c.key, table.c.value).where(column.in_(chunk))
        # All at once, for SQLAlchemy takes longer to give rows one by one than SQLite to find them.
        for number, key, value in connection.execute(query).all():
            found[number][key] = value
    return found


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split what is too much for one statement."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
