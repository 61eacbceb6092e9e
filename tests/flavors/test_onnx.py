import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitbook import FitbookWarning
from fitbook.errors import InvalidValue, ModelError, SchemaMismatch
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.models import Model

FLAVOR = flavor_named("onnx")


def _graph(weights, **arguments):
    """A graph that multiplies ``x`` by a matrix."""
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["z"])],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [None, 1])],
            [onnx.numpy_helper.from_array(weights, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        **arguments,
    )


@pytest.fixture
def weights():
    return np.arange(3, dtype="float32").reshape(3, 1)


def test_a_graph_comes_back_and_runs(weights, X, tmp_path):
    graph = _graph(weights)
    snapshot = FLAVOR.snapshot(graph, input_example=X.head(2))
    assert snapshot.pickled is None
    folder = write(snapshot, tmp_path / "model")
    described = Model.load(folder)
    assert FLAVOR.load(folder, described.flavors["onnx"]) == graph
    predicted = load_pyfunc(folder).predict(X)
    assert isinstance(predicted, pd.DataFrame)
    np.testing.assert_allclose(predicted["z"], X.to_numpy() @ weights.ravel(), rtol=1e-5)
    assert {pin.partition("==")[0] for pin in snapshot.requirements.pins} == {"numpy", "onnx", "onnxruntime", "pandas"}


def test_arrays_and_dicts_give_dicts(weights, X, tmp_path):
    model = load_pyfunc(write(FLAVOR.snapshot(_graph(weights)), tmp_path / "model"))
    expected = X.to_numpy() @ weights
    for given in (X.to_numpy(), {"x": X.to_numpy(dtype="float32")}, X.to_numpy().tolist()):
        np.testing.assert_allclose(model.predict(given)["z"], expected, rtol=1e-5)


def test_wrong_input_names_what_the_graph_needs(weights, X, tmp_path):
    model = load_pyfunc(write(FLAVOR.snapshot(_graph(weights)), tmp_path / "model"))
    with pytest.raises(SchemaMismatch, match=r"inputs \['x'\], and \['x'\] are not in the data"):
        model.predict({"y": X.to_numpy()})
    with pytest.raises(SchemaMismatch, match="'x' needs float"):
        model.predict(np.array([["a", "b", "c"]]))
    with pytest.raises(ModelError, match="can't predict for this input"):
        model.predict(np.zeros((2, 5), dtype="float32"))
    with pytest.warns(FitbookWarning, match="threshold"):
        model.predict(X, params={"threshold": 1})


@pytest.mark.parametrize("as_frame", [True, False])
def test_estimators_are_exported(as_frame, X, y, tmp_path):
    data = X if as_frame else X.to_numpy()
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, y)
    folder = write(FLAVOR.snapshot(estimator, input_example=data[:2]), tmp_path / "model")
    predicted = load_pyfunc(folder).predict(data)
    np.testing.assert_array_equal(predicted["label"], estimator.predict(data))
    np.testing.assert_allclose(predicted["probabilities"], estimator.predict_proba(data), rtol=1e-4, atol=1e-6)


def test_a_regressor_predicts_a_column(X, y, tmp_path):
    estimator = LinearRegression().fit(X, y)
    predicted = load_pyfunc(write(FLAVOR.snapshot(estimator, input_example=X), tmp_path / "model")).predict(X)
    assert isinstance(predicted, pd.DataFrame)
    np.testing.assert_allclose(predicted["variable"], estimator.predict(X), rtol=1e-5)


def test_columns_of_several_kinds_are_inputs_of_their_own(X, y, tmp_path):
    X = X.assign(k=np.where(X["a"] > 0, "p", "n"))
    steps = make_column_transformer((OneHotEncoder(), ["k"]), (StandardScaler(), ["a", "b"]))
    estimator = make_pipeline(steps, RandomForestClassifier(5, random_state=0)).fit(X, y)
    folder = write(FLAVOR.snapshot(estimator, input_example=X.head(2)), tmp_path / "model")
    np.testing.assert_array_equal(load_pyfunc(folder).predict(X)["label"], estimator.predict(X))
    with pytest.raises(SchemaMismatch, match="give a DataFrame or a dict"):
        load_pyfunc(write(FLAVOR.snapshot(estimator, input_example=X, signature=False), tmp_path / "free")).predict([1])


