"""What the databases spell differently: patterns that mind case, patterns that do not, regular expressions, JSON.

LIKE has no escape character: ``%`` and ``_`` are always wildcards, as in MLflow on SQLite.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from fitbook.store._types import exact_collation

_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


class _Like(FunctionElement[bool]):
    """``column LIKE pattern``, minding case; the third clause is the pattern for GLOB, SQLite's LIKE that does."""

    name = "fitbook_like"
    type = sa.Boolean()
    inherit_cache = True


class _FoldedLike(FunctionElement[bool]):
    """The same in lower case."""

    name = "fitbook_folded_like"
    type = sa.Boolean()
    inherit_cache = True


class _Regex(FunctionElement[bool]):
    """A regular expression is found somewhere in the column."""

    name = "fitbook_regex"
    type = sa.Boolean()
    inherit_cache = True


class _JsonText(FunctionElement[str]):
    """The text under a key of a JSON object; the second clause is the key as a path, the third the key alone."""

    name = "fitbook_json_text"
    type = sa.String()
    inherit_cache = True


def like(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """``LIKE`` that minds case."""
    return _Like(column, sa.literal(pattern), sa.literal(pattern.translate(_GLOB)))


def ilike(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """``LIKE`` that does not mind case."""
    pattern = pattern.lower()
    return _FoldedLike(column, sa.literal(pattern), sa.literal(pattern.translate(_GLOB)))


def matches(column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
    """A regular expression, in the database's own dialect, is found somewhere in the column."""
    return _Regex(column, sa.literal(pattern))


def json_text(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[str]:
    """The text that a JSON object in a column of text holds under a key; NULL if it does not."""
    return _JsonText(column, sa.literal(f'$."{key}"'), sa.literal(key))


def register_functions(connection: Any) -> None:
    """Give a ``sqlite3.Connection`` the functions that are used here; every new connection needs them."""
    connection.create_function("regexp", 2, _regexp, deterministic=True)
    connection.create_function("fitbook_lower", 1, _lower, deterministic=True)


def _regexp(pattern: str, value: object) -> bool | None:
    return None if value is None else re.search(pattern, str(value)) is not None


def _lower(value: object) -> str | None:
    # SQLite's own lower() knows ASCII only.
    return None if value is None else str(value).lower()


# By the name of SQLAlchemy's dialect; "default" is PostgreSQL's, where it has no entry.
_MYSQL: dict[type[FunctionElement[Any]], str] = {
    _Like: "({0} LIKE {1} COLLATE utf8mb4_bin ESCAPE '')",
    _FoldedLike: "(lower({0}) LIKE {1} COLLATE utf8mb4_bin ESCAPE '')",
    _Regex: "({0} COLLATE utf8mb4_bin REGEXP {1})",
    _JsonText: "(json_unquote(json_extract({0}, {1})) COLLATE {collation})",
}
_SPELLINGS: dict[str, dict[type[FunctionElement[Any]], str]] = {
    "default": {
        _Like: "({0} LIKE {1} ESCAPE '')",
        # Without the rules of a language, PostgreSQL's lower() knows ASCII only.
        _FoldedLike: "(lower({0} COLLATE \"und-x-icu\") LIKE {1} ESCAPE '')",
        _Regex: "({0} ~ {1})",
        _JsonText: "(CAST({0} AS JSON) ->> {2})",
    },
    "sqlite": {
        _Like: "({0} GLOB {2})",
        _FoldedLike: "(fitbook_lower({0}) GLOB {2})",
        _Regex: "({0} REGEXP {1})",
        _JsonText: "json_extract({0}, {1})",
    },
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


@compiles(_Like)
@compiles(_FoldedLike)
@compiles(_Regex)
@compiles(_JsonText)
def _spelled(element: Any, compiler: Any, **kwargs: Any) -> str:
    spelling = _SPELLINGS.get(compiler.dialect.name, _SPELLINGS["default"])[type(element)]
    needed = [clause if f"{{{place}}}" in spelling else None for place, clause in enumerate(element.clauses)]
    collation = exact_collation(compiler.dialect) if "{collation}" in spelling else ""
    return spelling.format(
        *(compiler.process(clause, **kwargs) if clause is not None else "" for clause in needed), collation=collation
    )
