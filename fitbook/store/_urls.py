"""Database URLs: reading them, what file they mean, and showing them without their password."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from fitbook.errors import InvalidValue

# Of what is no URL, a password may hold any character; drivers also take one from the query.
_AFTER_USER = re.compile(r"(?<=://)([^:/@]*):.*@")
_IN_QUERY = re.compile(r"(?<=[?&])(\w*(?:password|passwd|passphrase|token|secret))=[^&]*", re.IGNORECASE)


def parsed_url(url: str | sa.URL) -> sa.URL:
    """Read a database URL.

    Raises
    ------
    InvalidValue
        It is none.
    """
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        raise no_url(url, error) from error


def no_url(url: object, error: Exception) -> InvalidValue:
    """Make the error for what is no database URL."""
    return InvalidValue(
        f"The tracking URI {hide_password(str(url))!r} is not a database URL that can be used here: {error}"
    )


def sqlite_file(url: str | sa.URL) -> Path | None:
    """Tell which file a database URL means; None for other databases, one in memory, and SQLite's own ``file:`` URIs."""
    parsed = parsed_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:") or name.startswith("file:"):
        return None
    return Path(name).absolute()


def absolute_url(url: str) -> str:
    """Make the path of a SQLite file absolute; every other URL stays as it is."""
    file = sqlite_file(url)
    if file is None or Path(parsed_url(url).database or "").is_absolute():
        return url
    return parsed_url(url).set(database=str(file)).render_as_string(hide_password=False)


def hide_password(url: str) -> str:
    """Write a URL as messages may show it."""
    try:
        shown = sa.make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        shown = _AFTER_USER.sub(r"\1:***@", url)
    return _IN_QUERY.sub(r"\1=***", shown)
