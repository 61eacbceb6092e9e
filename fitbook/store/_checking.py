"""Looking through a database for what must not be: damage, rows without owners, and things said twice that disagree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fitbook.entities import LifecycleStage
from fitbook.store import _tables as t
from fitbook.store._database import Database
from fitbook.store._sql._contents import PARENT_RUN_ID_TAG, RUN_NAME_TAG
from fitbook.store._sql._part import update
from fitbook.store._sql._values import NAN, parent_of

_r, _m, _p = t.runs.c, t.metrics.c, t.metric_points.c
_OF_A_RUN = sa.select(_r.run_id)


@dataclass(frozen=True)
class Problem:
    """Something that must not be: what, how often, and where, for example."""

    what: str
    count: int
    example: str


def problems(database: Database) -> list[Problem]:
    """Look through a whole database, which may take a while; writes nothing.

    Raises
    ------
    StoreUnavailable
        It can't be read.
    """
    with database.read() as connection:
        found = _damages(connection) + _missing_parts(connection)
        for what, places in [*_disagreements(), *_orphans()]:
            each = places.subquery()
            count = connection.scalar(sa.select(sa.func.count()).select_from(each)) or 0
            if count:
                first = connection.execute(sa.select(each).limit(1)).one()
                found.append(Problem(what, count, " ".join(str(part) for part in first)))
    return found


def repair(database: Database) -> None:
    """Write anew what follows from the rest: the lowest and highest values of metrics, and the parents of runs.

    An older fitbook that had the database open while it was upgraded goes on writing, but neither of these.
    """
    same = sa.and_(_p.run == _m.run, _p.key == _m.key, _p.special != NAN)
    lowest, highest = (sa.select(f(_p.value)).where(same).scalar_subquery() for f in (sa.func.min, sa.func.max))
    differ = sa.or_(_m.lowest.is_distinct_from(lowest), _m.highest.is_distinct_from(highest))
    tag = t.tags.alias()
    tagged = sa.and_(tag.c.run == _r.id, tag.c.key == PARENT_RUN_ID_TAG)
    runs = sa.select(_r.id, _r.parent_run_id, tag.c.value).outerjoin_from(t.runs, tag, tagged)
    with database.write() as connection:
        connection.execute(t.metrics.update().where(differ).values(lowest=lowest, highest=highest))
        for row in connection.execute(runs.where(tag.c.value.is_distinct_from(_r.parent_run_id))).all():
            parent = parent_of({PARENT_RUN_ID_TAG: row.value or ""})
            if parent != row.parent_run_id:
                update(connection, t.runs, row.id, parent_run_id=parent)


def counts(database: Database) -> dict[str, int]:
    """Count the rows of every table."""
    with database.read() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in t.metadata.sorted_tables
            if table is not t.schema_version
        }


def _damages(connection: Connection) -> list[Problem]:
    if connection.dialect.name != "sqlite":
        return []
    said = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
    return [Problem("damage in the file", len(said), said[0])] if said else []


def _missing_parts(connection: Connection) -> list[Problem]:
    inspector = sa.inspect(connection)
    missing: list[str] = []
    there = set(inspector.get_table_names())
    for table in t.metadata.sorted_tables:
        if table.name not in there:
            missing.append(f"table {table.name}")
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        missing += [f"column {table.name}.{name}" for name in sorted(set(table.columns.keys()) - columns)]
        missing += [f"index {index.name}" for index in table.indexes if index.name not in indexes]
    return [Problem("missing parts of the schema", len(missing), missing[0])] if missing else []


def _disagreements() -> Iterator[tuple[str, sa.Select[Any]]]:
    same = sa.and_(_p.run == _m.run, _p.key == _m.key)
    of_metrics = sa.select(_r.run_id, _m.key).join_from(t.metrics, t.runs, _m.run == _r.id)
    newest = (sa.desc(_p.step), sa.desc(_p.timestamp), sa.desc(_p.id))
    place = sa.func.row_number().over(partition_by=(_p.run, _p.key), order_by=newest).label("place")
    ranked = sa.select(_p.run, _p.key, _p.value, _p.special, _p.step, _p.timestamp, place).subquery().c
    last = sa.and_(ranked.run == _m.run, ranked.key == _m.key, ranked.place == 1)
    differs = [_m[name] != ranked[name] for name in ("value", "special", "step", "timestamp")]
    yield (
        "metrics whose present value is not that of their newest point",
        of_metrics.outerjoin(ranked.run.table, last).where(sa.or_(ranked.run.is_(None), *differs)),
    )
    without = sa.select(_p.run, _p.key).where(~sa.exists().where(same)).distinct().subquery().c
    yield (
        "points of no metric",
        sa.select(_r.run_id, without.key).join_from(t.runs, without.run.table, without.run == _r.id),
    )
    number = sa.case((_p.special != NAN, _p.value))
    lowest, highest = sa.func.min(number).label("lowest"), sa.func.max(number).label("highest")
    bounds = sa.select(_p.run, _p.key, lowest, highest).group_by(_p.run, _p.key).subquery().c
    wrong = [_m[name].is_distinct_from(bounds[name]) for name in ("lowest", "highest")]
    joined = of_metrics.join(bounds.run.table, sa.and_(bounds.run == _m.run, bounds.key == _m.key))
    yield "metrics whose lowest or highest value is not that of their points", joined.where(sa.or_(*wrong))
    yield from _of_runs()


def _of_runs() -> Iterator[tuple[str, sa.Select[Any]]]:
    def tagged(key: str) -> tuple[Any, sa.Select[Any]]:
        tag = t.tags.alias()
        return tag.c, _OF_A_RUN.outerjoin(tag, sa.and_(tag.c.run == _r.id, tag.c.key == key))

    tag, runs = tagged(RUN_NAME_TAG)
    yield f"runs whose name is not what their tag {RUN_NAME_TAG} says", runs.where(tag.value != _r.name)
    tag, runs = tagged(PARENT_RUN_ID_TAG)
    another = sa.and_(_r.parent_run_id.is_not(None), tag.value.is_distinct_from(_r.parent_run_id))
    parent = t.runs.alias()
    none = sa.and_(_r.parent_run_id.is_(None), sa.exists().where(parent.c.run_id == tag.value))
    yield f"runs whose parent is not what their tag {PARENT_RUN_ID_TAG} says", runs.where(sa.or_(another, none))
    deleted, dated = _r.lifecycle_stage == LifecycleStage.DELETED, _r.deleted_time.is_not(None)
    yield "runs that are deleted at no time, or not deleted at some", _OF_A_RUN.where(deleted != dated)
    a, v = t.model_aliases.c, t.model_versions.c
    strange = (
        sa.select(a.alias).join_from(t.model_aliases, t.model_versions, a.version == v.id).where(a.model != v.model)
    )
    yield "aliases for a version of another model", strange


def _orphans() -> Iterator[tuple[str, sa.Select[Any]]]:
    for table in t.metadata.sorted_tables:
        for key in table.foreign_keys:
            owner = key.column.table.alias()
            alone = ~sa.exists().where(owner.c[key.column.name] == key.parent)
            column = key.parent
            what = f"rows of {table.name} without their {column.name}"
            yield what, sa.select(column).where(alone, column.is_not(None))
