"""The artifact contract as tests: subclass `ArtifactSuite`, give it a fixture ``artifacts``, and run pytest.

::

    class TestMyArtifacts(ArtifactSuite):
        @pytest.fixture
        def artifacts(self):
            return MyArtifacts(...)

The fixture gives a place that is empty, of its own for each test.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PosixPath
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitbook.artifacts import Artifacts, checked
from fitbook.entities import FileInfo
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
MORE_SPELLINGS: list[Any] = [
    *("a/", "/", "..", "a/..", "a/ /b", " a", "a ", "\x00", "a\x00b", "a\x7f", "a/\ud800", "/".join(["x" * 99] * 8)),
    *(None, 3, b"a", Path("a")),
]
PLAIN_PATHS = [
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
    "e\u0301",
    "[ab]*",
    "a&b=c+d,e@f$g!'()",
    "/".join(["x" * 139] * 5),
]
_MEGABYTE = 1 << 20

_many = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def digest(content: bytes) -> str:
    """The sha256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def contents(artifacts: Artifacts) -> dict[str, bytes]:
    """Everything that a place holds."""
    return {info.path: artifacts.read(info.path) for info in artifacts.find()}


class CutPath(PosixPath):
    """A local file that can't be read beyond ``limit`` bytes: there ``error`` is raised."""

    limit: int
    error: BaseException

    def open(self, *args: Any, **more: Any) -> Any:
        return _CutFile(super().open("rb"), self.limit, self.error)


class _CutFile:
    def __init__(self, file: BinaryIO, limit: int, error: BaseException) -> None:
        self.file, self.left, self.error = file, limit, error

    def __enter__(self) -> _CutFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, size: int) -> bytes:
        if self.left <= 0:
            raise self.error
        piece = self.file.read(min(size, self.left))
        self.left -= len(piece)
        return piece


def cut(path: Path, limit: int, error: BaseException) -> Path:
    """Give a local file as one whose reading fails after ``limit`` bytes."""
    made = CutPath(path)
    made.limit, made.error = limit, error
    return made


def _verbs(artifacts: Artifacts, path: Any) -> list[Callable[[], object]]:
    return [
        lambda: artifacts.put(path, b"evil"),
        lambda: artifacts.read(path),
        lambda: artifacts.open(path),
        lambda: artifacts.list(path),
        lambda: artifacts.find(path),
        lambda: artifacts.local_path(path),
        lambda: artifacts.delete(path),
    ]


