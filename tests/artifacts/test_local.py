from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitbook.artifacts import Artifacts, LocalArtifacts, checked
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable
from fitbook.testing.artifact_suite import SPELLINGS, ArtifactSuite, StreamingSuite


class TestLocal(ArtifactSuite, StreamingSuite):
    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> Artifacts:
        return LocalArtifacts(tmp_path / "runs" / "run" / "artifacts")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "run" / "artifacts"


@pytest.fixture
def artifacts(root: Path) -> LocalArtifacts:
    return LocalArtifacts(root)


def _everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- paths -----------------------------------------------------------------------------------------------------------


def test_there_are_at_least_forty_spellings() -> None:
    assert len(SPELLINGS) == len(set(SPELLINGS)) >= 40


@pytest.mark.parametrize("path", SPELLINGS, ids=lambda path: ascii(path)[:40])
def test_nothing_outside_is_touched(artifacts: LocalArtifacts, tmp_path: Path, path: Any) -> None:
    artifacts.put("a/inside", b"1")
    (tmp_path / "T").write_bytes(b"outside")
    before = _everything(tmp_path)
    for verb in (artifacts.read, artifacts.list, artifacts.delete, lambda path: artifacts.put(path, b"evil")):
        with pytest.raises(InvalidValue):
            verb(path)
    assert _everything(tmp_path) == before
    assert (tmp_path / "T").read_bytes() == b"outside"


@given(path=st.text(alphabet=st.sampled_from("a./\\%25eEfF~: \n\x00‥．;#?é\ud800"), max_size=12))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_accepted_stays_inside(tmp_path: Path, path: str) -> None:
    try:
        checked(path)
    except InvalidValue:
        return
    root = tmp_path / "root"
    assert root in Path(os.path.normpath(root / path)).parents


def test_a_symbolic_link_leads_nowhere(artifacts: LocalArtifacts, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    artifacts.put("a/b", b"1")
    (root / "link").symlink_to(outside)
    (root / "a" / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    (root / "loop").symlink_to(root / "loop")
    (root / "a" / "up").symlink_to(root)
    for path in ("link", "link/secret", "link/new", "a/file", "dangling", "loop", "loop/x", "a/up", "a/up/a/b"):
        calls: list[Callable[[], object]] = [
            lambda path=path: artifacts.put(path, b"evil"),
            lambda path=path: artifacts.read(path),
            lambda path=path: artifacts.open(path),
            lambda path=path: artifacts.list(path),
            lambda path=path: artifacts.find(path),
            lambda path=path: artifacts.local_path(path),
            lambda path=path: artifacts.delete(path),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="symbolic link"):
                call()
    assert [info.path for info in artifacts.list()] == ["a"]
    assert [info.path for info in artifacts.list("a")] == ["a/b"]
    assert [info.path for info in artifacts.find()] == [info.path for info in artifacts.find("a")] == ["a/b"]
    artifacts.delete("a")  # removes the links in it, and nothing behind them
    assert (outside / "secret").read_text() == "secret"
    assert _everything(outside) == ["secret"]
    assert not (tmp_path / "nothing").exists()


def test_the_run_may_itself_stand_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    artifacts = LocalArtifacts(tmp_path / "link" / "run")
    artifacts.put("a", b"1")
    assert artifacts.read("a") == b"1"


def test_a_swap_of_folders_and_links_while_verbs_run_leaks_nothing(
    artifacts: LocalArtifacts, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    for name in ("f", "deep/f"):
        (outside / name).write_bytes(b"secret")
    artifacts.put("d/deep/f", b"inside")
    artifacts.put("d/f", b"inside")
    (root / "link").symlink_to(outside)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    names = (os.fsencode(root / "d"), os.fsencode(root / "link"))
    done = threading.Event()
    swaps = failures = 0

    def swap() -> None:
        nonlocal swaps, failures
        while not done.is_set():
            failures += exchange(-100, names[0], -100, names[1], 2) != 0
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    seen: set[object] = set()
    verbs: list[Callable[[], object]] = [
        lambda: artifacts.read("d/f"),
        lambda: artifacts.read("d/deep/f"),
        lambda: [info.path for info in artifacts.list("d") + artifacts.find("d")].count("d/new"),
        lambda: artifacts.put("d/new", b"new").size,
        lambda: artifacts.put("d/new/er/f", b"new").size,
        lambda: artifacts.delete("d/deep"),
        lambda: artifacts.put("d/deep/f", b"inside").size,
    ]
    try:
        for verb in verbs * 2000:
            try:
                seen.add(verb())
            except (InvalidValue, NotFound, StoreUnavailable) as error:
                seen.add(type(error))
    finally:
        done.set()
        thread.join()
    assert b"secret" not in seen
    assert {b"inside", InvalidValue} <= seen  # both sides of the race were met
    assert swaps > 1000
    assert failures == 0
    assert _everything(outside) == ["deep", "deep/f", "f"]
    assert (outside / "f").read_bytes() == (outside / "deep" / "f").read_bytes() == b"secret"


def test_pipes_and_the_like_are_no_files(artifacts: LocalArtifacts, root: Path) -> None:
    artifacts.put("a", b"1")
    os.mkfifo(root / "pipe")
    for call in (artifacts.read, artifacts.open):
        with pytest.raises(StoreUnavailable, match="no regular file"):
            call("pipe")
    assert [info.path for info in artifacts.list()] == [info.path for info in artifacts.find()] == ["a"]


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_no_folder_and_a_folder_no_file(artifacts: LocalArtifacts) -> None:
    artifacts.put("a/b", b"1")
    calls: list[Callable[[], object]] = [
        lambda: artifacts.put("a", b"2"),
        lambda: artifacts.put("a/b/c", b"2"),
        lambda: artifacts.read("a"),
        lambda: artifacts.put("c", Path("/nothing/here")),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="can't be used: .*Check"):
            call()
    assert artifacts.read("a/b") == b"1"
    assert [info.path for info in artifacts.list()] == ["a"]


def test_a_file_that_could_not_be_written_leaves_the_old_one(
    artifacts: LocalArtifacts, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts.put("a", b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        artifacts.put("a", b"new")
    monkeypatch.undo()
    assert artifacts.read("a") == b"old"
    assert _everything(root) == ["a"]


def test_nobody_sees_half_a_file_of_a_process_that_is_killed(artifacts: LocalArtifacts, root: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from fitbook.artifacts import LocalArtifacts, _local\n"
        "def half(path, source, write):\n"
        "    write(b'half' * 10_000); os.kill(os.getpid(), 9)\n"
        "_local.copied = half\n"
        "LocalArtifacts(Path(sys.argv[1])).put('a', Path(sys.executable))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(root)]).returncode == -9
    assert len(_everything(root)) == 1  # the part that was written, under a name of its own
    assert artifacts.list() == []
    with pytest.raises(NotFound):
        artifacts.read("a")
    artifacts.put("a", b"whole")
    assert [info.path for info in artifacts.list()] == ["a"]


def test_files_have_the_rights_that_the_user_asked_for(artifacts: LocalArtifacts, root: Path) -> None:
    script = (
        "import os, sys; os.umask(0o027); from pathlib import Path; from fitbook.artifacts import LocalArtifacts\n"
        "LocalArtifacts(Path(sys.argv[1])).put('a', b'1')"
    )
    subprocess.run([sys.executable, "-c", script, str(root)], check=True)
    assert (root / "a").stat().st_mode & 0o777 == 0o640
