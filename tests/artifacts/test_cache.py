from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from fitbook.artifacts import _cache
from fitbook.artifacts._cache import _Cache

# Downloads "content of <path>" into a cache of its own, and tells where.
SCRIPT = """
import sys, time
from fitbook.artifacts import _cache
print(_cache.local("place", "a", {"a": "1"}, lambda path, file: file.write(path.encode())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Cache:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return _Cache()


def _content(path: str, file: BinaryIO) -> None:
    file.write(path.encode())


def _process(tmp_path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_only_its_user_may_read_it_whatever_the_umask(cache: _Cache, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache.local("place", "a", {"a/b/c": "1", "a/d": "1"}, _content)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}
    cache.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_failed_is_tried_again_and_the_rest_is_kept(cache: _Cache) -> None:
    seen: list[str] = []

    def torn(path: str, file: BinaryIO) -> None:
        seen.append(path)
        file.write(b"half")
        if path == "a/2" and seen.count(path) == 1:
            raise OSError("torn")

    versions = {f"a/{number}": "1" for number in range(5)}
    with pytest.raises(OSError, match="torn"):
        cache.local("place", "a", versions, torn)
    folder = cache.local("place", "a", versions, torn)
    assert seen.count("a/2") == 2
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "3", "4"]
    calls = len(seen)
    cache.local("place", "a", versions, torn)
    assert len(seen) == calls


def test_places_do_not_mix(cache: _Cache) -> None:
    first = cache.local("one", "a", {"a": "1"}, lambda path, file: file.write(b"one"))
    second = cache.local("two", "a", {"a": "1"}, lambda path, file: file.write(b"two"))
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


def test_what_is_gone_there_goes_here_and_nothing_else(cache: _Cache) -> None:
    folder = cache.local("place", "", {"a/x": "1", "a/y": "1", "ab": "1"}, _content)
    cache.local("place", "a", {"a/x": "1"}, _content)
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == ["a/x", "ab"]


def test_a_folder_that_somebody_removed_is_made_again(cache: _Cache, tmp_path: Path) -> None:
    first = cache.local("place", "a", {"a": "1"}, _content)
    for folder in tmp_path.iterdir():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    assert not first.exists()
    assert cache.local("place", "a", {"a": "1"}, _content).read_bytes() == b"a"


def test_threads_download_once(cache: _Cache) -> None:
    seen: list[str] = []

    def slow(path: str, file: BinaryIO) -> None:
        seen.append(path)
        file.write(b"1")

    threads = [
        threading.Thread(target=cache.local, args=("place", "a", {"a/x": "1", "a/y": "1"}, slow)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["a/x", "a/y"]


def test_it_goes_with_its_process_and_after_a_killed_one_with_the_next(cache: _Cache, tmp_path: Path) -> None:
    alive, killed, ends = (_process(tmp_path) for _ in range(3))
    places = {
        process: Path(str(process.stdout and process.stdout.readline()).strip()) for process in (alive, killed, ends)
    }
    assert all(place.read_bytes() == b"a" for place in places.values())
    ends.communicate("")
    assert not places[ends].parents[1].exists()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert places[killed].exists()
    (tmp_path / "fitbook-cache-stranger").mkdir()
    cache.local("place", "a", {"a": "1"}, _content)
    assert not places[killed].parents[1].exists()
    assert places[alive].exists()
    assert (tmp_path / "fitbook-cache-stranger").exists()  # without a lock: being made now, or not ours
    alive.communicate("")


def test_the_module_has_one_for_all() -> None:
    assert _cache.local.__self__ is _cache._cache
