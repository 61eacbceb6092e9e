"""Reading files of runs, of models, and anywhere."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

import fitbook
from fitbook.artifacts import download_artifacts, list_artifacts, load_dict, load_image, load_text, open_artifacts
from fitbook.errors import InvalidValue, NotFound


def test_downloads(tmp_path: Path) -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "sub/a.txt")
        root = fitbook.get_artifact_uri()
        assert fitbook.get_artifact_uri("sub/a.txt") == f"{root}/sub/a.txt"
    for found in (
        fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt", dst_path=tmp_path / "new" / "er"),
    ):
        assert Path(found).read_text() == "x"
    copied = fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub", dst_path=tmp_path)
    assert copied == str(tmp_path / "sub")
    assert (tmp_path / "sub" / "a.txt").read_text() == "x"
    with pytest.raises(NotFound, match="'sub/b.txt'.*'sub/a.txt'"):
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/b.txt")


@pytest.mark.parametrize("uri", ["", "runs:/", "runs:", "runs://x/y", "nonsense://x/y", "models:/", "models:/name"])
def test_artifact_uris_of_no_known_form_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue):
        download_artifacts(uri)


def test_what_is_at_the_top(tmp_path: Path) -> None:
    for uri in (f"file:///{tmp_path.parts[1]}", f"file:/{tmp_path.parts[1]}", f"/{tmp_path.parts[1]}/"):
        assert download_artifacts(uri) == f"/{tmp_path.parts[1]}"
    open_artifacts("memory://bucket").put("a.txt", b"x")
    assert Path(download_artifacts("memory://bucket", dst_path=tmp_path), "a.txt").read_bytes() == b"x"
    assert [info.path for info in list_artifacts("memory://bucket")] == ["a.txt"]
    with pytest.raises(InvalidValue, match="the host 'host'"):
        download_artifacts("file://host")


def test_a_run_or_a_uri() -> None:
    for wrong in ({}, {"artifact_uri": "a", "run_id": "b"}, {"artifact_uri": "a", "artifact_path": "b"}):
        for verb in (download_artifacts, list_artifacts):
            with pytest.raises(InvalidValue, match="either artifact_uri|goes with run_id"):
                verb(**wrong)


def test_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("text", "sub/a.txt")
        root = fitbook.get_artifact_uri()
    (tmp_path / "own.txt").write_text("own")
    monkeypatch.chdir(tmp_path)
    assert load_text(f"{root}/sub/a.txt") == load_text(f"runs:/{run.run_id}/sub/a.txt") == "text"
    assert load_text(str(tmp_path / "own.txt")) == load_text("own.txt") == "own"
    assert [info.path for info in list_artifacts(f"runs:/{run.run_id}/sub")] == ["sub/a.txt"]
    assert [info.path for info in list_artifacts(run_id=run.run_id)] == ["sub"]
    whole = download_artifacts(run_id=run.run_id, dst_path=tmp_path / "to")
    assert Path(whole, "sub", "a.txt").read_text() == "text"
    assert Path(whole) == tmp_path / "to"
    with pytest.raises(NotFound):
        load_text("none.txt")


def test_another_store(tmp_path: Path) -> None:
    there = str(tmp_path / "there")
    client = fitbook.Client(there)
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "x", "a.txt")
    assert Path(download_artifacts(run_id=run_id, artifact_path="a.txt", tracking_uri=there)).read_text() == "x"
    assert [info.path for info in list_artifacts(f"runs:/{run_id}", tracking_uri=there)] == ["a.txt"]
    with pytest.raises(NotFound, match=run_id):
        download_artifacts(f"runs:/{run_id}/a.txt")


def test_files_of_models(tmp_path: Path) -> None:
    with fitbook.start_run():
        logged = fitbook.sklearn.log_model(DummyClassifier().fit([[0]], [0]), "model", registered_model_name="a")
    fitbook.Client().set_registered_model_alias("a", "best", 1)
    for uri in ("models:/a/1", "models:/a@best", "models:/a/latest", f"models:/{logged.model_id}"):
        assert "MLmodel" in [info.path for info in list_artifacts(uri)]
        assert load_text(f"{uri}/MLmodel") == load_text(f"{logged.model_uri}/MLmodel")
        folder = tmp_path / uri.replace("/", "_")
        assert download_artifacts(uri, dst_path=folder) == str(folder)
        assert (folder / "MLmodel").is_file()


def test_texts_dictionaries_and_images_of_files() -> None:
    with fitbook.start_run() as run:
        fitbook.log_dict({"a": [1, None]}, "d.json")
        fitbook.log_dict({"a": "ü"}, "d.yaml")
        fitbook.log_image(np.zeros((2, 3)), "i.png")
        fitbook.log_stream(io.BytesIO(b"\xff\xfe: ["), "bad.bin")
        fitbook.log_text("{ no: [", "bad.json")
        fitbook.log_text("{ no: [", "bad.yml")
    root = f"runs:/{run.run_id}"
    assert load_dict(f"{root}/d.json") == {"a": [1, None]}
    assert load_dict(f"{root}/d.yaml") == {"a": "ü"}
    assert load_image(f"{root}/i.png").size == (3, 2)
    for verb, name, words in (
        (load_text, "bad.bin", "not UTF-8"),
        (load_dict, "bad.json", "not JSON"),
        (load_dict, "bad.yml", "not plain YAML"),
        (load_image, "d.json", "no image"),
    ):
        with pytest.raises(InvalidValue, match=words):
            verb(f"{root}/{name}")


def test_the_door_of_artifacts_is_this() -> None:
    assert fitbook.artifacts.download_artifacts is fitbook.download_artifacts
    assert "load_text" in dir(fitbook.artifacts)


def test_a_slash_at_the_end_of_an_artifact_uri() -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "folder/a.txt")
    assert Path(fitbook.download_artifacts(f"runs:/{run.info.run_id}/folder/")).name == "folder"
