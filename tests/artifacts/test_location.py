from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.artifacts import LocalArtifacts, RemoteArtifacts, checked_location, open_artifacts
from fitbook.artifacts._location import REMOTE_SCHEMES, LocalPlace, RemotePlace, parse
from fitbook.errors import InvalidValue
from fitbook.testing.artifact_suite import SPELLINGS

CLOUDS = [scheme for scheme in REMOTE_SCHEMES if scheme != "memory"]


# -- places on this machine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "a b", "ü%20?#", "100%", "a;b", "a:b", "模型 🙂", "~", "x.y", "a%2"])
def test_a_path_is_a_path_and_its_uri_means_the_same(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    for spelt in (folder, str(folder), folder.as_uri()):
        assert parse(spelt) == LocalPlace(folder)
        assert checked_location(spelt) == folder.as_uri()
    open_artifacts(folder.as_uri()).put("a", b"1")
    assert open_artifacts(str(folder)).read("a") == b"1"
    assert (folder / "a").is_file()


def test_relative_paths_are_those_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "here" / "real")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = {
        "x": tmp_path / "here" / "x",
        "./x": tmp_path / "here" / "x",
        "../x": tmp_path / "x",
        "~/x": tmp_path / "x",
        f"{tmp_path}/link/../x": tmp_path / "here" / "x",  # as the kernel goes
        f"file://localhost{tmp_path}/x/": tmp_path / "x",
        f"FILE:{tmp_path}/x": tmp_path / "x",
    }
    assert {given: parse(given) for given in expected} == {k: LocalPlace(v) for k, v in expected.items()}


@pytest.mark.parametrize(
    "location",
    [
        *(
            "",
            " ",
            " /x",
            "/x ",
            "\t/x",
            "//x",
            "//localhost/x",
            "//proc/self/root",
            "C:/x",
            "C:\\x",
            "\\\\h\\s\\x",
            "a:b",
        ),
        *(
            "/a\\b",
            "/a\nb",
            "/a\x00b",
            "/a\x7f",
            "/\ud800",
            "/..%2fx",
            "/%2e%2e/x",
            "/%252e%252e/x",
            "/a/．．/x",
            "/‥/x",
        ),
        *("file:x", "file:", "file://./x", "file://evil/x", "file://localhost@evil/x", "file:////x", "file:///a//b"),
        *("file:///a/../b", "file:///a/./b", "file:///a/%2e%2e/b", "file:///a/..%2fb", "file:///a%2fb", "file:///a%00"),
        *(
            "file:///a?b",
            "file:///a#b",
            "file:///a;b",
            "file:///a%5cb",
            "file:///a%0ab",
            "file:///%ff",
            "file:///..%c0%af",
        ),
        *("file:///%252e%252e/x", f"file:///%{'25' * 20}2e", "file:///é\udce9", "/" + "x" * 300, "/x" * 2000),
        *("http://h/x", "https://h", "ftp://h/x", "sftp://h/x", "hdfs://h/x", "dbfs:/x", "dbfs:/x://", "runs:/x/y"),
        *("http://169.254.169.254/", "http:///#/../../etc/", "models:/a/1", "mlflow-artifacts:/../../X", "s3:bucket/x"),
        *("file+s3://b/x", "simplecache::s3://b/x", None, 3, b"/x"),
    ],
    ids=lambda location: ascii(location)[:40],
)
def test_what_is_no_location_is_refused_with_the_forms(location: Any) -> None:
    for door in (checked_location, open_artifacts):
        with pytest.raises(InvalidValue, match="artifact location"):
            door(location)


# -- places elsewhere ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", REMOTE_SCHEMES)
def test_remote_places_are_read_literally(scheme: str) -> None:
    assert parse(f"{scheme}://my.bucket-1") == RemotePlace(scheme, "my.bucket-1", "")
    assert parse(f"{scheme}://bucket/a b/模型/") == RemotePlace(scheme, "bucket", "a b/模型")
    assert checked_location(f"{scheme.upper()}://bucket/a/") == f"{scheme}://bucket/a"
    assert isinstance(open_artifacts(f"{scheme}://bucket/a"), RemoteArtifacts)
    assert isinstance(open_artifacts("/a"), LocalArtifacts)


