"""What each database is given; that SQLite understands it is shown in test_filter_sql."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from fitbook.store import _tables as t
from fitbook.store._filter import RUNS, parse, parse_order
from fitbook.store._filter_dialects import ilike, json_text, like, matches, register_functions
from fitbook.store._filter_order import Ordering
from fitbook.store._filter_sql import where

SPELLINGS = {
    sqlite: ["(c GLOB ?)", "(fitbook_lower(c) GLOB ?)", "(c REGEXP ?)"],
    postgresql: [
        "(c LIKE %(x)s ESCAPE '')",
        "(lower(c COLLATE \"und-x-icu\") LIKE %(x)s ESCAPE '')",
        "(c ~ %(x)s)",
    ],
    mysql: [
        "(c LIKE %s COLLATE utf8mb4_bin ESCAPE '')",
        "(lower(c) LIKE %s COLLATE utf8mb4_bin ESCAPE '')",
        "(c COLLATE utf8mb4_bin REGEXP %s)",
    ],
}
COLUMN: sa.ColumnElement[str] = sa.column("c", sa.Text())


@pytest.mark.parametrize("name", ["sqlite", "postgresql", "mysql"])
def test_patterns(name: str) -> None:
    module = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}[name]
    made = [function(COLUMN, "A%").compile(dialect=module.dialect()) for function in (like, ilike, matches)]
    spelled = [
        str(each).replace("%(param_1)s", "%(x)s").replace("::VARCHAR", "") for each in made
    ]  # since 2.0.31 or so
    assert spelled == SPELLINGS[module]
    patterns = [next(iter(each.params.values())) for each in made]
    assert patterns == (["A*", "a*", "A%"] if name == "sqlite" else ["A%", "a%", "A%"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sqlite", "json_extract(c,"), ("postgresql", "CAST(c AS JSON) ->>"), ("mysql", "json_unquote(json_extract(c,")],
)
def test_json(name: str, expected: str) -> None:
    module = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}[name]
    assert expected in str(json_text(COLUMN, "a.b").compile(dialect=module.dialect()))


EVERYTHING = (
    "metrics.a > 1 AND params.a = '5' OR NOT tags.x ILIKE 'A%' AND tags.y LIKE 'b%' AND datasets.context = 'train'"
    " AND run_name RLIKE 'x' AND start_time BETWEEN 1 AND 2.5 AND artifact_uri LIKE 's3%' AND experiment_id = 3"
)


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()], ids=["postgresql", "mysql"])
def test_nothing_of_sqlite_reaches_the_others(dialect: sa.Dialect) -> None:
    node = parse(EVERYTHING, RUNS)
    assert node is not None
    selection = sa.select(t.runs).where(where(node, RUNS))
    sql = str(
        Ordering(parse_order(["metrics.a DESC", "params.b"], RUNS), RUNS).apply(selection).compile(dialect=dialect)
    )
    assert "GLOB" not in sql
    assert "fitbook_" not in sql


def test_functions_of_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    register_functions(connection)
    sql = "SELECT NULL REGEXP 'a', fitbook_lower(NULL), 'xAx' REGEXP 'A', 'x' REGEXP 'A', fitbook_lower('ÄB')"
    assert connection.execute(sql).fetchone() == (None, None, 1, 0, "äb")
    connection.close()
