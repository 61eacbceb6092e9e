import catboost
import numpy as np
import pytest

from fitbook.errors import InvalidValue, ModelError
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.models import Model

FLAVOR = flavor_named("catboost")
QUIET = {"iterations": 3, "verbose": 0, "allow_writing_files": False}


@pytest.mark.parametrize("kind", ["CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"])
def test_a_model_comes_back_as_its_class(kind, X, y, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ranks = kind == "CatBoostRanker"
    model = catboost.CatBoost(QUIET) if kind == "CatBoost" else getattr(catboost, kind)(**QUIET)
    model.fit(X, y, **({"group_id": np.zeros(len(y), dtype=int)} if ranks else {}))
    snapshot = FLAVOR.snapshot(model, input_example=X.head(2))
    assert snapshot.pickled is None
    folder = write(snapshot, tmp_path / "model")
    config = Model.load(folder).flavors["catboost"]
    assert (config["data"], config["save_format"], config["model_type"]) == ("model.cb", "cbm", kind)
    loaded = FLAVOR.load(folder, config)
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict(X))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("catboost")] == []


def test_text_columns_and_labels_come_back(X, y, tmp_path):
    X = X.assign(k=np.where(X["a"] > 0, "p", "n"))
    labels = np.where(y, "yes", "no")
    model = catboost.CatBoostClassifier(**QUIET, cat_features=["k"]).fit(X, labels)
    folder = write(FLAVOR.snapshot(model, input_example=X.head(2)), tmp_path / "model")
    predicted = load_pyfunc(folder).predict(X)
    np.testing.assert_array_equal(predicted, model.predict(X))
    assert set(predicted) <= {"yes", "no"}


def test_params_are_handed_on(X, y, tmp_path):
    model = catboost.CatBoostClassifier(**QUIET).fit(X, y)
    folder = write(FLAVOR.snapshot(model), tmp_path / "model")
    predicted = load_pyfunc(folder).predict(X, params={"prediction_type": "Probability"})
    np.testing.assert_array_equal(predicted, model.predict_proba(X))


def test_json_is_read_and_code_is_not(X, y, tmp_path):
    model = catboost.CatBoostRegressor(**QUIET).fit(X, y)
    model.save_model(str(tmp_path / "model.json"), format="json")
    config = {"data": "model.json", "model_type": "CatBoostRegressor"}
    loaded = FLAVOR.load(tmp_path, {**config, "save_format": "json"})
    np.testing.assert_allclose(loaded.predict(X), model.predict(X))
    with pytest.raises(ModelError, match="format 'python'"):
        FLAVOR.load(tmp_path, {**config, "save_format": "python"})
    with pytest.raises(ModelError, match="no class of catboost's"):
        FLAVOR.load(tmp_path, {**config, "save_format": "json", "model_type": "Pool"})


def test_what_can_not_be_saved_says_why():
    with pytest.raises(ModelError, match="CatBoostRegressor, can't be saved: CatBoostError"):
        FLAVOR.snapshot(catboost.CatBoostRegressor(**QUIET))
    with pytest.raises(InvalidValue, match="Pool"):
        FLAVOR.snapshot(catboost.Pool([[1.0]]))
