"""Whose models are loaded without ceremony, and what never opens one."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import fitbook
import fitbook.pyfunc
import fitbook.sklearn
from fitbook.errors import UntrustedModel

X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)


class Canary:
    """Unpickling it raises."""

    def __reduce__(self) -> Any:
        return os._exit, (66,)


@pytest.fixture
def info() -> fitbook.tracking.ModelInfo:
    model = make_pipeline(FunctionTransformer(lambda x: x * 2), LinearRegression()).fit(X, Y)
    with fitbook.start_run():
        return fitbook.sklearn.log_model(model, "model", registered_model_name="mine")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "fitbook-runs"


def _file(home: Path) -> Path:
    return next(home.rglob("model.pkl"))


def _forget_files(home: Path) -> None:
    """Remove the notes by which a change would be noticed before."""
    with closing(sqlite3.connect(home / "fitbook.db")) as connection, connection:
        connection.execute("DELETE FROM files")


def test_my_own_models_need_no_ceremony(info: Any) -> None:
    for uri in (info.model_uri, "models:/mine/1", f"models:/{info.model_id}"):
        assert np.allclose(fitbook.sklearn.load_model(uri).predict(X), Y)
        assert np.allclose(fitbook.pyfunc.load_model(uri).predict(X), Y)


def test_a_store_that_was_handed_over_is_foreign(info: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_KEY_FILE", str(home.parent / "of the one who unpacked it"))
    for place in (info.model_uri, "models:/mine/1", _file(home).parent):
        with pytest.raises(UntrustedModel) as refused:
            fitbook.sklearn.load_model(place)
        assert any(name.startswith("cloudpickle.") for name in refused.value.names)
        assert np.allclose(fitbook.sklearn.load_model(place, trusted=refused.value.names).predict(X), Y)
        assert np.allclose(fitbook.pyfunc.load_model(place, trusted=refused.value.names).predict(X), Y)


def test_a_copy_of_my_own_store_is_my_own(info: Any, home: Path) -> None:
    fitbook.set_tracking_uri(shutil.copytree(home, home.parent / "copy"))
    assert np.allclose(fitbook.sklearn.load_model(info.model_uri).predict(X), Y)


def test_where_others_can_write_my_own_models_are_still_known(info: Any, home: Path) -> None:
    home.chmod(0o777)
    assert np.allclose(fitbook.sklearn.load_model(info.model_uri).predict(X), Y)


def test_a_model_without_a_seal_is_foreign(info: Any, home: Path) -> None:
    file = _file(home).with_name("MLmodel")
    file.write_bytes(file.read_bytes().rpartition(b"fitbook_seal")[0])
    _forget_files(home)
    with pytest.raises(UntrustedModel):
        fitbook.sklearn.load_model(info.model_uri)


def test_a_saved_folder_is_my_own_in_another_process(tmp_path: Path) -> None:
    script = (
        "import sys, fitbook.sklearn; from sklearn.preprocessing import FunctionTransformer\n"
        "{0}_model(*[FunctionTransformer(lambda x: x + 1)] * ('{0}' == 'fitbook.sklearn.save'), 'model')"
    )
    for step in ("fitbook.sklearn.save", "fitbook.sklearn.load"):
        subprocess.run([sys.executable, "-c", script.format(step)], cwd=tmp_path, check=True)


def test_a_file_that_was_swapped_is_foreign(info: Any, home: Path) -> None:
    _file(home).write_bytes(pickle.dumps(Canary()))
    _forget_files(home)
    with pytest.raises(UntrustedModel, match=r"posix\._exit"):
        fitbook.sklearn.load_model(info.model_uri)


def test_reading_listing_and_registering_never_open_a_model(home: Path) -> None:
    with fitbook.start_run() as run:
        info = fitbook.sklearn.log_model(Canary(), "model", registered_model_name="mine")
    client = fitbook.Client()
    assert fitbook.tracking.get_model_info(info.model_uri).signature is None
    assert client.list_artifacts(run.info.run_id, "model")
    client.download_artifacts(run.info.run_id, "model", str(home))
    assert client.search_model_versions("name = 'mine'")
    client.set_registered_model_alias("mine", "champion", "1")
    fitbook.register_model(info.model_uri, "other")
    assert fitbook.search_runs(output_format="list")
    assert fitbook.get_run(run.info.run_id).data.tags
