"""Each flavor with the real MLflow in the same process, both ways: `make flavors`."""

import catboost
import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
import skl2onnx
import statsmodels.api as sm
import torch
import xgboost
from onnx import TensorProto, helper
from sklearn.linear_model import LinearRegression
from statsmodels.tsa.arima.model import ARIMA

import fitbook
from fitbook.errors import UntrustedModel
from fitbook.models import Model

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["a", "b", "c"])
Y = (X["a"] + X["b"] > 0).astype(int).to_numpy()
ARRAY = X.to_numpy(dtype="float32")
SPAN = pd.DataFrame({"start": [60], "end": [63]})


def _torch():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()


def _catboost():
    return catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(X, Y)


# Flavor, how the model is made, its input, and what fitbook and MLflow are told when it is saved.
CASES = {
    "xgboost estimator": ("xgboost", lambda: xgboost.XGBClassifier(n_estimators=3).fit(X, Y), X, {}, {}),
    "xgboost booster": ("xgboost", lambda: xgboost.train({}, xgboost.DMatrix(X, Y), 3), X, {}, {}),
    "xgboost json": (
        "xgboost",
        lambda: xgboost.XGBRegressor(n_estimators=3).fit(X, Y),
        X,
        {"model_format": "json"},
        {"model_format": "json"},
    ),
    "lightgbm estimator": (
        "lightgbm",
        lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y),
        X,
        {},
        {"serialization_format": "cloudpickle"},
    ),
    "lightgbm booster": ("lightgbm", lambda: lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, Y), 3), X, {}, {}),
    "catboost": ("catboost", _catboost, X, {}, {}),
    "statsmodels": ("statsmodels", lambda: sm.OLS(Y, X).fit(), X, {}, {}),
    "statsmodels series": ("statsmodels", lambda: ARIMA(X["a"].to_numpy(), order=(1, 0, 0)).fit(), SPAN, {}, {}),
    "onnx": ("onnx", lambda: skl2onnx.to_onnx(LinearRegression().fit(ARRAY, Y), ARRAY[:1]), X, {}, {}),
    "pytorch": ("pytorch", _torch, ARRAY, {"serialization_format": "pickle"}, {"serialization_format": "pickle"}),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """MLflow asks a second interpreter for requirements; a file of the test's own is its store."""
    monkeypatch.setattr(mlflow.models, "infer_pip_requirements", lambda *args, **kwargs: ["pip"])
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")


def _needed_trust(flavor, folder):
    """What has to be trusted of a folder: of results of statsmodels', which fitbook does not take for harmless."""
    try:
        fitbook.pyfunc.load_model(folder)
    except UntrustedModel as refused:
        assert flavor == "statsmodels"
        return {"trusted": refused.names}
    return {}


@pytest.mark.parametrize("case", CASES)
def test_mlflow_loads_what_fitbook_saves_and_the_reverse(case, tmp_path):
    flavor, make, data, our_options, their_options = CASES[case]
    model = make()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    example = data[:2]
    getattr(fitbook, flavor).save_model(model, ours, input_example=example, **our_options)
    getattr(mlflow, flavor).save_model(model, str(theirs), input_example=example, **their_options)
    by_mlflow = [mlflow.pyfunc.load_model(str(folder)).predict(data) for folder in (theirs, ours)]
    trusting = _needed_trust(flavor, theirs)
    by_fitbook = [fitbook.pyfunc.load_model(folder, **trusting).predict(data) for folder in (ours, theirs)]
    for predicted in (*by_mlflow, *by_fitbook):
        np.testing.assert_allclose(np.asarray(predicted), np.asarray(by_mlflow[0]), rtol=1e-5)
    kinds = {type(getattr(mlflow, flavor).load_model(str(folder))) for folder in (ours, theirs)}
    kinds |= {type(getattr(fitbook, flavor).load_model(folder, **trusting)) for folder in (ours, theirs)}
    assert kinds == {type(model)}
    written, expected = Model.load(ours), Model.load(theirs)
    for name, section in expected.flavors.items():
        # Besides, MLflow notes what it would have used for another kind of model, and torch's device: none.
        unused = {"config", "pickle_module_name", "serialization_format", "skops_trusted_types"}
        same = {key: value for key, value in section.items() if key not in unused}
        assert same.items() <= written.flavors[name].items()
    names = [{path.relative_to(folder).as_posix() for path in folder.rglob("*")} for folder in (ours, theirs)]
    assert names[0] == names[1]


def test_mlflow_loads_weights_with_fitbooks_help_and_alone(tmp_path):
    net = _torch()
    expected = net(torch.tensor(ARRAY)).detach().numpy()
    fitbook.pytorch.save_model(net, tmp_path / "model", input_example=ARRAY[:2])
    np.testing.assert_allclose(mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(ARRAY), expected, rtol=1e-6)
    weights = mlflow.pytorch.load_state_dict(str(tmp_path / "model" / "data"))
    assert set(weights) == set(net.state_dict())


def test_mlflows_exported_graphs_are_refused(tmp_path):
    mlflow.pytorch.save_model(_torch(), str(tmp_path / "model"), input_example=ARRAY[:2])
    with pytest.raises(fitbook.FitbookError, match=r"torch\.export\.load"):
        fitbook.pytorch.load_model(tmp_path / "model")


def test_onnx_with_tensors_beside_the_graph(tmp_path):
    weights = onnx.numpy_helper.from_array(RNG.normal(size=(600, 2)).astype("float32"), "w")
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size]) for name, size in (("x", 600), ("z", 2))
    ]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["z"])], "g", sides[:1], sides[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    mlflow.onnx.save_model(model, str(tmp_path / "model"))
    assert (tmp_path / "model" / "model.onnx").stat().st_size < 1000
    data = RNG.normal(size=(4, 600)).astype("float32")
    np.testing.assert_array_equal(
        fitbook.pyfunc.load_model(tmp_path / "model").predict(data)["z"],
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(data)["z"],
    )
