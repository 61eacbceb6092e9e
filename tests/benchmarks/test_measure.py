"""What is called overhead really is the difference between a recorded call and the plain one beside it."""

from __future__ import annotations

import time

import pytest

from benchmarks.measure import Effort, Spread, clock, interleave


class Slow:
    """A tool that says that it adds one second to each call."""

    def __init__(self) -> None:
        self.is_on = False
        self.unwritten = False
        self.history: list[str] = []

    def on(self) -> None:
        assert not self.is_on
        self.is_on = True

    def off(self) -> None:
        assert self.is_on
        self.is_on = False

    def flush(self) -> None:
        assert self.is_on
        self.unwritten = False

    def call(self) -> float:
        assert not self.unwritten, "a call must not compete with what an earlier one has left to write"
        self.unwritten = self.is_on
        self.history.append("on" if self.is_on else "off")
        return 3.0 if self.is_on else 2.0


def test_both_sides_take_turns_and_the_warm_pair_is_not_counted() -> None:
    tool = Slow()
    rounds = interleave(tool, tool.call, 4)
    assert tool.history == ["on", "off", "off", "on", "on", "off", "off", "on", "on", "off"]
    assert rounds.plain == [2.0] * 4
    assert rounds.added == [1.0] * 4
    assert all(1.0 < flushed < 2.0 for flushed in rounds.added_flushed)


def test_the_tool_is_off_after_a_failed_call() -> None:
    tool = Slow()

    def fail() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interleave(tool, fail, 2)
    assert not tool.is_on


def test_the_clock_counts_the_call() -> None:
    assert clock(lambda: time.sleep(0.01)) >= 0.01


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3.0], Spread(3.0, 3.0, 3.0, 1)), ([1.0, 5.0, 2.0, 4.0, 3.0], Spread(3.0, 2.0, 4.0, 5))],
)
def test_a_spread_is_the_median_and_the_middle_half(values: list[float], expected: Spread) -> None:
    assert Spread.of(values) == expected


@pytest.mark.parametrize(
    ("effort", "rounds"),
    [
        (Effort(), 30),
        (Effort(quick=True), 3),
        (Effort(peer=True), 3),
        (Effort(quick=True, peer=True), 1),
    ],
)
def test_effort_decides_the_rounds(effort: Effort, rounds: int) -> None:
    assert effort.rounds(30) == rounds
