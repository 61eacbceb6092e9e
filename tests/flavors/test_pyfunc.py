import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

from fitbook._log import FitbookWarning
from fitbook.errors import ModelError, NotFound, SchemaMismatch
from fitbook.flavors import PythonModel, flavor_named, load_pyfunc, write
from fitbook.models import infer_signature

X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int).to_numpy()


class Echo(PythonModel):
    def predict(self, model_input):
        return model_input


@pytest.fixture
def model():
    return LogisticRegression().fit(X, Y)


@pytest.fixture
def folder(model, tmp_path):
    return write(
        flavor_named("sklearn").snapshot(model, signature=infer_signature(X)),
        tmp_path / "model",
        run_id="r1",
        artifact_path="model",
    )


def _edit(folder, change):
    content = yaml.safe_load((folder / "MLmodel").read_text())
    change(content)
    (folder / "MLmodel").write_text(yaml.safe_dump(content))


def test_the_input_is_brought_into_the_models_order(folder, model):
    loaded = load_pyfunc(folder)
    np.testing.assert_array_equal(loaded.predict(X[["c", "a", "b"]]), model.predict(X))
    np.testing.assert_array_equal(loaded.predict(X.to_numpy()), model.predict(X))
    np.testing.assert_array_equal(loaded.predict(X.to_dict("list")), model.predict(X))
    with pytest.raises(SchemaMismatch, match="'b'"):
        loaded.predict(X.drop(columns="b"))


def test_the_raw_model_and_the_words_about_it(folder):
    loaded = load_pyfunc(folder)
    assert isinstance(loaded.get_raw_model(), LogisticRegression)
    assert loaded.metadata.run_id == "r1"
    assert loaded.loader_module == "mlflow.sklearn"
    assert repr(loaded) == (
        "fitbook.pyfunc.loaded_model:\n  artifact_path: model\n  flavor: mlflow.sklearn\n  run_id: r1"
    )
    with pytest.raises(ModelError, match="LogisticRegression"):
        loaded.unwrap_python_model()


def test_a_python_model_can_be_unwrapped(tmp_path):
    loaded = load_pyfunc(write(flavor_named("python_function").snapshot(Echo()), tmp_path / "model"))
    assert isinstance(loaded.unwrap_python_model(), Echo)
    assert loaded.get_raw_model() is loaded.unwrap_python_model()


def test_params_for_an_estimator_are_left_out_with_a_warning(folder, model):
    with pytest.warns(FitbookWarning, match="LogisticRegression takes no params"):
        got = load_pyfunc(folder).predict(X, params={"k": 1})
    np.testing.assert_array_equal(got, model.predict(X))


def test_the_loader_is_chosen_by_name_and_never_imported_from_the_file(folder, tmp_path, monkeypatch):
    (tmp_path / "evil_loader.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    _edit(folder, lambda content: content["flavors"]["python_function"].update(loader_module="evil_loader"))
    assert load_pyfunc(folder).predict(X).shape == (30,)
    _edit(folder, lambda content: content["flavors"].pop("sklearn"))
    with pytest.raises(ModelError, match="knows sklearn, python_function"):
        load_pyfunc(folder)
    assert "evil_loader" not in sys.modules


def test_a_file_can_only_name_methods_that_predict(folder):
    _edit(folder, lambda content: content["flavors"]["python_function"].update(predict_fn="set_params"))
    with pytest.raises(ModelError, match="'set_params'"):
        load_pyfunc(folder)
    _edit(folder, lambda content: content["flavors"]["python_function"].update(predict_fn="transform"))
    with pytest.raises(ModelError, match="no method 'transform'"):
        load_pyfunc(folder)


def test_code_in_the_folder_does_not_reach_the_import_path(folder):
    (folder / "code").mkdir()
    _edit(folder, lambda content: content["flavors"]["python_function"].update(code="code"))
    before = list(sys.path)
    load_pyfunc(folder)
    assert sys.path == before


def test_where_there_is_no_model_nothing_is_found(tmp_path):
    with pytest.raises(NotFound, match="MLmodel"):
        load_pyfunc(tmp_path)
