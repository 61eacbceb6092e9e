"""Page tokens: where the next page of a search begins, as text that fits into an address.

A token holds the place of the last result, not how many there were before: what is written meanwhile neither repeats
nor hides results, and page 100 costs what page 1 does. It also holds a digest of itself and of the search that it belongs
to, so that it can't be used for another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from fitbook.errors import InvalidValue
from fitbook.store._filter_order import PLACE, Ordering, Place


def write_token(search: Sequence[Any], place: Place) -> str:
    """Make the token for what comes after a place in a search, which is described by what JSON can hold."""
    text = json.dumps([_digest(search, place), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(search: Sequence[Any], token: str | None) -> Place | None:
    """Read the token of a search; None if it is to begin at the start.

    Raises
    ------
    InvalidValue
        It is not what this search has returned.
    """
    if token is None or token == "":
        return None
    try:
        place: list[Any]
        digest, *place = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
        known = digest == _digest(search, place)
    except (TypeError, ValueError, RecursionError):
        known = False
    if not known:
        raise InvalidValue(
            f"The page token {str(token)[:60]!r} is not one that this search has returned; ask for the first page without "
            "a token, and for the others with the token of the page before and the same filter, order, and view."
        )
    return place


def find_page(
    connection: Connection,
    query: sa.Select[Any],
    ordering: Ordering,
    search: Sequence[Any],
    size: int,
    token: str | None,
) -> tuple[Sequence[Row[Any]], str | None]:
    """Run a query for one page; return its rows, the last columns of which are their places, and the next page's token."""
    after = read_token(search, token)
    query = ordering.apply(query.add_columns(*ordering.columns()))
    if after is not None:
        query = query.where(ordering.after(after))
    return cut_page(connection.execute(query.limit(size + 1)).all(), search, size)


def cut_page(found: Sequence[Row[Any]], search: Sequence[Any], size: int) -> tuple[Sequence[Row[Any]], str | None]:
    """Return the rows of a page, of which one too many was asked for, and the token if there was one too many."""
    if len(found) <= size:
        return found, None
    last = found[size - 1]._mapping
    return found[:size], write_token(search, [last[key] for key in last if str(key).startswith(PLACE)])


def _digest(search: Sequence[Any], place: Place) -> str:
    content = json.dumps([search, list(place)]).encode()
    return hashlib.blake2b(content, digest_size=9).hexdigest()


def check_size(max_results: object) -> int:
    """Check how many results a page may have.

    Raises
    ------
    InvalidValue
        It is not a whole number above 0.
    """
    if not isinstance(max_results, int) or isinstance(max_results, bool) or max_results < 1:
        raise InvalidValue(f"max_results is {max_results!r}; give a whole number of at least 1.")
    return max_results