def test_columns_of_numbers_that_are_chosen_by_name(X, y, tmp_path):
    estimator = make_pipeline(make_column_transformer((StandardScaler(), ["c", "a"])), LinearRegression()).fit(X, y)
    model = load_pyfunc(write(FLAVOR.snapshot(estimator, input_example=X.head(2)), tmp_path / "model"))
    np.testing.assert_allclose(model.predict(X)["variable"], estimator.predict(X), rtol=1e-5)


def test_what_can_not_be_exported_says_why(X, y):
    with pytest.raises(InvalidValue, match="give an input_example"):
        FLAVOR.snapshot(LinearRegression().fit(X, y))

    class Mine(LinearRegression):
        pass

    with pytest.raises(ModelError, match="skl2onnx can't turn the .*Mine into ONNX") as caught:
        FLAVOR.snapshot(Mine().fit(X, y), input_example=X)
    assert len(str(caught.value)) < 1000


def test_tensors_beside_the_graph_are_read(weights, X, tmp_path):
    onnx.save_model(
        _graph(weights), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin"
    )
    loaded = FLAVOR.load(tmp_path, {"data": "model.onnx"})
    assert loaded.graph.initializer[0].raw_data == weights.tobytes()
    np.testing.assert_allclose(FLAVOR.predictor(loaded, {})(X.to_numpy(), {})["z"], X.to_numpy() @ weights, rtol=1e-5)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "link", "", "gone"])
@pytest.mark.parametrize("nested", [False, True])
def test_tensors_are_read_from_the_models_own_folder_only(location, nested, weights, tmp_path):
    (tmp_path / "secret").write_bytes(b"s" * 12)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    graph = _graph(weights)
    if nested:  # in an attribute of a node, where a graph keeps a constant
        constant = helper.make_node("Constant", [], ["k"], value=onnx.numpy_helper.from_array(weights, "k"))
        graph.graph.node.append(constant)
        tensor = graph.graph.node[-1].attribute[0].t
    else:
        tensor = graph.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ModelError, match="not a path inside|missing"):
        FLAVOR.load(folder, {"data": "model.onnx"})
    with pytest.raises(ModelError, match="in other files"):
        FLAVOR.snapshot(graph)


def test_a_graph_that_onnx_refuses_is_not_saved(weights):
    graph = _graph(weights)
    graph.graph.node[0].op_type = "Nonsense"
    with pytest.raises(ModelError, match="can't be saved.*Nonsense"):
        FLAVOR.snapshot(graph)


def test_what_the_runtime_is_told(weights, X, tmp_path, monkeypatch):
    told = []
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *args, **kwargs: told.append((args[1], kwargs)) or session(*args, **kwargs),
    )
    options = {"intra_op_num_threads": 1, "extra_session_config": {"ep.context_enable": "1"}}
    snapshot = FLAVOR.snapshot(
        _graph(weights), onnx_execution_providers=["NoSuchProvider"], onnx_session_options=options
    )
    assert snapshot.flavors["onnx"]["providers"] == ["NoSuchProvider"]
    folder = write(snapshot, tmp_path / "model")
    np.testing.assert_allclose(load_pyfunc(folder).predict(X)["z"], X.to_numpy() @ weights.ravel(), rtol=1e-5)
    assert told[0][0].intra_op_num_threads == 1
    assert told[0][1] == {"providers": ["CPUExecutionProvider"]}
    with pytest.raises(RuntimeError, match="ep.context_enable"):
        told[0][0].get_session_config_entry("ep.context_enable")
    assert sorted(path.name for path in folder.iterdir() if "onnx" in path.name) == ["model.onnx"]
