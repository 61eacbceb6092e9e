"""Which running runs are alive: each has a lease, which its process renews, and which ends by the database's clock.

``runs.lease_until`` is when the lease runs out. It is none for a run that somebody has ended, and `GIVEN_UP` for one
that was ended because its lease had run out, so that its process can revive it.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook._journal import Entry, left_behind, path_of
from fitbook._log import logger
from fitbook.entities import RunStatus
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store import _tables as t
from fitbook.store._clock import clock_ms
from fitbook.store._database import Database
from fitbook.store._engines import patience
from fitbook.store._sql._part import SqlPart, chunks

END_REASON_TAG = "fitbook.end_reason"
GIVEN_UP = 0

# How long a reader waits for the lock with which it ends dead runs; without it, it only shows them as ended.
_PATIENCE = 0.2
_KEPT = 24 * 3600.0  # seconds that a journal stays to which nobody adds
_LONGEST = 1e10  # seconds, three centuries

_r = t.runs.c
# Literals, for a prepared statement has no values of its own. The index on the column leads to just these runs.
_DEAD = sa.and_(_r.lease_until > sa.literal_column(str(GIVEN_UP)), _r.lease_until < clock_ms())


@dataclass(frozen=True, slots=True)
class Ended:
    """How a dead run has ended."""

    end_time: int
    reason: str


class SqlLeases(SqlPart):
    """The part of the contract that is about leases."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        self._quick_dead = database.prepare(sa.select(sa.func.min(_r.lease_until)).where(_DEAD))

    def renew_leases(self, run_ids: Sequence[str], seconds: float) -> list[str]:
        if self.database.gone():
            return []  # a store that is made anew has none of these runs
        until = clock_ms() + lease_ms(seconds)
        # Another process that has resumed the run may have promised more.
        longest = sa.case((_r.lease_until > until, _r.lease_until), else_=until)
        alive: list[str] = []
        with self.database.write() as connection:
            for chunk in chunks(sorted(set(run_ids))):
                mine = _r.run_id.in_(chunk)
                running = sa.and_(mine, _r.status == RunStatus.RUNNING)
                renew = t.runs.update().where(running).values(lease_until=longest)
                if connection.execute(renew).rowcount == len(chunk):
                    alive += chunk
                    continue
                # Locked, for others may revive and end these very runs between the statements that follow.
                connection.execute(sa.select(_r.id).where(mine).order_by(_r.id).with_for_update())
                _revive(connection, mine, until)
                connection.execute(renew)
                alive += connection.scalars(sa.select(_r.run_id).where(running)).all()
        return alive

    def end_dead_runs(self) -> list[str]:
        with self.database.write() as connection:
            dead = _dead(connection, lock=True)
            for chunk in chunks(list(dead.items())):
                mine = _r.id.in_([number for number, _ in chunk])
                # In this order, for MySQL assigns from left to right.
                ended = [(_r.status, RunStatus.FAILED), (_r.end_time, _r.lease_until), (_r.lease_until, GIVEN_UP)]
                connection.execute(t.runs.update().where(mine).ordered_values(*ended))
                reasons = [{"run": number, "key": END_REASON_TAG, "value": end.reason} for number, end in chunk]
                connection.execute(self.database.upsert(t.tags), reasons)
            numbers = list(dead)
            ids: dict[int, str] = {}
            for some in chunks(numbers):
                rows = connection.execute(sa.select(_r.id, _r.run_id).where(_r.id.in_(some)))
                ids.update((row[0], row[1]) for row in rows)
            self._read_journals(connection, ids)
            old = self._old_journals(connection) if ids else []
        for journal in old:
            with contextlib.suppress(OSError):
                os.unlink(journal)
        return list(ids.values())

    def _old_journals(self, connection: Connection) -> list[str]:
        """Read the journals to which nobody has added for long, and of whose runs none is alive; they can be removed.

        Others stay: their runs' processes may have been asleep only, and go on.
        """
        file = self.database.file
        if file is None:
            return []
        prefix = path_of(str(file), "")
        found = {}
        for path in glob.glob(f"{glob.escape(prefix)}*"):
            with contextlib.suppress(OSError):
                if os.stat(path).st_mtime < time.time() - _KEPT:
                    found[path.removeprefix(prefix)] = path
        for some in chunks(list(found)):
            for row in connection.execute(sa.select(_r.id, _r.run_id, _r.status).where(_r.run_id.in_(some))).all():
                if row.status == RunStatus.RUNNING or self._read_journals(connection, {row.id: row.run_id}):
                    del found[row.run_id]
        return list(found.values())

    def _read_journals(self, connection: Connection, dead: Mapping[int, str]) -> list[str]:
        """Turn what dead runs have left in their journals into tags of theirs, unless it is about runs that have ended.

        Returns
        -------
        list of str
            The journals that can't be read now.
        """
        file = self.database.file
        left: dict[int, list[Entry]] = {}
        unread: list[str] = []
        for number, run_id in {} if file is None else dead.items():
            path = path_of(str(file), run_id)
            try:
                left[number] = left_behind(path)
            except OSError as error:
                logger.debug("a journal can't be read now, and stays as it is: %s", error)
                unread.append(path)
        for number, entries in left.items():
            ended: set[str] = set()
            for some in chunks(list({entry.about for entry in entries})):
                orderly = sa.and_(_r.run_id.in_(some), _r.status != RunStatus.RUNNING, _r.lease_until.is_(None))
                ended.update(connection.scalars(sa.select(_r.run_id).where(orderly)))
            tags = {entry.key: entry.value for entry in entries if entry.about not in ended}
            rows = [{"run": number, "key": key, "value": value} for key, value in tags.items()]
            for part in chunks(rows):
                connection.execute(self.database.upsert(t.tags), part)
        return unread

    @contextlib.contextmanager
    def _read_runs(self) -> Iterator[tuple[Connection, Mapping[int, Ended]]]:
        """Open a transaction that reads, after every dead run has been ended; also give those that can't be here."""
        with self.database.read() as connection:
            if self._quick_dead.first(connection, {}) == (None,):
                yield connection, {}
                return
        try:
            with patience(_PATIENCE):
                self.end_dead_runs()
        except StoreUnavailable as error:  # locked, or this user may only read
            logger.debug("dead runs are shown as ended, and stay as they are: %s", error)
        with self.database.read() as connection:
            yield connection, _dead(connection)


