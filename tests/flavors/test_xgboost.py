import json

import numpy as np
import pytest
import xgboost

from fitbook.errors import InvalidValue, ModelError
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.models import Model

FLAVOR = flavor_named("xgboost")


@pytest.mark.parametrize("kind", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRanker"])
@pytest.mark.parametrize("model_format", ["ubj", "json"])
def test_an_estimator_comes_back_as_its_class(kind, model_format, X, y, tmp_path):
    model = getattr(xgboost, kind)(n_estimators=3)
    model.fit(X, y, **({"qid": np.zeros(len(y), dtype=int)} if kind == "XGBRanker" else {}))
    folder = write(FLAVOR.snapshot(model, model_format=model_format, input_example=X.head(2)), tmp_path / "model")
    config = Model.load(folder).flavors["xgboost"]
    assert config["data"] == f"model.{model_format}"
    assert config["model_class"] == f"xgboost.sklearn.{kind}"
    loaded = FLAVOR.load(folder, config)
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict(X))


def test_a_booster_predicts_for_plain_data(X, y, tmp_path):
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, y), 3)
    expected = booster.predict(xgboost.DMatrix(X))
    folder = write(FLAVOR.snapshot(booster, input_example=X.head(2)), tmp_path / "model")
    loaded = FLAVOR.load(folder, Model.load(folder).flavors["xgboost"])
    assert type(loaded) is xgboost.Booster
    np.testing.assert_array_equal(loaded.predict(xgboost.DMatrix(X)), expected)
    model = load_pyfunc(folder)
    np.testing.assert_array_equal(model.predict(X), expected)
    margin = model.predict(X, params={"output_margin": True, "iteration_range": (0, 1)})
    np.testing.assert_array_equal(
        margin, booster.predict(xgboost.DMatrix(X), output_margin=True, iteration_range=(0, 1))
    )


def test_nothing_is_unpickled_and_the_model_stays_as_it_is(X, y):
    model = xgboost.XGBClassifier(n_estimators=3).fit(X, y)
    before = dict(model.get_booster().attributes())
    snapshot = FLAVOR.snapshot(model, model_format="json")
    assert snapshot.pickled is None
    assert "learner" in json.loads(snapshot.files["model.json"])
    assert model.get_booster().attributes() == before
    assert any(pin.startswith("xgboost") for pin in snapshot.requirements.pins)


def test_the_users_own_subclasses_are_for_scikit_learns_flavor(X, y):
    class Mine(xgboost.XGBClassifier):
        pass

    with pytest.raises(InvalidValue, match=r"Mine.*fitbook\.sklearn"):
        FLAVOR.snapshot(Mine(n_estimators=1).fit(X, y))


def test_what_can_not_be_saved_says_why(X, y):
    with pytest.raises(ModelError, match="XGBClassifier, can't be saved: NotFittedError"):
        FLAVOR.snapshot(xgboost.XGBClassifier())
    with pytest.raises(InvalidValue, match="'xgb' is unknown"):
        FLAVOR.snapshot(xgboost.XGBClassifier(n_estimators=1).fit(X, y), model_format="xgb")


def test_the_class_is_xgboosts_whatever_the_file_says(X, y, tmp_path):
    model = xgboost.XGBClassifier(n_estimators=1).fit(X, y)
    folder = write(FLAVOR.snapshot(model), tmp_path / "model")
    config = Model.load(folder).flavors["xgboost"]
    for name in ("subprocess.Popen", "xgboost.DMatrix", "xgboost.sklearn.os"):
        with pytest.raises(ModelError, match="no class of xgboost's models"):
            FLAVOR.load(folder, {**config, "model_class": name})


def test_categories_are_taken(X, y, tmp_path):
    X = X.assign(k=X["a"].gt(0).map({True: "p", False: "n"}).astype("category"))
    booster = xgboost.train({}, xgboost.DMatrix(X, y, enable_categorical=True), 2)
    folder = write(FLAVOR.snapshot(booster), tmp_path / "model")
    np.testing.assert_array_equal(
        load_pyfunc(folder).predict(X), booster.predict(xgboost.DMatrix(X, enable_categorical=True))
    )
