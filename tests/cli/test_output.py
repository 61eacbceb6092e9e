from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.cli import _output
from fitbook.cli._output import clipped, duration, emit_json, moment, number, printable, size, table, width


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(_output, "terminal_columns", lambda: 40)
    return monkeypatch


def test_columns_line_up() -> None:
    text = table(["name", "n"], [["a", "1"], ["longer", "23"]], right=[1])
    assert text == "name     n\na        1\nlonger  23"


def test_wide_characters_line_up() -> None:
    lines = table(["name", "x"], [["模型", "1"], ["e\u0301te\u0301", "2"], ["🎯🎯", "3"]]).splitlines()
    assert {width(line[: line.rindex(end)]) for line, end in zip(lines, "x123", strict=True)} == {6}


def test_without_a_terminal_nothing_is_cut() -> None:
    assert "x" * 500 in table(["key", "value"], [["k", "x" * 500]])


def test_on_a_terminal_the_widest_column_is_cut(terminal: pytest.MonkeyPatch) -> None:
    text = table(["key", "value"], [["k" * 10, "模" * 100]])
    assert all(width(line) <= 40 for line in text.splitlines())
    assert "k" * 10 in text
    assert "…" in text


def test_on_a_terminal_columns_without_room_are_left_out_and_named(terminal: pytest.MonkeyPatch) -> None:
    text = table([f"column{n}" for n in range(9)], [["x" * 9] * 9])
    assert all(width(line) <= 40 for line in text.splitlines()[:2])
    assert "no room for: column" in text.splitlines()[2]
    assert "column8" in text.splitlines()[2]


@given(st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=4), st.integers(20, 60))
def test_a_table_always_fits(rows: list[list[str]], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_output, "terminal_columns", lambda: limit)
        lines = table(["one", "two", "three"], rows).split("\n")
    assert len(lines) in (len(rows) + 1, len(rows) + 2)
    assert all(width(line) <= limit for line in lines[: len(rows) + 1])


def test_numbers_are_never_cut_and_their_headers_at_the_front(terminal: pytest.MonkeyPatch) -> None:
    text = table(["name", "training_accuracy_score"], [["n" * 40, "0.123456"]], right=[1], whole=[1])
    header, row, *_ = text.splitlines()
    assert header.endswith("accuracy_score")
    assert header.split()[1].startswith("…")
    assert row.endswith("0.123456")
    assert width(header) == width(row) == 40


@given(st.text(), st.integers(1, 40), st.booleans())
def test_clipping_never_exceeds_the_room(text: str, room: int, front: bool) -> None:
    cut = clipped(text, room, front=front)
    assert width(cut) <= room
    assert cut == text or (text.endswith(cut[1:]) if front else text.startswith(cut[:-1]))


@given(st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zp", "Lu"])))
def test_no_control_character_gets_through(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) >= len(text)


def test_an_escape_sequence_is_shown_not_obeyed() -> None:
    assert printable("\x1b[31mred\n") == "\\x1b[31mred\\n"
    assert printable("Größe 模型 🎯") == "Größe 模型 🎯"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1500, "1.5 s"),
        (90_000, "1.5 min"),
        (7_200_000, "2.0 h"),
        (10**9, "11.6 d"),
    ],
)
def test_durations(milliseconds: int | None, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (123_456, "123 kB"),
        (999_999, "1.0 MB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert size(count) == text


def test_numbers() -> None:
    assert [number(v) for v in (0.9737281, 1.0, 1e-9, float("nan"))] == ["0.973728", "1", "1e-09", "nan"]


def test_moments() -> None:
    assert moment(None) == "-"
    assert moment(1_700_000_000_000).startswith("2023-11-1")
    assert moment(10**20) == f"{10**20} ms"


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"a": [float("nan"), float("inf"), -float("inf"), 1.5], "b": ("模", None)})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": ["NaN", "Infinity", "-Infinity", 1.5], "b": ["模", None]}
