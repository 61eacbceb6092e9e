"""How things are timed: interleaved rounds, medians with their spread, and goals. Standard library only."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds and the middle half around it, in seconds."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise one value per round."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: at most ``seconds`` plus ``share`` of the plain call's time."""

    seconds: float
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the results.

    Attributes
    ----------
    name : str
        Same for every tool, so that rows can be put side by side.
    title : str
        What the table says.
    added : Spread
        What the tool costs on top of ``plain``; with ``whole``, the time of the whole call instead.
    plain : Spread or None
        The baseline of the same rounds.
    goal : Goal or None
        Held against ``added.median``.
    whole : bool
        There is no call without the tool to subtract; ``plain`` is then the least that such a call could cost.
    runs : int or None
        Runs that the tool recorded per call.
    """

    name: str
    title: str
    added: Spread
    plain: Spread | None = None
    goal: Goal | None = None
    whole: bool = False
    runs: int | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How many rounds are affordable: full, a quick look, or a slow peer."""

    quick: bool = False
    peer: bool = False

    def rounds(self, full: int, *, quick: int = 3) -> int:
        """Number of rounds for something that deserves ``full`` rounds when there is time."""
        if self.peer:
            return min(full, 1 if self.quick else 3)
        return min(full, quick) if self.quick else full


class Switch(Protocol):
    """A tool that records fits, and can be turned on and off."""

    def on(self) -> None: ...
    def off(self) -> None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds, one value per round."""

    plain: list[float]
    added: list[float]
    added_flushed: list[float]


def clock(call: Callable[[], object]) -> float:
    """Seconds that a call takes, with garbage of earlier calls out of the way."""
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleave(tool: Switch, call: Callable[[], float], rounds: int) -> Rounds:
    """Time a call with the tool on and off in turn, so that whatever else the machine does hits both alike.

    Parameters
    ----------
    tool : Switch
        Is off before and after; what it still has to write is flushed before the plain call runs.
    call : callable
        Returns its own seconds.
    rounds : int
        Pairs of calls; one more pair goes first and isn't counted, so that both are warm.
    """

    def recorded() -> tuple[float, float]:
        tool.on()
        try:
            seconds = call()
            return seconds, seconds + clock(tool.flush)
        finally:
            tool.off()

    result = Rounds([], [], [])
    for number in range(rounds + 1):
        # Whoever goes second finds warm caches, so they take turns.
        if number % 2:
            plain = call()
            returned, flushed = recorded()
        else:
            returned, flushed = recorded()
            plain = call()
        if number:
            result.plain.append(plain)
            result.added.append(returned - plain)
            result.added_flushed.append(flushed - plain)
    return result
