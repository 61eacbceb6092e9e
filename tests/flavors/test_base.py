import hashlib

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fitbook.errors import AlreadyExists, ModelError
from fitbook.flavors import Snapshot, render, write
from fitbook.flavors._base import inside, read
from fitbook.models import Model, infer_signature


def _snapshot(**more):
    return Snapshot(files={"model.pkl": b"bytes"}, flavors={"x": {"pickled_model": "model.pkl"}}, **more)


def test_render_gives_the_whole_folder_with_mlmodel_last():
    files = render(_snapshot(input_example=np.eye(2), signature=infer_signature(np.eye(2))), run_id="r", model_id="m-1")
    assert list(files)[-1] == "MLmodel"
    assert set(files) == {
        *("MLmodel", "model.pkl", "requirements.txt", "conda.yaml", "python_env.yaml"),
        *("input_example.json", "serving_input_example.json"),
    }
    content = yaml.safe_load(files["MLmodel"])
    assert (content["run_id"], content["model_id"]) == ("r", "m-1")
    assert content["model_size_bytes"] == sum(len(data) for name, data in files.items() if name != "MLmodel")


def test_the_digest_is_that_of_the_pickle():
    assert _snapshot().sha256 is None
    assert _snapshot(pickled="model.pkl").sha256 == hashlib.sha256(b"bytes").hexdigest()


def test_the_users_requirements_replace_the_found_ones():
    assert _snapshot(modules=("numpy",)).requirements.pins[0].startswith("numpy==")
    given_ones = _snapshot(modules=("numpy",), pip_requirements=["a"], extra_pip_requirements=["b"])
    assert given_ones.requirements.pins == ("a", "b")


def test_modules_that_nothing_provides_are_told():
    assert _snapshot(modules=("surely_not_installed",)).requirements.local == ("surely_not_installed",)


def test_write_makes_a_folder_with_files_and_sources(tmp_path):
    (tmp_path / "table.csv").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("2")
    sources = {"artifacts/table.csv": tmp_path / "table.csv", "artifacts/data": tmp_path / "data"}
    folder = write(_snapshot(sources=sources), tmp_path / "new" / "model", run_id="r")
    assert (folder / "artifacts/table.csv").read_text() == "1"
    assert (folder / "artifacts/data/a.txt").read_text() == "2"
    assert Model.load(folder).run_id == "r"
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_write_takes_an_empty_folder_and_refuses_a_full_one(tmp_path):
    (tmp_path / "model").mkdir()
    write(_snapshot(), tmp_path / "model")
    before = {p: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    with pytest.raises(AlreadyExists, match="empty folder"):
        write(_snapshot(), tmp_path / "model")
    (tmp_path / "file").touch()
    with pytest.raises(AlreadyExists):
        write(_snapshot(), tmp_path / "file")
    assert {p: p.read_bytes() for p in (tmp_path / "model").iterdir()} == before


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(ModelError, match="can't be written"):
        write(_snapshot(sources={"a": tmp_path / "gone"}), tmp_path / "model")
    with pytest.raises(ModelError, match="can't be written"):
        write(_snapshot(), tmp_path / "model" / ("x" * 300) / "y")
    assert [p.name for p in tmp_path.iterdir()] in ([], ["model"])
    assert not (tmp_path / "model" / "MLmodel").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", ".", "a\\b", "C:x", "a\0b", None, 3, ["a"]])
def test_paths_out_of_the_folder_are_refused(name, tmp_path):
    with pytest.raises(ModelError, match="inside its folder"):
        inside(tmp_path, name)


@given(st.text())
def test_a_path_is_inside_or_refused(name):
    from pathlib import Path

    folder = Path("/models/one")
    try:
        path = inside(folder, name)
    except ModelError:
        return
    assert path != folder
    assert folder in path.parents
    assert ".." not in path.parts


def test_read_names_what_is_missing(tmp_path):
    (tmp_path / "m.pkl").write_bytes(b"1")
    assert read(tmp_path, {"b": "m.pkl", "a": None}, "a", "b") == (b"1", str(tmp_path / "m.pkl"))
    with pytest.raises(ModelError, match="a or b"):
        read(tmp_path, {}, "a", "b")
    with pytest.raises(ModelError, match=r"gone\.pkl"):
        read(tmp_path, {"a": "gone.pkl"}, "a")
