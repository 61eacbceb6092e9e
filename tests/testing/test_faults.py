"""Faults hit the n-th call, and only what they are meant for."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from fitbook.testing.faults import DISK_FULL, NO_SPACE, Fault, failing_files, failing_statements


def test_one_call_or_all_from_then_on() -> None:
    once, twice, lasting = (Fault(2, (KeyError, "k"), times=times) for times in (1, 2, math.inf))
    for fault, fails in ((once, "nynn"), (twice, "nyyn"), (lasting, "nyyy")):
        seen = []
        for call in ("a", "b", "c", "d"):
            try:
                fault(call)
            except KeyError:
                seen.append(True)
            else:
                seen.append(False)
        assert seen == [letter == "y" for letter in fails]
        assert (fault.hit, fault.where, fault.calls) == (True, "b", 4)
    assert not Fault(1, (KeyError,)).hit


def test_each_statement_counts_once_and_commits_too(tmp_path: Path) -> None:
    fault = Fault(99, DISK_FULL)
    with failing_statements(fault):
        connection = sqlite3.dbapi2.connect(tmp_path / "db", isolation_level=None)
    connection.execute("CREATE TABLE t (x)")
    connection.cursor().execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    connection.commit()
    connection.commit()  # of nothing
    assert fault.calls == 4
    connection.close()


def test_a_failed_commit_is_none(tmp_path: Path) -> None:
    with failing_statements(Fault(4, DISK_FULL)):
        connection = sqlite3.dbapi2.connect(tmp_path / "db", isolation_level=None)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        connection.commit()
    connection.rollback()
    assert connection.execute("SELECT * FROM t").fetchall() == []
    connection.close()


def test_files_below_the_folder(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    others.mkdir()
    fault = Fault(3, (OSError, NO_SPACE, "full"))
    with failing_files(fault, ours):
        (others / "file").write_text("untouched")
        ours.mkdir()
        with pytest.raises(OSError, match="full"):
            (ours / "file").write_text("0123456789")
    assert (ours / "file").read_text() == "01234"
    assert (others / "file").read_text() == "untouched"
    assert fault.where == "write"
