"""A store that another process keeps locked delays a fit by a bounded wait, and gets everything when it is free."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import fitbook
from fitbook.store import open_store
from fitbook.testing.invariants import problems

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def locked(folder: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Keep the database locked from another process, for so long from now on."""
    command = [sys.executable, "-c", HOLDER, str(folder / "fitbook.db"), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        try:
            yield holder
        finally:
            holder.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("opened", [True, False], ids=["open-already", "not-opened-yet"])
def test_the_fit_waits_a_moment_and_nothing_is_lost(
    program: Any, kept: Any, tmp_path: Path, full_length: bool, opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 60.0 if full_length else 4.0
    if not full_length:
        # The lock is held for longer than any single wait.
        monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "0.3")
        monkeypatch.setenv("FITBOOK_SQLITE_TIMEOUT", "1")
    whole = (program(tmp_path / "whole"), kept(tmp_path / "whole"))[1]
    folder = tmp_path / "store"
    if opened:
        fitbook.set_tracking_uri(folder)
        assert fitbook.search_runs(output_format="list") == []
    else:
        open_store(folder).close()
    plain = program(None)
    with locked(folder, seconds):
        seen = program(folder)  # flushes at its end
    assert seen.result == plain.result
    assert seen.output == ""
    assert len(seen.warned) == 1
    assert "the store is busy" in seen.warned[0]
    assert problems(folder) == []
    assert kept(folder) == whole


def test_a_loop_of_fits_goes_on_and_is_recorded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "0.5")
    fitbook.set_tracking_uri(tmp_path)
    fitbook.search_runs()
    fitbook.autolog(log_plots=False)
    with locked(tmp_path, 600) as holder, pytest.warns(fitbook.FitbookWarning, match="busy") as raised:  # noqa: PT031
        for _ in range(10):
            LogisticRegression().fit(*data)
        assert holder.poll() is None, "the store was free while the loop ran"
        holder.kill()
        holder.wait()
        found = fitbook.search_runs(output_format="list")
    assert len(raised) == 1
    assert [run.info.status for run in found] == ["FINISHED"] * 10


@pytest.mark.swallows
def test_a_store_that_is_never_free_costs_one_long_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Any
) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "0.1")
    monkeypatch.setenv("FITBOOK_SQLITE_TIMEOUT", "1")
    monkeypatch.setenv("FITBOOK_EXIT_TIMEOUT", "3")
    fitbook.set_tracking_uri(tmp_path)
    fitbook.search_runs()
    fitbook.autolog(log_plots=False)
    with warnings.catch_warnings(record=True) as raised, locked(tmp_path, 600):
        warnings.simplefilter("always")
        LogisticRegression().fit(*data)
        began = time.monotonic()
        fitbook.flush()
        assert time.monotonic() - began > 2, "it has given up too early"
    said = [str(warning.message) for warning in raised]
    assert ["the store is busy" in said[0], "can't be used: database is locked" in said[1]] == [True, True]
    assert len(said) == 2
