"""Which running runs are alive: each has a lease, which its process renews, and which ends by the database's clock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook.entities import RunStatus
from fitbook.store import _tables as t
from fitbook.store._clock import clock_ms
from fitbook.store._database import Database
from fitbook.store._sql._part import SqlPart, chunks

END_REASON_TAG = "fitbook.end_reason"
_NOT_RENEWED = "Its process ended, or could not reach the store any more, without ending the run."

_r = t.runs.c
# A literal, for a prepared statement has no values of its own.
_DEAD = sa.and_(_r.lease_until < clock_ms(), _r.status == sa.literal_column(f"'{RunStatus.RUNNING}'"))
# Who ends a run takes its lease away: a failed run that still has one was ended by `end_dead_runs`.
_GIVEN_UP = sa.and_(_r.lease_until.is_not(None), _r.status == RunStatus.FAILED)


class SqlLeases(SqlPart):
    """The part of the contract that is about leases."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        self._quick_dead = database.prepare(sa.select(sa.func.min(_r.id)).where(_DEAD))

    def renew_leases(self, run_ids: Sequence[str], seconds: float) -> list[str]:
        until = clock_ms() + int(seconds * 1000)
        alive: list[str] = []
        with self.database.write() as connection:
            for chunk in chunks(run_ids):
                mine = _r.run_id.in_(chunk)
                given_up = connection.scalars(sa.select(_r.id).where(mine, _GIVEN_UP)).all()
                if given_up:
                    revived = {"status": RunStatus.RUNNING, "end_time": None}
                    connection.execute(t.runs.update().where(_r.id.in_(given_up)).values(**revived))
                    old = sa.and_(t.tags.c.run.in_(given_up), t.tags.c.key == END_REASON_TAG)
                    connection.execute(t.tags.delete().where(old))
                running = sa.and_(mine, _r.status == RunStatus.RUNNING)
                connection.execute(t.runs.update().where(running).values(lease_until=until))
                alive += connection.scalars(sa.select(_r.run_id).where(running)).all()
        return alive

    @contextlib.contextmanager
    def _read_runs(self) -> Iterator[Connection]:
        """Open a transaction that reads, after every dead run has been ended."""
        with self.database.read() as connection:
            if self._quick_dead.first(connection, {}) == (None,):
                yield connection
                return
        self.end_dead_runs()
        with self.database.read() as connection:
            yield connection

    def end_dead_runs(self) -> list[str]:
        with self.database.write() as connection:
            dead = connection.execute(sa.select(_r.id, _r.run_id).where(_DEAD).with_for_update()).all()
            for chunk in chunks([row.id for row in dead]):
                ended = {"status": RunStatus.FAILED, "end_time": _r.lease_until}
                connection.execute(t.runs.update().where(_r.id.in_(chunk)).values(**ended))
                reasons = [{"run": run, "key": END_REASON_TAG, "value": _NOT_RENEWED} for run in chunk]
                connection.execute(self.database.upsert(t.tags), reasons)
        return [row.run_id for row in dead]