@pytest.mark.parametrize("path", [s for s in SPELLINGS if s not in ("~root/T", "")], ids=lambda path: ascii(path)[:40])
@pytest.mark.parametrize("scheme", REMOTE_SCHEMES)
def test_remote_locations_hide_no_other_place(scheme: str, path: str) -> None:
    for location in (f"{scheme}://bucket/{path}", f"{scheme}://bucket/a/{path}", f"{scheme}://{path}"):
        if location.startswith((f"{scheme}:////", f"{scheme}://bucket/")) or "/" in path or "." in path:
            with pytest.raises(InvalidValue, match="artifact location"):
                parse(location)


@pytest.mark.parametrize("scheme", CLOUDS)
@pytest.mark.parametrize(
    "rest",
    [
        *("", "/x", "//", "///x", "//bucket//x", "//bucket/a//", "//user@bucket/x", "//user:pass@bucket/x", "//b:80/x"),
        *(
            "//b/x?y",
            "//b/x?../../etc",
            "//b/x#y",
            "//b/#/../../etc",
            "//b/x;y",
            "//b/x;/../y",
            "//b/a%2fb",
            "//b/a%20b",
        ),
        *("//b/%23", "//b/%2523", "//b?x", "//b#x", "//b;x", "//../x", "//b..c/x", "//b/a@b", "//b\\c", "//b/a\\b"),
        *(
            "//b/\ud800",
            "//bücket/x",
            "//b/a\n",
            "//b\n/a",
            "//c@evil.example.com/x",
            "//c@a.dfs.core.windows.net.evil/x",
        ),
    ],
)
def test_remote_locations_have_a_bucket_and_a_folder_and_nothing_else(scheme: str, rest: str) -> None:
    with pytest.raises(InvalidValue, match="artifact location"):
        parse(scheme + ":" + rest)


def test_azure_names_the_account_in_its_own_way() -> None:
    for scheme in ("abfs", "abfss", "az"):
        place = parse(f"{scheme}://files@account1.dfs.core.windows.net/a")
        assert place == RemotePlace(scheme, "files", "a", "account1")
        assert parse(str(place)) == place
    with pytest.raises(InvalidValue, match="without user"):
        parse("s3://files@account1.dfs.core.windows.net/a")


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse("s3://key:hunter2@bucket/x")
    assert "hunter2" not in str(caught.value)


def test_a_location_leaves_room_for_the_files() -> None:
    assert parse(checked_location("s3://bucket/" + "/".join(["x" * 100] * 4)))
    for location in ("s3://bucket/" + "/".join(["x" * 100] * 12), "/" + "/".join(["x" * 100] * 12)):
        with pytest.raises(InvalidValue, match="bytes|characters"):
            checked_location(location)


def test_what_a_run_adds_to_a_location_that_is_accepted_is_accepted(tmp_path: Path) -> None:
    for location in ("s3://bucket", "s3://bucket/a", str(tmp_path / "a#b%20"), "memory://m"):
        whole = f"{checked_location(location)}/{'0123456789abcdef' * 2}/artifacts"
        assert str(parse(whole)) == whole


@given(location=st.text(alphabet=st.sampled_from("a./\\%25eEfF~:@ \n\x00‥．;#?é"), max_size=14))
def test_what_is_accepted_is_written_in_one_way(location: str) -> None:
    for text in (location, f"file:///{location}", f"s3://b/{location}", f"s3://{location}", f"/{location}"):
        try:
            place = parse(text)
        except InvalidValue:
            continue
        assert parse(str(place)) == place
        if isinstance(place, LocalPlace):
            assert place.folder.is_absolute()
            assert ".." not in place.folder.parts
        else:
            assert not {"", ".", ".."} & set(place.key.split("/")) or place.key == ""