def lease_ms(seconds: float) -> int:
    """Check how long a lease is to be, and give it in milliseconds.

    Raises
    ------
    InvalidValue
        It is not a positive number of seconds.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= _LONGEST:
        raise InvalidValue(f"A lease of {seconds!r} seconds is impossible; give a number above 0.")
    return math.ceil(seconds * 1000)


def as_if_ended(query: sa.Select[Any]) -> sa.Select[Any]:
    """Let the conditions of a query on runs see dead ones as ended, where they can't be."""
    ended = {
        "status": sa.case((_DEAD, RunStatus.FAILED), else_=_r.status),
        "end_time": sa.case((_DEAD, _r.lease_until), else_=_r.end_time),
    }

    def replaced(element: Any, **_: Any) -> Any:
        own = isinstance(element, sa.Column) and element.table is t.runs
        return ended.get(element.name) if own else None

    changed: Any = sa.sql.visitors.replacement_traverse(query, {}, replaced)
    return cast("sa.Select[Any]", changed)


def forget_reason(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove why these runs were given up."""
    old = sa.and_(t.tags.c.run.in_(numbers), t.tags.c.key == END_REASON_TAG)
    connection.execute(t.tags.delete().where(old))


def _revive(connection: Connection, mine: sa.ColumnElement[bool], until: sa.ColumnElement[int]) -> None:
    given_up = connection.scalars(sa.select(_r.id).where(mine, _r.lease_until == GIVEN_UP)).all()
    if given_up:
        alive = {"status": RunStatus.RUNNING, "end_time": None, "lease_until": until}
        connection.execute(t.runs.update().where(_r.id.in_(given_up), _r.lease_until == GIVEN_UP).values(**alive))
        forget_reason(connection, given_up)


def _dead(connection: Connection, *, lock: bool = False) -> dict[int, Ended]:
    query = sa.select(_r.id, _r.user_id, _r.lease_until).where(_DEAD).order_by(_r.id)
    rows = connection.execute(query.with_for_update() if lock else query).all()
    programs: dict[int, str] = {}
    tag = t.tags.c
    for chunk in chunks([row.id for row in rows]):
        named = sa.select(tag.run, tag.value).where(tag.run.in_(chunk), tag.key == "mlflow.source.name")
        programs.update((row[0], row[1]) for row in connection.execute(named))
    return {row.id: Ended(row.lease_until, _reason(row.user_id, programs.get(row.id), row.lease_until)) for row in rows}


def _reason(user: str, program: str | None, lease_until: int) -> str:
    what = f"The process (program {program!r}, user {user!r})" if program else f"The process of the user {user!r}"
    moment = datetime.fromtimestamp(lease_until / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    return (
        f"{what} did not renew the run's lease, which ran out at {moment} UTC: it was killed, or could not reach the "
        "store any more."
    )
