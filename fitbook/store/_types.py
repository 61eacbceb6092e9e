"""Column types that mean the same in every database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine


class Exact(TypeDecorator[str]):
    """Text that is equal and ordered by its characters, as in SQLite and Python.

    Left to its defaults, MySQL takes ``a``, ``A`` and ``a `` for the same and cuts texts at 64 KB, and PostgreSQL orders
    by the rules of a language.

    Parameters
    ----------
    length : int, optional
        The most characters; without it, there is no limit that fitbook's own would not come before.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        collation, most = None, self.length
        if dialect.name == "postgresql":
            collation = "C"
        elif dialect.name in ("mysql", "mariadb"):
            collation, most = exact_collation(dialect), most or 2**32 - 1
        kind = sa.String if self.length else sa.Text
        return dialect.type_descriptor(kind(most, collation=collation))  # type: ignore[no-any-return]

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        # What is compared takes the column's collation; PostgreSQL could not read one of its own after BETWEEN.
        return sa.String()


def exact_collation(dialect: Any) -> str:
    """Name the collation that compares by code points, and minds spaces at the end."""
    return "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
