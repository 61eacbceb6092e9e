from __future__ import annotations

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

from fitbook.artifacts import LocalArtifacts, checked, open_artifacts
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable

# The ways in which the same attack on paths has been spelt; T stands for a file outside the run.
SPELLINGS: list[Any] = [
    "../T",
    "a/../../T",
    "..%2fT",
    "%2e%2e/T",
    "%252e%252e%252fT",
    *["%" + "25" * n + "2e" + "%" + "25" * n + "2fT" for n in (3, 20)],
    "..%c0%afT",
    "..%u2215T",
    "..\\T",
    "..%5cT",
    "%5c..%5cT",
    "/T",
    "//T",
    "///T",
    "file:///T",
    "file:T",
    "C:/T",
    "C:\\T",
    "\\\\h\\s\\T",
    "a#/../T",
    "a?/../T",
    "a;/../T",
    "a%00/../T",
    "a%00",
    ".",
    "./",
    "%2e",
    " ",
    "a//b",
    "a/./b",
    "....//T",
    "..;/T",
    "~root/T",
    "a\n/../T",
    "a\r\nX: y",
    "．．／T",
    "‥/T",
    "x" * 300,
    "/".join(["x" * 99] * 50),
    "/".join(["x"] * 1000),
    "caf\udce9",
]
MORE = ["a/", "/", "..", "a/..", "a/ /b", " a", "a ", "\x00", "a\x00b", "a\x7f", "a/\ud800", None, 3, b"a", Path("a")]


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


@pytest.mark.parametrize("path", SPELLINGS + MORE, ids=lambda path: ascii(path)[:40])
def test_paths_that_lead_out_are_refused(artifacts: LocalArtifacts, root: Path, tmp_path: Path, path: Any) -> None:
    artifacts.put("a/inside", b"1")
    (tmp_path / "T").write_bytes(b"outside")
    before = _everything(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: artifacts.put(path, b"evil"),
        lambda: artifacts.read(path),
        lambda: artifacts.list(path),
        lambda: artifacts.local_path(path),
        lambda: artifacts.delete(path),
    ]
    for call in calls:
        with pytest.raises(InvalidValue, match="artifact path") as caught:
            call()
        assert "Write it like" in str(caught.value)
    assert _everything(tmp_path) == before
    assert (tmp_path / "T").read_bytes() == b"outside"


def test_the_root_itself_can_be_listed_but_not_written(artifacts: LocalArtifacts, root: Path) -> None:
    assert artifacts.list("") == []
    artifacts.put("a", b"1")
    assert artifacts.local_path("") == root
    for place in (artifacts, LocalArtifacts(root.parent / "not yet there")):
        for call in (lambda place=place: place.put("", b"1"), lambda place=place: place.delete("")):
            with pytest.raises(InvalidValue):
                call()
    assert not (root.parent / "not yet there").exists()
    assert artifacts.read("a") == b"1"


GOOD = [
    "a",
    "a/b/c.txt",
    "größe/模型 🙂.png",
    "a b/c d",
    ".hidden",
    "a..b",
    "名：前",
    "a;b",
    "x" * 255,
    "%",
    "100%.txt",
    "a%2",
    "é",
]


@pytest.mark.parametrize("path", GOOD, ids=ascii)
def test_plain_paths_are_taken_as_they_are(artifacts: LocalArtifacts, path: str) -> None:
    assert checked(path) == path
    artifacts.put(path, b"content")
    assert artifacts.read(path) == b"content"
    folder = path.rpartition("/")[0]
    assert [(info.path, info.is_dir, info.file_size) for info in artifacts.list(folder)] == [(path, False, 7)]


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
    for path in ("link", "link/secret", "link/new", "a/file", "dangling"):
        calls: list[Callable[[], object]] = [
            lambda path=path: artifacts.put(path, b"evil"),
            lambda path=path: artifacts.read(path),
            lambda path=path: artifacts.list(path),
            lambda path=path: artifacts.local_path(path),
            lambda path=path: artifacts.delete(path),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="symbolic link"):
                call()
    assert [info.path for info in artifacts.list()] == ["a"]
    assert [info.path for info in artifacts.list("a")] == ["a/b"]
    assert (outside / "secret").read_text() == "secret"
    assert _everything(outside) == ["secret"]
    assert not (tmp_path / "nothing").exists()


