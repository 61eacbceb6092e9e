"""The filter language's syntax: text to lark's tree by ``filter.lark``, tokens to values, and where it went wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidFilter, InvalidValue

MAX_CHARS = 100_000
MAX_LEVELS = 100
# SQLite takes patterns of 50,000 bytes; a character may need 4 of them.
MAX_PATTERN = 10_000
# Regular expressions are run by the database, or by Python for SQLite, on every candidate.
MAX_REGEX = 1_000

_PIECES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[()'"`]""")
# What no database stores as text.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_BARE_WORD = re.compile(r"[^\s'\"`(),=<>!]+")

_FIELD = "a field such as metrics.acc or status"
_TEXT = "text in quotes"
_EXPECTED = {
    "FIELD": _FIELD,
    "NAME": _FIELD,
    "TICKED": _FIELD,
    "NUMBER": "a number",
    "SPECIAL": "a number",
    "TEXT": _TEXT,
    "QUOTED": _TEXT,
    "COMPARISON": "a comparison (= != < <= > >= LIKE ILIKE RLIKE IN BETWEEN IS)",
    "NULL": "NULL",
    "NOT": "NOT",
    "MATCH": "LIKE",
    "IN": "IN",
    "BETWEEN": "BETWEEN",
    "_AND": "AND",
    "_OR": "OR",
    "ASC": "ASC",
    "DESC": "DESC",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}


def syntax_tree(text: str, start: str) -> Any:
    """Parse a ``"filter"`` or an ``"order"`` into lark's tree of rules and tokens.

    Raises
    ------
    InvalidFilter
        The text does not follow the grammar, is too long, or is nested too deeply.
    InvalidValue
        It is no string.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"A filter or ordering is {text!r}, a {type(text).__name__}; give a string.")
    _check_characters(text)
    _check_brackets(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415

    try:
        return _parser().parse(text, start=start)
    except UnexpectedCharacters as error:
        position, expected = error.pos_in_stream or 0, error.allowed or ()
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        position = len(text) if at_end else error.token.start_pos or 0
        expected = error.accepts or error.expected
    raise InvalidFilter(text, position, _reason(text, position, set(expected)))


def unquote(text: str) -> str:
    """Take the quotes off, if there are any; a doubled quote inside is one."""
    quote = text[:1]
    return text[1:-1].replace(quote * 2, quote) if quote in ("'", '"', "`") else text


def closest(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such name, and which one may be meant."""
    known = list(known)
    near = get_close_matches(name.lower(), known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no {kind} {name[:60]!r}{meant} There is: {', '.join(known)}."


def text_value(text: str, token: Any, op: str) -> str:
    """Read the token of a text, and check it if it is a pattern."""
    value = unquote(token)
    if "LIKE" in op and len(value) > (limit := MAX_REGEX if op.endswith("RLIKE") else MAX_PATTERN):
        raise InvalidFilter(text, token.start_pos, f"the pattern has more than {limit:,} characters.")
    if op.endswith("RLIKE"):
        try:
            re.compile(value)
        # The last is for those who turn warnings into errors.
        except (re.error, OverflowError, RecursionError, FutureWarning) as error:
            offset = getattr(error, "pos", None) or 0
            reason = f"not a regular expression: {error}."
            raise InvalidFilter(text, token.start_pos + 1 + offset, reason) from error
    return value


def number_value(text: str, token: Any) -> float:
    """Read the token of a number; whole numbers of 64 bits stay exact."""
    value = float(token)
    if math.isinf(value) and token.type == "NUMBER":
        raise InvalidFilter(text, token.start_pos, "this number is beyond 64-bit floats; write inf for infinity.")
    digits = token.lstrip("+-")
    if digits.isdecimal() and len(digits) < 20 and abs(int(token)) < 2**63:
        return int(token)
    return value


@cache
def _parser() -> Any:
    from lark import Lark  # noqa: PLC0415

    grammar = Path(__file__).with_name("filter.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["filter", "order"])


def _check_characters(text: str) -> None:
    if len(text) > MAX_CHARS:
        # Shown cut, for the message holds the text.
        reason = f"it goes on for {len(text):,} characters; at most {MAX_CHARS:,} are allowed."
        raise InvalidFilter(text[:80] + "…", 80, reason)
    if bad := _NOT_TEXT.search(text):
        raise InvalidFilter(
            text.encode("utf-8", "replace").decode().replace("\0", "?"),
            bad.start(),
            f"the character U+{ord(bad[0]):04X} can't occur in what is searched.",
        )


def _check_brackets(text: str) -> None:
    level = 0
    for piece in _PIECES.finditer(text):
        if piece[0] in ("'", '"', "`"):
            raise InvalidFilter(
                text, piece.start(), f"the quote that opens here is not closed; add {piece[0]} after it."
            )
        level += {"(": 1, ")": -1}.get(piece[0], 0)
        if level < 0:
            raise InvalidFilter(text, piece.start(), "this ')' closes nothing; take it away or add a '(' before it.")
        if level > MAX_LEVELS:
            raise InvalidFilter(text, piece.start(), f"more than {MAX_LEVELS} levels of parentheses.")


def _reason(text: str, position: int, expected: set[str]) -> str:
    if "FIELD" in expected:
        expected = expected - {"QUOTED"}
    words = list(dict.fromkeys(word for name, word in _EXPECTED.items() if name in expected))
    found = _BARE_WORD.match(text, position)
    shown = found[0][:40] if found else text[position : position + 1]
    if not words or {"COMPARISON", "MATCH", "IN"} <= expected:
        # After a field everything that may follow is a comparison of some kind.
        words = [_EXPECTED["COMPARISON"]]
    listed = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if not shown:
        return f"the text ends where {listed} should follow."
    hint = f" Write text in quotes: '{shown}'." if found and "TEXT" in expected and shown[0].isalpha() else ""
    return f"expected {listed}, found {shown!r}.{hint}"
