"""Whatever statement or file call fails in a search with autologging: the program sees nothing, the record is sound."""

from __future__ import annotations

import hashlib
import itertools
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from fitbook.artifacts._local import LocalArtifacts
from fitbook.testing import faults
from fitbook.testing.faults import Fault
from fitbook.testing.invariants import problems

pytestmark = pytest.mark.swallows

Injected = Callable[[Fault], AbstractContextManager[None]]

# What is tried again fails again the second time; all that comes later still works.
TIMES = {"once": 1, "three-times": 3, "from-then-on": math.inf}
# Of a program that says more than this, nobody reads the first word.
MOST_WARNINGS = 3


def digest(content: bytes | Path) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()


@contextmanager
def meant_to_be_written() -> Iterator[set[str]]:
    """Collect the digests of all files that fitbook begins to write in this block."""
    found: set[str] = set()
    put = LocalArtifacts.put

    def noted(self: LocalArtifacts, path: str, content: Any) -> Any:
        found.add(digest(content))
        return put(self, path, content)

    with mock.patch.object(LocalArtifacts, "put", noted):
        yield found


class Trial:
    """The program under one fault after the other, compared with the same program without."""

    def __init__(self, program: Any, kept: Any, folder: Path) -> None:
        self.program, self.kept, self.folder = program, kept, folder
        self.plain = program(None)
        self.whole = self._recorded("whole")[1]

    def _recorded(self, name: str) -> tuple[Any, Any]:
        place = self.folder / name
        return self.program(place), self.kept(place)

    def run(self, fault: Fault, inject: Callable[[Path], AbstractContextManager[None]]) -> bool:
        """Look at one place; False if there is no such place any more."""
        place = self.folder / f"{fault.n}"
        with meant_to_be_written() as whole_files, inject(place):
            seen = self.program(place)
        told = f"fault {fault.n}, {fault.error}, at {fault.where}"
        assert seen.result == self.plain.result, told
        assert seen.output == self.plain.output, told
        assert problems(place) == [], told
        found = [
            file for file in place.rglob("artifacts/**/*") if file.is_file() and not file.name.startswith(".part-")
        ]
        assert {digest(file) for file in found} <= whole_files, f"{told}: half a file"
        kept = self.kept(place)
        complete = (kept.runs, kept.files, kept.statuses) == (self.whole.runs, self.whole.files, self.whole.statuses)
        assert complete or seen.warned, f"{told}: lost without a word: {self._lost(kept)}"
        assert len(seen.warned) <= MOST_WARNINGS, (told, seen.warned)
        # What can't be removed any more stays under its temporary name.
        assert fault.times > 1 or "unlink" in fault.where or not list(place.rglob(".part-*")), told
        shutil.rmtree(place, ignore_errors=True)
        return fault.hit

    def _lost(self, kept: Any) -> Any:
        return self.whole.files - kept.files, len(self.whole.runs), len(kept.runs), self.whole.statuses, kept.statuses


@pytest.fixture
def trial(program: Any, kept: Any, tmp_path: Path) -> Trial:
    return Trial(program, kept, tmp_path)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("error", faults.STATEMENT_FAULTS, ids=lambda error: error[1].replace(" ", "-"))
def test_statements(trial: Trial, full_length: bool, error: Any, times: float) -> None:
    step = 1 if full_length else 17
    first = 1 if full_length else 1 + faults.STATEMENT_FAULTS.index(error) * 2 + 3 * list(TIMES.values()).index(times)
    for n in itertools.count(first, step):
        fault = Fault(n, error, times=times)
        if not trial.run(fault, lambda place, fault=fault: faults.failing_statements(fault)):
            break
    assert fault.calls > 40, "the program did not do what it is here for"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("error", faults.FILE_FAULTS)
def test_files(trial: Trial, full_length: bool, error: int, times: float) -> None:
    step = 1 if full_length else 11
    first = 1 if full_length else 1 + faults.FILE_FAULTS.index(error) * 2 + 3 * list(TIMES.values()).index(times)
    for n in itertools.count(first, step):
        fault = Fault(n, (OSError, error, "injected"), times=times)
        if not trial.run(fault, lambda place, fault=fault: faults.failing_files(fault, place)):
            break
    assert fault.calls > 20, "the program did not do what it is here for"
