"""Whose models are loaded without ceremony, and what never opens one."""

from __future__ import annotations

import os
import pickle
import sqlite3
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
from fitbook.flavors import _trust

X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)


class Canary:
    """Unpickling it raises."""

    def __reduce__(self) -> Any:
        return os._exit, (66,)


@pytest.fixture
def info() -> fitbook.tracking.ModelInfo:
    model = make_pipeline(FunctionTransformer(lambda x: x * 2), LinearRegression()).fit(X, Y)
    with fitbook.start_run():
        found = fitbook.sklearn.log_model(model, "model", registered_model_name="mine")
    _trust._of_this_process.clear()
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "fitbook-runs"


def _file(home: Path) -> Path:
    return next(home.rglob("model.pkl"))


def test_my_own_models_need_no_ceremony(info: Any) -> None:
    for uri in (info.model_uri, "models:/mine/1", f"models:/{info.model_id}"):
        assert np.allclose(fitbook.sklearn.load_model(uri).predict(X), Y)
        assert np.allclose(fitbook.pyfunc.load_model(uri).predict(X), Y)


def test_the_same_files_as_a_mere_folder_are_foreign(info: Any, home: Path) -> None:
    with pytest.raises(UntrustedModel) as refused:
        fitbook.sklearn.load_model(_file(home).parent)
    assert any(name.startswith("cloudpickle.") for name in refused.value.names)
    assert np.allclose(fitbook.sklearn.load_model(_file(home).parent, trusted=refused.value.names).predict(X), Y)
    assert np.allclose(fitbook.pyfunc.load_model(_file(home).parent, trusted=refused.value.names).predict(X), Y)


@pytest.mark.parametrize("what", ["folder", "database"])
def test_where_others_can_write_nothing_is_my_own(what: str, info: Any, home: Path) -> None:
    (home if what == "folder" else home / "fitbook.db").chmod(0o777)
    with pytest.raises(UntrustedModel):
        fitbook.sklearn.load_model(info.model_uri)


def test_what_is_noted_without_a_digest_is_foreign(info: Any, home: Path) -> None:
    with sqlite3.connect(home / "fitbook.db") as connection:
        connection.execute("UPDATE logged_models SET sha256 = ''")
    connection.close()
    with pytest.raises(UntrustedModel):
        fitbook.sklearn.load_model(info.model_uri)


def test_a_file_that_was_swapped_is_foreign(info: Any, home: Path) -> None:
    _file(home).write_bytes(pickle.dumps(Canary()))
    with sqlite3.connect(home / "fitbook.db") as connection:
        connection.execute("DELETE FROM files")  # which would notice it before
    connection.close()
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
