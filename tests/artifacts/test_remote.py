from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

import pytest

from fitbook.artifacts import Artifacts, RemoteArtifacts, _remote, open_artifacts
from fitbook.artifacts._location import RemotePlace
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable
from fitbook.testing.artifact_suite import ArtifactSuite, StreamingSuite, bucket, cut, s3_server

__all__ = ["bucket", "s3_server"]


class TestMemory(ArtifactSuite):
    @pytest.fixture
    def artifacts(self) -> Artifacts:
        return open_artifacts(f"memory://m-{uuid.uuid4().hex}/runs")


class TestS3(ArtifactSuite, StreamingSuite):
    @pytest.fixture
    def artifacts(self, bucket: str) -> Artifacts:
        return open_artifacts(f"s3://{bucket}/runs/run/artifacts")


class TestS3AtTheRootOfABucket(ArtifactSuite):
    @pytest.fixture
    def artifacts(self, bucket: str) -> Artifacts:
        return open_artifacts(f"s3://{bucket}")


# -- what is special about places elsewhere ---------------------------------------------------------------------------


def _driver(artifacts: RemoteArtifacts) -> Any:
    return _remote._driver(artifacts.place, os.getpid())


@pytest.fixture
def remote(bucket: str) -> RemoteArtifacts:
    return RemoteArtifacts(RemotePlace("s3", bucket, "runs"))


def test_a_cut_upload_leaves_no_parts_that_cost(remote: RemoteArtifacts, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(20 << 20))
    with pytest.raises(StoreUnavailable, match="torn"):
        remote.put("a", cut(tmp_path / "source", 18 << 20, OSError(5, "torn")))
    gc.collect()  # closing a file that was not finished would make an object of it
    assert _driver(remote).list_multipart_uploads(remote.place.container) == []
    assert remote.find() == []


def test_a_service_that_fails_in_the_middle_leaves_nothing(
    remote: RemoteArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(bytes(20 << 20))
    driver = _driver(remote)
    call, parts = driver.call_s3, []

    def fails(method: str, *args: Any, **more: Any) -> Any:
        parts.append(method)
        if parts.count("upload_part") == 2 and method == "upload_part":
            raise OSError("service gone")
        return call(method, *args, **more)

    monkeypatch.setattr(driver, "call_s3", fails)
    with pytest.raises(StoreUnavailable, match="service gone"):
        remote.put("a", tmp_path / "source")
    monkeypatch.undo()
    gc.collect()
    assert "upload_part" in parts


@pytest.mark.parametrize("name", ["../T", "a/../../T", "a//b", "a\\b", "a/./b", "..", "a%2e%2e/b", "a:b", "a/"])
def test_keys_that_others_planted_are_not_shown(remote: RemoteArtifacts, tmp_path: Path, name: str) -> None:
    remote.put("a/good", b"1")
    _driver(remote).call_s3("put_object", Bucket=remote.place.container, Key=f"runs/{name}", Body=b"evil")
    assert [info.path for info in remote.find()] == ["a/good"]
    assert {info.path for info in remote.list() + remote.list("a")} <= {"a", "a/good"}
    folder = remote.local_path()
    assert [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()] == ["a/good"]
    assert not (folder.parent / "T").exists()


def test_marks_of_versions_in_a_path_are_refused(remote: RemoteArtifacts) -> None:
    remote.put("a", b"1")
    for path in ("a?versionId=null", "a#1", "?", "a/b#c"):
        for verb in (remote.read, remote.open, remote.list, remote.find, remote.delete, lambda p: remote.put(p, b"2")):
            with pytest.raises(InvalidValue, match="mean versions"):
                verb(path)
    assert remote.read("a") == b"1"


def test_a_key_has_a_thousand_bytes(remote: RemoteArtifacts) -> None:
    with pytest.raises(InvalidValue, match="over 1024 bytes"):
        remote.put("/".join(["模" * 80] * 5), b"1")


def test_only_what_changed_is_downloaded_again(remote: RemoteArtifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        remote.put(f"m/{name}", name.encode())
    folder = remote.local_path("m")
    opened: list[str] = []
    real = RemoteArtifacts.open
    monkeypatch.setattr(
        RemoteArtifacts, "open", lambda self, path, *size: (opened.append(path), real(self, path, *size))[1]
    )
    assert remote.local_path("m") == folder
    assert opened == []
    remote.put("m/b", b"B")
    assert (remote.local_path("m") / "b").read_bytes() == b"B"
    assert opened == ["m/b"]


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    gone = open_artifacts(f"s3://{bucket}-gone/x")
    for call in (lambda: gone.put("a", b"1"), lambda: gone.put("a", Path(__file__))):
        with pytest.raises(StoreUnavailable, match=f"bucket '{bucket}-gone' exists"):
            call()
    for verb in (gone.read, gone.delete, gone.local_path):
        with pytest.raises((NotFound, StoreUnavailable)):
            verb("a")


def test_the_endpoint_may_be_amazons_variable(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_artifacts(f"s3://{bucket}").put("a", b"1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", os.environ["MLFLOW_S3_ENDPOINT_URL"])
    monkeypatch.delenv("MLFLOW_S3_ENDPOINT_URL")
    _remote._drivers.clear()
    assert open_artifacts(f"s3://{bucket}").read("a") == b"1"
    _remote._drivers.clear()


@pytest.mark.parametrize(
    ("scheme", "extra"),
    [("s3", "s3"), ("gs", "gcs"), ("gcs", "gcs"), ("abfs", "azure"), ("abfss", "azure"), ("az", "azure")],
)
def test_a_missing_driver_says_what_to_install(scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remote, "_drivers", {})
    for module in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)
    place = open_artifacts(f"{scheme}://bucket/x")
    for call in (lambda: place.put("a", b"1"), lambda: place.read("a"), lambda: place.list()):
        with pytest.raises(StoreUnavailable, match=rf"pip install 'fitbook\[{extra}\]'"):
            call()


def test_without_fsspec_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remote, "_drivers", {})
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(StoreUnavailable, match=r"pip install 'fitbook\[s3\]'"):
        open_artifacts("s3://bucket/x").read("a")


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(_remote._EXTRAS.values()) <= project["optional-dependencies"].keys()


def test_a_fork_has_a_connection_of_its_own(remote: RemoteArtifacts) -> None:
    script = """
import os, sys
from fitbook.artifacts import open_artifacts
place = open_artifacts(sys.argv[1])
place.put("parent", b"1")
local = place.local_path("parent")
child = os.fork()
if child == 0:
    place.put("child", place.read("parent") + b"2")
    mine = place.local_path("parent")
    os._exit(0 if mine != local and mine.read_bytes() == b"1" else 1)
assert os.waitpid(child, 0)[1] == 0
assert local.read_bytes() == b"1"
assert place.read("child") == b"12"
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(remote.place)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
