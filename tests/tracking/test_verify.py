"""Verifying models: what was changed, is missing, or does not work, is told, and nothing that was changed is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.errors import ModelError, NotFound
from fitbook.flavors import _trust
from fitbook.tracking._verify import verify_model

X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2


@pytest.fixture
def folder() -> Path:
    """The folder of version 1 of ``m``, a model with an input example, in the store."""
    with fitbook.start_run() as run:
        model = DecisionTreeClassifier().fit(X, y)
        fitbook.sklearn.log_model(model, "model", registered_model_name="m", input_example=X[:3])
    return Path(run.info.artifact_uri.removeprefix("file://")) / "model"


def verified(uri: Any = "models:/m/1") -> dict[str, tuple[bool | None, str]]:
    return {check.name: (check.ok, check.detail) for check in verify_model(uri)}


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **more: object) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(_trust, "loads", never)


def test_a_good_model(folder: Path) -> None:
    run_id = fitbook.Client().get_model_version("m", 1).run_id
    for uri in ("models:/m/1", "models:/m/latest", f"runs:/{run_id}/model", folder):
        found = verified(uri)
        assert list(found) == ["files", "requirements", "load", "example"]
        assert {ok for ok, _ in found.values()} == {True}
        assert found["files"][1].endswith("files have the sha256 that was recorded")
        assert found["example"][1] == "3 rows in, 3 rows predicted"


@pytest.mark.parametrize("name", ["MLmodel", "model.pkl", "requirements.txt", "input_example.json"])
@pytest.mark.parametrize("from_the_store", [True, False])
@pytest.mark.usefixtures("nothing_loads")
def test_a_changed_file(folder: Path, name: str, from_the_store: bool) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    [(what, (ok, detail))] = verified("models:/m/1" if from_the_store else folder).items()
    assert (what, ok) == ("files", False)
    assert name in detail


@pytest.mark.usefixtures("nothing_loads")
def test_a_missing_and_an_additional_file(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    (copied / "model.pkl").unlink()
    (copied / "extra.py").write_text("x = 1")
    assert verified(copied) == {"files": (False, "model.pkl is missing; extra.py was not recorded")}


def test_requirements_that_are_not_met(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    pins = "numpy==0.1\nno-such-distribution[extra]==1.2 ; python_version > '3'\n# comment\npandas>=1\n"
    (copied / "requirements.txt").write_text(pins)
    text = (copied / "MLmodel").read_text().replace("run_id:", "other_run_id:")
    (copied / "MLmodel").write_text(text)  # so that it is nobody's in this store
    found = verified(copied)
    assert found["files"] == (None, "no sha256 was recorded of them here")
    assert found["requirements"] == (
        False,
        f"saved with numpy 0.1 (here {np.__version__}); no-such-distribution 1.2 (not installed)",
    )
    assert found["load"][0] is True
    (copied / "requirements.txt").unlink()
    assert verified(copied)["requirements"][0] is None


def test_what_can_not_be_loaded_or_predict(folder: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(folder, foreign)
    (foreign / "MLmodel").write_text((foreign / "MLmodel").read_text().replace("run_id:", "other_run_id:"))
    (foreign / "input_example.json").write_text('{"inputs": [[1.0, 2.0, 3.0]]}')
    found = verified(foreign)
    assert found["load"][0] is True
    assert found["example"][0] is False
    assert "predicting it raised" in found["example"][1]
    (foreign / "model.pkl").write_bytes((foreign / "model.pkl").read_bytes()[:50])
    found = verified(foreign)
    assert (list(found)[-1], found["load"][0]) == ("load", False)


def test_a_model_without_example() -> None:
    with fitbook.start_run():
        fitbook.sklearn.log_model(DecisionTreeClassifier().fit(X, y), registered_model_name="m")
    assert verified()["example"] == (None, "the model has none")


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verified("models:/unknown/1")
    with pytest.raises(NotFound):
        verified(tmp_path)
    (tmp_path / "MLmodel").write_text("- nothing")
    with pytest.raises(ModelError):
        verified(tmp_path)