class ArtifactSuite:
    """What every `Artifacts` must do."""

    @pytest.fixture
    def artifacts(self) -> Artifacts:
        """The place under test, empty."""
        raise pytest.UsageError("A subclass of ArtifactSuite needs a fixture 'artifacts'.")

    # -- paths -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("path", SPELLINGS + MORE_SPELLINGS, ids=lambda path: ascii(path)[:40])
    def test_paths_that_lead_out_are_refused_by_every_verb(self, artifacts: Artifacts, path: Any) -> None:
        artifacts.put("a/inside", b"1")
        for call in _verbs(artifacts, path):
            with pytest.raises(InvalidValue, match="artifact path") as caught:
                call()
            assert "Write it like" in str(caught.value)
        assert contents(artifacts) == {"a/inside": b"1"}

    @given(path=st.text(alphabet=st.sampled_from("a./\\%25eEfF~: \n\x00‥．;é\ud800"), max_size=12))
    @_many
    def test_what_the_rule_accepts_reads_back_and_what_it_refuses_writes_nothing(
        self, artifacts: Artifacts, path: str
    ) -> None:
        try:
            checked(path)
        except InvalidValue:
            with pytest.raises(InvalidValue):
                artifacts.put(path, b"evil")
            assert artifacts.find() == []
        else:
            artifacts.put(path, b"content")
            assert contents(artifacts) == {path: b"content"}
            artifacts.delete(path)

    @pytest.mark.parametrize("path", PLAIN_PATHS, ids=lambda path: ascii(path)[:40])
    def test_plain_paths_are_taken_as_they_are(self, artifacts: Artifacts, path: str) -> None:
        artifacts.put("abc", b"other")
        folder, _, name = path.rpartition("/")
        artifacts.put(path, b"content")
        assert artifacts.read(path) == artifacts.local_path(path).read_bytes() == b"content"
        assert artifacts.local_path(path).name == name
        assert FileInfo(path, False, 7) in artifacts.list(folder)
        assert artifacts.find(path) == [FileInfo(path, False, 7)]
        artifacts.delete(path)
        assert contents(artifacts) == {"abc": b"other"}

    def test_the_root_can_be_listed_but_not_written(self, artifacts: Artifacts) -> None:
        assert artifacts.list() == artifacts.find() == []
        with pytest.raises(NotFound):
            artifacts.local_path()
        for call in (artifacts.read, artifacts.open, artifacts.delete, lambda path: artifacts.put(path, b"1")):
            with pytest.raises(InvalidValue):
                call("")
        assert artifacts.list() == []
        artifacts.put("a", b"1")
        assert (artifacts.local_path() / "a").read_bytes() == b"1"

    # -- files -------------------------------------------------------------------------------------------------------

    def test_size_and_digest_are_those_of_what_was_written(self, artifacts: Artifacts, tmp_path: Path) -> None:
        for number, content in enumerate([b"", b"\x00\xff\r\n", os.urandom(3 * _MEGABYTE), bytes(9 * _MEGABYTE)]):
            (tmp_path / "local").write_bytes(content)
            for source in (content, tmp_path / "local"):
                stored = artifacts.put(f"a/{number}", source)
                assert (stored.path, stored.size, stored.sha256) == (f"a/{number}", len(content), digest(content))
                assert artifacts.read(f"a/{number}") == content

    def test_files_are_overwritten_and_removed(self, artifacts: Artifacts, tmp_path: Path) -> None:
        (tmp_path / "local").write_bytes(b"\x00\xff" * 1_000_000)
        artifacts.put("a/b", b"old")
        assert artifacts.local_path("a/b").read_bytes() == b"old"
        artifacts.put("a/b", tmp_path / "local")
        artifacts.put("a/c", b"")
        artifacts.put("ab/c", b"near")
        assert artifacts.read("a/b") == artifacts.local_path("a/b").read_bytes() == b"\x00\xff" * 1_000_000
        assert artifacts.list() == [FileInfo("a", True, None), FileInfo("ab", True, None)]
        assert artifacts.list("a") == [FileInfo("a/b", False, 2_000_000), FileInfo("a/c", False, 0)]
        assert artifacts.find("a") == artifacts.list("a")
        assert [info.path for info in artifacts.find()] == ["a/b", "a/c", "ab/c"]
        artifacts.delete("a/c")
        assert [info.path for info in artifacts.list("a")] == ["a/b"]
        artifacts.delete("a")
        assert contents(artifacts) == {"ab/c": b"near"}
        assert (tmp_path / "local").exists()

    def test_a_name_with_signs_of_patterns_is_one_file(self, artifacts: Artifacts) -> None:
        for path in ("a", "ab", "[ab]", "*", "a*", "**", "{a,b}", "d/*", "d/x"):
            artifacts.put(path, path.encode())
        for path in ("a*", "*", "[ab]", "**", "{a,b}", "d/*"):
            assert artifacts.read(path) == artifacts.local_path(path).read_bytes() == path.encode()
            artifacts.delete(path)
        assert contents(artifacts) == {"a": b"a", "ab": b"ab", "d/x": b"d/x"}

    def test_what_is_not_there_is_named_with_the_closest(self, artifacts: Artifacts) -> None:
        artifacts.put("plots/roc.png", b"1")
        for call in (artifacts.read, artifacts.open, artifacts.local_path, artifacts.delete):
            with pytest.raises(NotFound, match=r"No artifact 'plots/rok.png'.*'plots/roc.png'"):
                call("plots/rok.png")
            with pytest.raises(NotFound):
                call("plots/roc.png/x")
        for path in ("nothing", "plots/roc.png", "plots/ro", "plots/roc.png/x"):
            assert artifacts.list(path) == []
        assert artifacts.find("plots/ro") == artifacts.find("plots/roc.png/x") == []

    def test_a_folder_is_no_file(self, artifacts: Artifacts) -> None:
        artifacts.put("a/b", b"1")
        for call in (artifacts.read, artifacts.open, lambda path: artifacts.put("c", Path("/nothing/here"))):
            with pytest.raises(StoreUnavailable, match=r"can't be used: .*Check"):
                call("a")
        assert contents(artifacts) == {"a/b": b"1"}

    def test_a_local_folder_has_what_is_there_now(self, artifacts: Artifacts) -> None:
        for name in ("m/one", "m/two", "m/deep/three"):
            artifacts.put(name, b"1")
        folder = artifacts.local_path("m")
        assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
            "one",
            "two",
            "deep/three",
        }
        artifacts.delete("m/two")
        artifacts.put("m/one", b"2")
        folder = artifacts.local_path("m")
        assert (folder / "one").read_bytes() == b"2"
        assert not (folder / "two").exists()

    def test_a_cut_upload_leaves_what_was_there(self, artifacts: Artifacts, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(bytes(20 * _MEGABYTE))
        limits = [0, 1, 8 * _MEGABYTE - 1, 8 * _MEGABYTE, 8 * _MEGABYTE + 1]
        limits += [random.randrange(20 * _MEGABYTE) for _ in range(3)]
        artifacts.put("old", b"old")
        for limit in limits:
            for path in ("new", "a/new", "old"):
                with pytest.raises(StoreUnavailable, match="torn"):
                    artifacts.put(path, cut(source, limit, OSError(5, "torn")))
            with pytest.raises(KeyboardInterrupt):
                artifacts.put("new", cut(source, limit, KeyboardInterrupt()))
            assert contents(artifacts) == {"old": b"old"}
            assert [info.path for info in artifacts.list() if not info.is_dir] == ["old"]
        artifacts.put("new", source)
        assert artifacts.find("new") == [FileInfo("new", False, 20 * _MEGABYTE)]

    def test_many_threads_share_one(self, artifacts: Artifacts) -> None:
        def work(number: int) -> bytes:
            artifacts.put(f"many/{number % 7}/{number}", str(number).encode())
            return artifacts.read(f"many/{number % 7}/{number}")

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(80))) == [str(number).encode() for number in range(80)]
        assert len(artifacts.find("many")) == 80
        folder = artifacts.local_path("many")
        assert sorted(int(p.read_text()) for p in folder.rglob("*") if p.is_file()) == list(range(80))

    def test_readers_see_one_whole_file_or_another(self, artifacts: Artifacts) -> None:
        wholes = [bytes([n]) * 200_000 for n in range(4)]
        artifacts.put("a", wholes[0])
        done = threading.Event()
        seen: list[bool] = []

        def read() -> None:
            while not done.is_set():
                seen.append(artifacts.read("a") in wholes)

        readers = [threading.Thread(target=read) for _ in range(2)]
        writers = [threading.Thread(target=lambda w=w: [artifacts.put("a", w) for _ in range(10)]) for w in wholes]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        assert seen
        assert all(seen)


class StreamingSuite:
    """What every `Artifacts` that does not live in this process's memory must do besides."""

    def test_a_large_file_is_never_whole_in_memory(self, artifacts: Artifacts, tmp_path: Path) -> None:
        source, known = tmp_path / "source", hashlib.sha256()
        with source.open("wb") as file:
            for _ in range(60):
                piece = os.urandom(_MEGABYTE)
                known.update(piece)
                file.write(piece)
        artifacts.put("warm", b"up")
        tracemalloc.start()
        try:
            stored = artifacts.put("big", source)
            read = hashlib.sha256()
            with artifacts.open("big") as opened:
                while piece := opened.read(_MEGABYTE):
                    read.update(piece)
            local = artifacts.local_path("big")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert stored.sha256 == read.hexdigest() == known.hexdigest()
        assert local.stat().st_size == stored.size == 60 * _MEGABYTE
        assert peak < 40 * _MEGABYTE


# -- a real S3 service ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 service on loopback, in a process of its own; gives its address."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=10).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new bucket, in an environment that leads to it."""
    environment = {
        "MLFLOW_S3_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT"), timeout=60).close()
    return name
