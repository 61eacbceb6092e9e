from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.artifacts import at_once, copied, noted, pieces
from fitbook.entities import StoredFile


@given(content=st.binary(max_size=100), repeat=st.sampled_from([0, 1, 30_000]))
def test_size_and_digest_of_a_stream(content: bytes, repeat: int) -> None:
    content *= repeat
    expected = StoredFile("a", len(content), hashlib.sha256(content).hexdigest())
    target = io.BytesIO()
    assert copied("a", pieces(io.BytesIO(content)), target.write) == expected
    assert target.getvalue() == content
    assert noted("a", pieces(content)) == expected


def test_pieces_are_small(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(5_000_000))
    assert max(map(len, pieces(tmp_path / "a"))) == 1 << 20


@pytest.mark.parametrize("workers", [1, 4])
def test_results_come_in_order_and_the_first_error_ends_it(workers: int) -> None:
    assert at_once(lambda n: n * 2, range(50), workers) == [n * 2 for n in range(50)]
    assert at_once(lambda n: n, [], workers) == []
    begun: list[int] = []
    hold = threading.Event()

    def fails(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise KeyError("first")
        hold.wait(0.01)

    with pytest.raises(KeyError, match="first"):
        at_once(fails, range(1000), workers)
    assert len(begun) < 500


def test_several_are_done_at_once() -> None:
    together = threading.Barrier(4, timeout=30)
    at_once(lambda n: together.wait(), range(4), 4)


def test_at_the_end_of_the_interpreter_it_goes_on_without_threads() -> None:
    script = """
import atexit, concurrent.futures
from fitbook.artifacts import at_once
atexit.register(lambda: print(at_once(lambda n: n + 1, range(3), 4)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")
