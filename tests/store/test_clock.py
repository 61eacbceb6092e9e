from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from fitbook.store import Database
from fitbook.store._clock import clock_ms

ZONES = {
    "postgresql": "SET TIME ZONE 'Asia/Tokyo'",
    "mysql": "SET time_zone = '+09:00'",
    "mariadb": "SET time_zone = '+09:00'",
    "sqlite": "SELECT 1",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Database:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue(request.param)
    return Database(url)


def _now(database: Database, *before: str) -> int:
    with database.read() as connection:
        for statement in before:
            connection.exec_driver_sql(statement)
        now = connection.scalar(sa.select(clock_ms()))
    assert isinstance(now, int)
    return now


def test_it_counts_milliseconds_since_the_epoch(database: Database) -> None:
    # These servers share this machine's clock.
    before = time.time_ns() // 1_000_000
    now = _now(database)
    assert before - 1 <= now <= time.time_ns() // 1_000_000 + 1


def test_it_tells_milliseconds_apart(database: Database) -> None:
    moments = set()
    for _ in range(20):
        moments.add(_now(database) % 1000)
        time.sleep(0.003)
    assert len(moments) > 10


def test_it_goes_on_within_a_transaction(database: Database) -> None:
    with database.read() as connection:
        first = connection.scalar(sa.select(clock_ms()))
        time.sleep(0.02)
        assert (connection.scalar(sa.select(clock_ms())) or 0) > (first or 0)


def test_no_time_zone_matters(database: Database) -> None:
    before = _now(database)
    elsewhere = _now(database, ZONES[database.dialect])
    assert 0 <= elsewhere - before < 60_000
