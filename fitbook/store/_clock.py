"""The database's own clock, as SQL: processes on several machines agree on no other."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class clock_ms(FunctionElement[int]):
    """Milliseconds since the epoch by the database's clock."""

    name = "fitbook_clock_ms"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(clock_ms, "sqlite")
def _sqlite(element: clock_ms, compiler: Any, **kwargs: Any) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(clock_ms, "postgresql")
def _postgresql(element: clock_ms, compiler: Any, **kwargs: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(clock_ms, "mysql")
@compiles(clock_ms, "mariadb")
def _mysql(element: clock_ms, compiler: Any, **kwargs: Any) -> str:
    return "CAST(unix_timestamp(sysdate(3)) * 1000 AS SIGNED)"