def test_the_run_may_itself_stand_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    artifacts = LocalArtifacts(tmp_path / "link" / "run")
    artifacts.put("a", b"1")
    assert artifacts.read("a") == b"1"


# -- files -----------------------------------------------------------------------------------------------------------


def test_files_are_overwritten_copied_and_removed(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"\x00\xff" * 1_000_000)
    artifacts.put("a/b", b"old")
    artifacts.put("a/b", tmp_path / "local")
    artifacts.put("a/c", b"")
    assert artifacts.read("a/b") == b"\x00\xff" * 1_000_000
    assert [(i.path, i.is_dir, i.file_size) for i in artifacts.list()] == [("a", True, None)]
    assert [(i.path, i.file_size) for i in artifacts.list("a")] == [("a/b", 2_000_000), ("a/c", 0)]
    assert artifacts.local_path("a/b").read_bytes() == artifacts.read("a/b")
    assert artifacts.local_path("a").is_dir()
    artifacts.delete("a/c")
    assert [i.path for i in artifacts.list("a")] == ["a/b"]
    artifacts.delete("a")
    assert artifacts.list() == []
    assert (tmp_path / "local").exists()


def test_what_is_not_there_is_named_with_the_closest(artifacts: LocalArtifacts) -> None:
    artifacts.put("plots/roc.png", b"1")
    for call in (artifacts.read, artifacts.local_path, artifacts.delete):
        with pytest.raises(NotFound, match="No artifact 'plots/rok.png'.*'plots/roc.png'"):
            call("plots/rok.png")
    assert artifacts.list("nothing") == artifacts.list("plots/roc.png") == []


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

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        artifacts.put("a", b"new")
    monkeypatch.undo()
    assert artifacts.read("a") == b"old"
    assert _everything(root) == ["a"]


def test_an_interrupt_while_writing_leaves_nothing(artifacts: LocalArtifacts, root: Path, tmp_path: Path) -> None:
    class Interrupted(type(tmp_path)):
        def open(self, *_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.put("a", Interrupted(tmp_path / "x"))
    assert _everything(root) == []


def test_nobody_sees_half_a_file_of_a_process_that_is_killed(artifacts: LocalArtifacts, root: Path) -> None:
    script = (
        "import os, sys, shutil; from pathlib import Path; from fitbook.artifacts import LocalArtifacts\n"
        "def half(source, target, size):\n"
        "    target.write(b'half'); target.flush(); os.kill(os.getpid(), 9)\n"
        "shutil.copyfileobj = half\n"
        "LocalArtifacts(Path(sys.argv[1])).put('a', Path(sys.executable))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(root)]).returncode == -9
    assert len(_everything(root)) == 1  # the part that was written, under a name of its own
    assert artifacts.list() == []
    with pytest.raises(NotFound):
        artifacts.read("a")
    artifacts.put("a", b"whole")
    assert [info.path for info in artifacts.list()] == ["a"]


def test_readers_see_one_whole_file_or_another(artifacts: LocalArtifacts) -> None:
    contents = [bytes([n]) * 200_000 for n in range(4)]
    artifacts.put("a", contents[0])
    done = threading.Event()
    seen: list[bool] = []

    def read() -> None:
        while not done.is_set():
            seen.append(artifacts.read("a") in contents)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=lambda c=c: [artifacts.put("a", c) for _ in range(20)]) for c in contents]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert seen
    assert all(seen)


def test_files_have_the_rights_that_the_user_asked_for(artifacts: LocalArtifacts, root: Path) -> None:
    script = (
        "import os, sys; os.umask(0o027); from pathlib import Path; from fitbook.artifacts import LocalArtifacts\n"
        "LocalArtifacts(Path(sys.argv[1])).put('a', b'1')"
    )
    subprocess.run([sys.executable, "-c", script, str(root)], check=True)
    assert (root / "a").stat().st_mode & 0o777 == 0o640


# -- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "a b", "ü%20?#"])
def test_locations_are_paths_and_file_uris(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    open_artifacts(folder.as_uri()).put("a", b"1")
    assert open_artifacts(str(folder)).read("a") == b"1"
    assert (folder / "a").is_file()


@pytest.mark.parametrize("uri", ["s3://bucket/x", "http://h/x", "ftp://h/x", "dbfs:/x://"])
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue, match="artifact location.*scheme"):
        open_artifacts(uri)
