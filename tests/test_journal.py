from __future__ import annotations

import os
from pathlib import Path

import pytest

from fitbook import _journal
from fitbook._journal import Entry, Journal, append, left_behind, path_of

NOTE = Entry("a" * 32, "fitbook.split.0.1", '{"test": 0.5}')


@pytest.fixture
def path(tmp_path: Path) -> str:
    return path_of(str(tmp_path / "fitbook.db"), "b" * 32)


def test_what_is_appended_is_read_once_and_in_order(path: str) -> None:
    journal = Journal(path)
    notes = [NOTE._replace(key=f"fitbook.split.{n}.0") for n in range(5)]
    for note in notes[:3]:
        append(path, note)
    assert journal.read() == notes[:3]
    assert journal.read() == []
    for note in notes[3:]:
        append(path, note)
    assert journal.read() == notes[3:]
    assert left_behind(path) == notes
    journal.remove()
    assert not os.path.exists(path)
    assert (journal.read(), left_behind(path)) == ([], [])


def test_half_an_entry_is_none_until_it_is_whole(path: str) -> None:
    journal = Journal(path)
    with open(path, "a") as file:
        file.write("a fitbook.x {")
        file.flush()
        assert journal.read() == []
        assert left_behind(path) == []
        file.write('"b":1}\n\n')
    assert journal.read() == [Entry("a", "fitbook.x", '{"b":1}')]
    journal.remove()


@pytest.mark.parametrize("line", [b"", b"x", b"a b", b"a other.key {}", b"a fitbook.x {", b"\xff\xfe fitbook.x"])
def test_what_is_no_entry_is_passed_over(path: str, line: bytes) -> None:
    journal = Journal(path)
    Path(path).write_bytes(line + b"\n")
    append(path, NOTE)
    assert journal.read() == [NOTE]
    journal.remove()


def test_only_who_keeps_the_run_makes_the_file(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        append(path, NOTE)
    assert not os.path.exists(path)


def test_half_an_entry_on_a_full_disk_does_not_spoil_the_next(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda handle, line: write(handle, line[:10]) if len(line) > 1 else write(handle, line)
    )
    with pytest.raises(OSError, match="no room"):
        append(path, NOTE)
    monkeypatch.undo()
    append(path, NOTE)
    assert journal.read() == [NOTE]
    journal.remove()


def test_few_files_stay_open(tmp_path: Path) -> None:
    paths = [str(tmp_path / str(n)) for n in range(20)]
    for path in paths:
        Path(path).touch()
        append(path, NOTE)
    assert set(_journal._open) <= set(paths)
    assert len(_journal._open) <= _journal._MAX_OPEN
    assert all(left_behind(path) == [NOTE] for path in paths)
    for path in paths:
        _journal.forget(path)
    assert not _journal._open


def test_a_program_that_closes_everything_loses_nothing_and_finds_nothing_of_ours_in_its_files(
    path: str, tmp_path: Path
) -> None:
    journal = Journal(path)
    append(path, NOTE)
    handle = _journal._open[path][0]
    os.close(handle)
    mine = os.open(tmp_path / "mine", os.O_WRONLY | os.O_CREAT)
    assert mine == handle
    append(path, NOTE)
    journal.remove()
    os.write(mine, b"still open")
    os.close(mine)
    assert (tmp_path / "mine").read_text() == "still open"


def test_forked_processes_append_to_the_same_file(path: str) -> None:
    journal = Journal(path)
    append(path, NOTE)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            for n in range(200):
                append(path, NOTE._replace(key=f"fitbook.split.{os.getpid()}.{n}"))
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len({entry.key for entry in journal.read()}) == 801
    journal.remove()
