import lightgbm
import numpy as np
import pytest

from fitbook.errors import InvalidValue
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.models import Model

FLAVOR = flavor_named("lightgbm")


@pytest.mark.parametrize("kind", ["LGBMClassifier", "LGBMRegressor"])
def test_an_estimator_comes_back_as_its_class(kind, X, y, tmp_path):
    model = getattr(lightgbm, kind)(n_estimators=3, verbose=-1).fit(X, y)
    folder = write(FLAVOR.snapshot(model, input_example=X.head(2)), tmp_path / "model")
    config = Model.load(folder).flavors["lightgbm"]
    assert (config["data"], config["serialization_format"]) == ("model.pkl", "pickle")
    loaded = FLAVOR.load(folder, config)
    assert type(loaded) is type(model)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict(X))


def test_a_booster_is_kept_as_text(X, y, tmp_path):
    X = X.assign(k=X["a"].gt(0).map({True: "p", False: "n"}).astype("category"))
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 3)
    snapshot = FLAVOR.snapshot(booster)
    assert snapshot.pickled is None
    assert snapshot.files["model.lgb"].startswith(b"tree\n")
    folder = write(snapshot, tmp_path / "model")
    loaded = FLAVOR.load(folder, Model.load(folder).flavors["lightgbm"])
    assert type(loaded) is lightgbm.Booster
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(X))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), booster.predict(X))


def test_a_users_objective_is_pickled_with_the_model(X, y, tmp_path):
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, objective=lambda t, p: (p - t, np.ones_like(t))).fit(
        X, y
    )
    snapshot = FLAVOR.snapshot(model)
    assert snapshot.flavors["lightgbm"]["serialization_format"] == "cloudpickle"
    assert any(pin.startswith("cloudpickle==") for pin in snapshot.requirements.pins)


def test_a_data_set_is_no_model(X, y):
    with pytest.raises(InvalidValue, match="Dataset"):
        FLAVOR.snapshot(lightgbm.Dataset(X, y))
