import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fitbook._log import FitbookWarning
from fitbook.errors import ModelError
from fitbook.flavors import flavor_named, load_pyfunc, opened, render, write
from fitbook.models import infer_signature

SKLEARN = flavor_named("sklearn")
X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int).to_numpy()


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(10, random_state=0),
        make_pipeline(FunctionTransformer(lambda x: x * 2), LogisticRegression()),
    ],
    ids=["logistic", "pipeline", "forest", "lambda"],
)
@pytest.mark.parametrize("data", [X, X.to_numpy()], ids=["frame", "array"])
def test_a_saved_model_predicts_as_before(estimator, data, tmp_path):
    model = estimator.fit(data, Y)
    expected = model.predict(data)
    signature = infer_signature(data, expected)
    folder = write(SKLEARN.snapshot(model, signature=signature, input_example=data[:2]), tmp_path / "model")
    with opened(folder) as described:
        np.testing.assert_array_equal(SKLEARN.load(folder, described.flavors["sklearn"]).predict(data), expected)
    np.testing.assert_array_equal(load_pyfunc(folder).predict(data), expected)
    assert described.signature == signature
    assert len(described.load_input_example(folder)) == 2


def test_the_file_says_what_mlflow_reads():
    flavors = SKLEARN.snapshot(LogisticRegression().fit(X, Y)).flavors
    function = flavors["python_function"]
    assert function["loader_module"] == "mlflow.sklearn"
    assert function["model_path"] == flavors["sklearn"]["pickled_model"] == "model.pkl"
    assert function["predict_fn"] == "predict"
    assert function["env"] == {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    assert flavors["sklearn"]["serialization_format"] == "pickle"


def test_the_format_that_was_used_is_noted_with_its_requirement():
    snapshot = SKLEARN.snapshot(FunctionTransformer(lambda x: x))
    assert snapshot.flavors["sklearn"]["serialization_format"] == "cloudpickle"
    assert any(pin.startswith("cloudpickle==") for pin in snapshot.requirements.pins)


def test_pandas_is_required_where_columns_have_names():
    model = LogisticRegression().fit(X, Y)

    def names(signature):
        return {pin.partition("==")[0] for pin in SKLEARN.snapshot(model, signature=signature).requirements.pins}

    assert names(infer_signature(X)) == {"numpy", "pandas", "scikit-learn", "scipy"}
    assert names(infer_signature(X.to_numpy())) == {"numpy", "scikit-learn", "scipy"}


def test_a_snapshot_is_not_changed_by_a_later_fit():
    model = LogisticRegression().fit(X, Y)
    expected = model.predict(X)
    example, metadata = X.head(2).copy(), {"a": [1]}
    snapshot = SKLEARN.snapshot(model, input_example=example, metadata=metadata)
    model.fit(X, 1 - Y)
    example["a"] = 0.0
    metadata["a"].append(2)
    np.testing.assert_array_equal(pickle.loads(snapshot.files["model.pkl"]).predict(X), expected)
    pd.testing.assert_frame_equal(snapshot.input_example, X.head(2))
    assert snapshot.metadata == {"a": [1]}


def test_a_signature_comes_from_the_example_unless_it_is_false():
    model = LogisticRegression().fit(X, Y)
    signature = SKLEARN.snapshot(model, input_example=X.head(2)).signature
    assert signature == infer_signature(X, model.predict(X))
    assert SKLEARN.snapshot(model, input_example=X.head(2), signature=False).signature is None
    assert SKLEARN.snapshot(model).signature is None


def test_an_example_that_the_model_refuses_still_describes_the_input():
    with pytest.warns(FitbookWarning, match="outputs: predicting the input example failed with ValueError.*feature"):
        signature = SKLEARN.snapshot(LogisticRegression().fit(X, Y), input_example=X[["a"]]).signature
    assert signature == infer_signature(X[["a"]])


def test_another_method_can_be_pyfuncs(tmp_path):
    model = LogisticRegression().fit(X, Y)
    folder = write(SKLEARN.snapshot(model, pyfunc_predict_fn="predict_proba"), tmp_path / "model")
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X), model.predict_proba(X))


def test_a_model_without_predict_is_saved_without_pyfunc():
    assert list(SKLEARN.snapshot(DBSCAN().fit(X)).flavors) == ["sklearn"]


def test_a_model_that_can_not_be_pickled_says_so():
    class Stuck(BaseEstimator):
        def __init__(self):
            self.stream = (n for n in "abc")

    with pytest.raises(ModelError, match=r"attribute stream, a generator"):
        SKLEARN.snapshot(Stuck())


def test_the_serialization_is_the_only_thing_that_a_snapshot_does():
    snapshot = SKLEARN.snapshot(LogisticRegression().fit(X, Y))
    assert set(snapshot.files) == {"model.pkl"}
    assert set(render(snapshot)) > {"model.pkl", "MLmodel", "requirements.txt"}


def test_skops_models_without_skops_say_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "skops.io", None)
    (tmp_path / "model.skops").write_bytes(b"")
    with pytest.raises(ModelError, match="pip install skops"):
        SKLEARN.load(tmp_path, {"pickled_model": "model.skops", "serialization_format": "skops"})


def test_a_file_outside_of_the_folder_is_never_loaded(tmp_path):
    with pytest.raises(ModelError, match="inside its folder"):
        SKLEARN.load(tmp_path, {"pickled_model": "../model.pkl"})
