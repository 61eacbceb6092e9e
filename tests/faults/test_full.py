"""A disk that gets full costs one warning and what did not fit any more, never the fit; with room again, all is as before."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from fitbook.store import _database
from fitbook.testing.invariants import problems

pytestmark = pytest.mark.swallows

KB = 1024


def let_go() -> None:
    """Close all connections."""
    for database in list(_database._databases):
        database.close()


@contextlib.contextmanager
def few_pages(folder: Path, room: int) -> Iterator[None]:
    """The database may not grow beyond so many bytes."""
    connect = sqlite3.dbapi2.connect

    def limited(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute(f"PRAGMA max_page_count = {max(1, room // 4096)}")
        return connection

    with mock.patch.object(sqlite3.dbapi2, "connect", limited):
        yield
    let_go()  # the connections would keep the limit


@contextlib.contextmanager
def small_files(folder: Path, room: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def small_disk(folder: Path, room: int) -> Iterator[None]:
    """There are so many bytes on the disk of the folder."""
    ballast = folder.parent / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder.parent).free - room)
    try:
        yield
    finally:
        ballast.unlink()


def can_mount() -> bool:
    """Whether this process may make a disk of its own: it is root, and not in a container that forbids it."""
    if os.geteuid() or not shutil.which("mount"):
        return False
    place = Path(tempfile.mkdtemp())  # one for each of pytest's workers, which ask at the same time
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode == 0:
        subprocess.run(["umount", place], check=True)
    place.rmdir()
    return done.returncode == 0


LIMITS: dict[str, Callable[[Path, int], AbstractContextManager[None]]] = {
    "few pages": few_pages,
    "small files": small_files,
    **({"small disk": small_disk} if can_mount() else {}),
}


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder; for the small disk, that of one."""
    if request.getfixturevalue("limit") != "small disk":
        yield tmp_path
        return
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=True)
    yield place
    # Nobody has a file open there any more, or this fails.
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("limit", LIMITS)
def test_at_any_size(
    program: Any, kept: Any, disk: Path, tmp_path: Path, limit: str, full_length: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = program(None)
    program(tmp_path / "whole")
    whole = kept(tmp_path / "whole")
    lost = 0
    for room in range(4 * KB, 600 * KB, (6 if full_length else 90) * KB):
        folder = disk / str(room)
        with LIMITS[limit](folder, room):
            seen = program(folder)
        told = f"{room} bytes"
        assert seen.result == plain.result, told
        assert seen.output == plain.output, told
        assert problems(folder) == [], told
        left = kept(folder)
        complete = (left.runs, left.files, left.statuses) == (whole.runs, whole.files, whole.statuses)
        assert len(seen.warned) == (0 if complete else 1), (told, seen.warned)
        lost += not complete
        # There is room again.
        again = program(folder)
        assert (again.result, again.warned) == (plain.result, []), told
        assert len(kept(folder).runs) == len(left.runs) + len(whole.runs), told
        assert problems(folder) == [], told
        let_go()  # what is open takes room though it is removed
        shutil.rmtree(folder)
    assert lost > 1, "the disk was never full"
