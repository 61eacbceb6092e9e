from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fitbook._journal import Entry, Journal, append, left_behind, objects, path_of

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


@pytest.mark.parametrize(
    "line", [b"", b"x", b"a b", b"a other.key {}", b"a fitbook.x {", b'a fitbook.x {"b":{}', b"\xff\xfe fitbook.x"]
)
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


@pytest.mark.parametrize("length", [1, 10, 60, -len(', "b": 1}\n'), -1])
def test_half_an_entry_on_a_full_disk_is_none_and_does_not_spoil_the_next(
    path: str, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    journal = Journal(path)
    note = NOTE._replace(value='{"test": {"a": 0.5}, "b": 1}')
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:length]))
    with pytest.raises(OSError, match="no room"):
        append(path, note)
    monkeypatch.undo()
    append(path, NOTE)
    whole = [note] if length == -1 else []
    assert journal.read() == left_behind(path) == [*whole, NOTE]
    journal.remove()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def test_one_file_at_most_stays_open_in_a_thread_and_none_at_the_end(path: str) -> None:
    before = open_files()
    journal, other = Journal(path), Journal(f"{path}2")
    for where in (path, path, other.path, path):
        append(where, NOTE)
    assert len(journal.read()) == 3
    thread = threading.Thread(target=append, args=(path, NOTE))
    thread.start()
    thread.join()
    assert open_files() == before + 1
    other.remove()
    journal.remove()
    assert open_files() == before


def test_a_handle_that_has_become_another_file_s_is_left_alone(path: str, tmp_path: Path) -> None:
    journal = Journal(path)
    first = os.open(os.devnull, os.O_RDONLY)
    os.close(first)
    append(path, NOTE)
    os.close(first)  # as a program does that closes all there are
    stranger = os.open(tmp_path / "stranger", os.O_WRONLY | os.O_CREAT)
    assert stranger == first
    append(path, NOTE)
    assert journal.read() == [NOTE, NOTE]
    journal.remove()
    os.close(stranger)
    assert (tmp_path / "stranger").read_bytes() == b""


def test_a_journal_that_is_there_and_can_t_be_read_is_not_taken_for_none(path: str) -> None:
    os.mkdir(path)
    with pytest.raises(IsADirectoryError):
        left_behind(path)


def test_a_journal_that_somebody_has_removed_is_made_again(path: str) -> None:
    journal = Journal(path)
    append(path, NOTE)
    assert journal.read() == [NOTE]
    os.unlink(path)
    assert journal.read() == []
    append(path, NOTE)
    assert journal.read() == [NOTE]
    journal.remove()


@pytest.mark.parametrize(
    ("text", "found"),
    [("{", []), ("1", []), ("", []), ("[" * 100_000, []), ('{"a":1}', [{"a": 1}]), ('[null,1,{"a":1}]', [{"a": 1}])],
)
def test_objects_of_a_text(text: str, found: list[object]) -> None:
    assert objects(text) == found


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
