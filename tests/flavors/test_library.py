"""What all flavors of single libraries do alike, with the one whose models are made most quickly."""

import sys

import lightgbm
import numpy as np
import pytest

import fitbook
from fitbook import FitbookWarning
from fitbook.errors import InvalidValue, ModelError, SchemaMismatch
from fitbook.flavors import Predicting, flavor_named, load_pyfunc, write
from fitbook.flavors._library import accepted, class_named, located
from fitbook.models import Model, infer_signature

LIBRARIES = ["xgboost", "lightgbm", "catboost", "statsmodels", "onnx", "pytorch"]
ARGUMENTS = ["xgb_model", "lgb_model", "cb_model", "statsmodels_model", "onnx_model", "pytorch_model"]


@pytest.fixture
def booster(X, y):
    return lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 2)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_is_not_installed_is_named_with_its_extra(name, monkeypatch, tmp_path):
    module = "torch" if name == "pytorch" else name
    monkeypatch.setitem(sys.modules, module, None)
    for ask in (lambda: flavor_named(name).snapshot(1), lambda: flavor_named(name).load(tmp_path, {"data": "x"})):
        with pytest.raises(ModelError, match=rf"'{module}', which can't be imported.*fitbook\[{module}\]"):
            ask()


@pytest.mark.parametrize(("name", "argument"), list(zip(LIBRARIES, ARGUMENTS, strict=True)))
def test_every_module_has_mlflows_calls_and_saves_nothing_that_is_not_of_its_library(name, argument, tmp_path):
    module = getattr(fitbook, name)
    if name != "pytorch":  # which has a test of its own, where torch is
        with pytest.raises(InvalidValue, match="int"):
            module.save_model(**{argument: 1}, path=tmp_path / "model")
        with pytest.raises(InvalidValue, match="int"):
            module.log_model(**{argument: 1}, name="model")
    assert not (tmp_path / "model").exists()
    assert callable(module.load_model)
    assert isinstance(flavor_named(name), Predicting)


def test_star_imports_do_not_hide_the_libraries():
    assert not set(LIBRARIES) & set(fitbook.__all__)


def test_options_are_those_of_scikit_learns_flavor(booster, X):
    options = {"metadata": {"a": [1]}, "pip_requirements": ["lightgbm"], "extra_pip_requirements": ["extra"]}
    snapshot = flavor_named("lightgbm").snapshot(booster, input_example=X.head(2), **options)
    assert snapshot.signature == infer_signature(X, booster.predict(X))
    assert snapshot.metadata == {"a": [1]}
    assert snapshot.requirements.pins == ("lightgbm", "extra")
    options["metadata"]["a"].append(2)
    assert snapshot.metadata == {"a": [1]}
    assert flavor_named("lightgbm").snapshot(booster, input_example=X.head(2), signature=False).signature is None


def test_an_example_that_the_model_refuses_still_describes_the_input(booster, X):
    snapshot = flavor_named("lightgbm").snapshot(booster, input_example=X[["a"]])
    assert snapshot.signature == infer_signature(X[["a"]])


def test_pandas_is_required_where_columns_have_names(booster, X):
    def names(**options):
        pins = flavor_named("lightgbm").snapshot(booster, **options).requirements.pins
        return {pin.partition("==")[0] for pin in pins}

    assert names() == {"lightgbm", "numpy", "scipy"}
    assert names(signature=infer_signature(X)) == {"lightgbm", "numpy", "scipy", "pandas"}


def test_the_signature_is_enforced_before_the_library_predicts(booster, X, tmp_path):
    folder = write(flavor_named("lightgbm").snapshot(booster, input_example=X.head(2)), tmp_path / "model")
    model = load_pyfunc(folder)
    np.testing.assert_allclose(model.predict(X[["c", "a", "b"]]), booster.predict(X))
    with pytest.raises(SchemaMismatch, match="lacks the column 'b'"):
        model.predict(X[["a", "c"]])
    with pytest.raises(SchemaMismatch, match="'a' needs double"):
        model.predict(X.assign(a="text"))


