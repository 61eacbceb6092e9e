from __future__ import annotations

from pathlib import Path

import pytest

from fitbook.artifacts import LocalArtifacts
from fitbook.transfer._places import find_files

ID = "a" * 32


def root(uri: str, beside: Path, own: Path | None = None) -> Path | None:
    found = find_files(uri, beside, own)
    assert found is None or isinstance(found, LocalArtifacts)
    return None if found is None else found.root


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "mlruns" / "1" / ID / "artifacts"
    place.mkdir(parents=True)
    return place


def test_an_address_is_found_where_it_says_or_where_it_was_moved(files: Path, tmp_path: Path) -> None:
    for uri in (files.as_uri(), str(files), f"./mlruns/1/{ID}/artifacts", f"/old/place/mlruns/1/{ID}/artifacts"):
        assert root(uri, tmp_path) == files, uri
    assert root(f"mlflow-artifacts:/1/{ID}/artifacts", tmp_path) == files
    assert root(f"/gone/1/{ID}/artifacts", tmp_path, files) == files


def test_a_run_without_files_beside_others_is_one_without_files(files: Path, tmp_path: Path) -> None:
    found = find_files(str(files).replace(ID, "b" * 32), tmp_path)
    assert found is not None
    assert found.find() == []


def test_a_stranger_can_not_name_any_folder(tmp_path: Path) -> None:
    (tmp_path / "private" / "artifacts").mkdir(parents=True)
    (tmp_path / "link").mkdir()
    (tmp_path / ID).mkdir()
    (tmp_path / ID / "artifacts").symlink_to(tmp_path / "private")
    for uri in (str(tmp_path), str(tmp_path / "private" / "artifacts"), f"mlflow-artifacts:/../{ID}/artifacts"):
        assert root(uri, tmp_path / "x" / "y") is None, uri
    assert root(str(tmp_path / ID / "artifacts"), tmp_path / "x" / "y") is None


@pytest.mark.parametrize(
    "uri", ["", "dbfs:/1/artifacts", "file://host/mlruns/1", "models:/m", "hdfs://x/y", "http://[x/artifacts"]
)
def test_what_nobody_here_can_reach_is_none(uri: str, tmp_path: Path) -> None:
    assert root(uri, tmp_path / "x" / "y") is None
