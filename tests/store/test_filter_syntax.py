"""Where and why a text is refused."""

from __future__ import annotations

import pytest

from fitbook.errors import InvalidFilter, InvalidValue
from fitbook.store._filter import RUNS, parse
from fitbook.store._filter_syntax import MAX_CHARS, MAX_LEVELS, MAX_PATTERN, MAX_REGEX, syntax_tree, unquote


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("metrics.acc >", 13, "the text ends where a number or text in quotes should follow"),
        ("metrics.acc == 1", 13, "found '='"),
        ("status = FINISHED", 9, "Write text in quotes: 'FINISHED'"),
        ("status", 6, "a comparison"),
        ("status FINISHED", 7, "expected a comparison"),
        ("status = 'a' AND AND", 17, "expected a field such as metrics.acc or status, NOT or '(', found 'AND'"),
        ("status = 'a' or", 15, "the text ends"),
        ("status = 'a' metrics.a = 1", 13, "expected AND, OR or the end"),
        ("(status = 'a'", 13, "')'"),
        ("status = 'a')", 12, "closes nothing"),
        ("params.x IN ()", 13, "found ')'"),
        ("params.x IN 5", 12, "expected '('"),
        ("params.x BETWEEN 5", 18, "AND"),
        ("params.x NOT = 5", 13, "LIKE"),
        ("status IS 5", 10, "NULL"),
        ("metrics.a = 5abc", 12, "found '5abc'"),
        ("metrics.a > 1e999", 12, "64-bit"),
        ("= 5", 0, "expected a field"),
        ("status = 'x", 9, "not closed"),
        ("status = x'", 10, "not closed"),
        ("tags.`a = 'x'", 5, "not closed"),
        ("status RLIKE 'a(b'", 15, "regular expression"),
        ("status = 'a\0'", 11, "U+0000"),
        ("status = '\udc80'", 10, "U+DC80"),
        ("status = 'x'; DROP TABLE runs", 12, "found ';'"),
    ],
)
def test_errors_point_at_the_character(text: str, position: int, reason: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(text, RUNS)
    assert reason in caught.value.reason
    assert caught.value.position == position
    str(caught.value).encode()


def test_the_message_has_the_text_and_an_arrow() -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse("status = 5", RUNS)
    assert str(caught.value).splitlines()[1:] == ["  status = 5", "           ^"]


def test_parentheses_are_limited() -> None:
    inside = "status = 'x'"
    syntax_tree("(" * MAX_LEVELS + inside + ")" * MAX_LEVELS, "filter")
    with pytest.raises(InvalidFilter, match="levels of parentheses") as caught:
        syntax_tree("(" * (MAX_LEVELS + 1) + inside + ")" * (MAX_LEVELS + 1), "filter")
    assert caught.value.position == MAX_LEVELS
    # Parentheses in quotes are only characters.
    syntax_tree(f"status = '{'(' * 200}'", "filter")


def test_length_is_limited() -> None:
    text = f"status = '{'x' * (MAX_CHARS - 11)}'"
    syntax_tree(text, "filter")
    with pytest.raises(InvalidFilter, match="at most 100,000"):
        syntax_tree(text + " ", "filter")


def test_patterns_are_limited() -> None:
    parse(f"status LIKE '{'x' * MAX_PATTERN}'", RUNS)
    for op, limit in (("LIKE", MAX_PATTERN), ("NOT ILIKE", MAX_PATTERN), ("RLIKE", MAX_REGEX)):
        with pytest.raises(InvalidFilter, match="the pattern has more than"):
            parse(f"status {op} '{'x' * (limit + 1)}'", RUNS)
    with pytest.raises(InvalidFilter):
        parse(f"status RLIKE '{'(' * MAX_REGEX}'", RUNS)


def test_only_strings_are_read() -> None:
    with pytest.raises(InvalidValue, match="give a string"):
        syntax_tree(b"status = 'x'", "filter")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quoted", "plain"), [("a.b", "a.b"), ("`a``b`", "a`b"), ('"a""b"', 'a"b'), ("'it''s'", "it's"), ("''", "")]
)
def test_unquote(quoted: str, plain: str) -> None:
    assert unquote(quoted) == plain