def test_params_are_the_librarys_own_and_hold_to_the_signature(booster, X, tmp_path):
    expected = booster.predict(X, num_iteration=1)
    assert not np.allclose(expected, booster.predict(X))
    plain = load_pyfunc(write(flavor_named("lightgbm").snapshot(booster), tmp_path / "plain"))
    np.testing.assert_allclose(plain.predict(X, params={"num_iteration": 1}), expected)
    signature = infer_signature(X, expected, params={"num_iteration": 1})
    described = flavor_named("lightgbm").snapshot(booster, signature=signature)
    model = load_pyfunc(write(described, tmp_path / "described"))
    np.testing.assert_allclose(model.predict(X), expected)
    with pytest.raises(SchemaMismatch, match="no parameter 'other'"):
        model.predict(X, params={"other": 1})


def test_params_that_no_one_takes_are_left_out_and_named():
    with pytest.warns(FitbookWarning, match="other"):
        assert accepted(lambda data, known=1: None, {"known": 2, "other": 3}) == {"known": 2}
    with pytest.warns(FitbookWarning, match="other"):
        assert accepted(None, {"other": 3}) == {}


def test_models_are_logged_registered_and_loaded(booster, X):
    with fitbook.start_run() as run:
        info = fitbook.lightgbm.log_model(booster, "lgb", registered_model_name="lights", input_example=X.head(2))
    assert (info.artifact_path, info.registered_model_version) == ("lgb", 1)
    for uri in (f"runs:/{run.info.run_id}/lgb", "models:/lights/1"):
        np.testing.assert_allclose(fitbook.lightgbm.load_model(uri).predict(X), booster.predict(X))
        np.testing.assert_allclose(fitbook.pyfunc.load_model(uri).predict(X), booster.predict(X))
    with pytest.raises(ModelError, match=r"no flavor 'xgboost'; it has .*lightgbm"):
        fitbook.xgboost.load_model("models:/lights/1")


def test_a_class_is_looked_for_in_the_library_only():
    class_named("lightgbm.basic.Booster", lightgbm, lightgbm.Booster)
    for name in ("os.system", "lightgbm.os", "other.Booster", "lightgbm.Dataset", None, ""):
        with pytest.raises(ModelError, match="no class of lightgbm's models"):
            class_named(name, lightgbm, lightgbm.Booster)


def test_files_lie_in_the_folder_or_are_not_opened(tmp_path):
    (tmp_path / "outside").write_text("secret")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    for name, message in (
        ("../outside", "not a path inside"),
        (str(tmp_path / "outside"), "not a path inside"),
        (None, "not a path inside"),
        ("link", "missing"),
        ("nothing", "missing"),
    ):
        with pytest.raises(ModelError, match=message):
            located(folder, {"data": name}, "data")


def test_what_the_library_raises_is_a_model_error_and_nothing_is_written(booster, tmp_path, monkeypatch):
    def broken(*args):
        raise RuntimeError("disk is made of cheese")

    monkeypatch.setattr(lightgbm.Booster, "model_to_string", broken)
    with pytest.raises(
        ModelError, match=r"lightgbm.basic.Booster, can't be saved: RuntimeError\('disk is made of cheese"
    ):
        fitbook.lightgbm.save_model(booster, tmp_path / "model")
    assert list(tmp_path.glob("model*")) == []


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost", "statsmodels", "onnx"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 64])
def test_damaged_files_are_model_errors(name, content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    config = {"data": "x", "save_format": "cbm", "model_type": "CatBoost"}
    with pytest.raises(ModelError, match="x"):
        flavor_named(name).load(tmp_path, config)


def test_a_loaded_model_says_what_it_is(booster, tmp_path):
    folder = write(flavor_named("lightgbm").snapshot(booster), tmp_path / "model")
    assert "flavor: mlflow.lightgbm" in repr(load_pyfunc(folder))
    assert Model.load(folder).flavors["python_function"]["data"] == "model.lgb"
