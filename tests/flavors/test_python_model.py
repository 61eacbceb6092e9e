import bz2
import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from fitbook.errors import InvalidValue, ModelError, NotFound, UntrustedModel
from fitbook.flavors import PythonModel, PythonModelContext, flavor_named, load_pyfunc, trusting, write
from fitbook.models import infer_signature

PYTHON = flavor_named("python_function")


class Full(PythonModel):
    def load_context(self, context):
        with open(context.artifacts["offset"]) as file:
            self.offset = float(file.read())

    def predict(self, context, model_input, params=None):
        factor = (params or {}).get("factor", context.model_config.get("factor", 1))
        return model_input * factor + self.offset


class Short(PythonModel):
    def predict(self, model_input):
        return model_input * 2


class ShortWithParams(PythonModel):
    def predict(self, model_input, params=None):
        return model_input, params


class OtherNames(PythonModel):
    def predict(self, ctx, X):
        return type(ctx).__name__, X


def _saved(model, folder, **options):
    return load_pyfunc(write(PYTHON.snapshot(model, **options), folder / "model"))


def test_context_artifacts_config_and_params_arrive(tmp_path):
    (tmp_path / "offset.txt").write_text("10")
    options = {"artifacts": {"offset": tmp_path / "offset.txt"}, "model_config": {"factor": 3}}
    model = _saved(Full(), tmp_path, **options)
    (tmp_path / "offset.txt").unlink()
    assert model.predict(np.array([1.0])) == [13]
    assert model.predict(np.array([1.0]), params={"factor": 5}) == [15]
    assert load_pyfunc(tmp_path / "model", model_config={"factor": 7}).predict(1.0) == 17


def test_predict_may_leave_out_what_it_does_not_need(tmp_path):
    assert _saved(Short(), tmp_path / "a").predict(4) == 8
    assert _saved(ShortWithParams(), tmp_path / "b").predict(4, params={"x": 1}) == (4, {"x": 1})
    assert _saved(OtherNames(), tmp_path / "c").predict(4) == ("PythonModelContext", 4)


def test_a_function_is_a_model(tmp_path):
    assert _saved(lambda rows: [len(row) for row in rows], tmp_path / "a").predict(["a", "bcd"]) == [1, 3]
    assert _saved(lambda rows, params: params, tmp_path / "b").predict([], params={"k": 1}) == {"k": 1}


def test_declared_params_have_defaults(tmp_path):
    signature = infer_signature(np.zeros(2), params={"k": 1})
    model = _saved(ShortWithParams(), tmp_path, signature=signature)
    assert model.predict(np.zeros(1))[1] == {"k": 1}
    assert model.predict(np.zeros(1), params={"k": 2})[1] == {"k": 2}


def test_column_schemas_give_the_model_a_frame(tmp_path):
    model = _saved(ShortWithParams(), tmp_path, signature=infer_signature(["a"]))
    got, _ = model.predict(["x", "y"])
    pd.testing.assert_frame_equal(got, pd.DataFrame(["x", "y"]))
    got, _ = model.predict("x")
    pd.testing.assert_frame_equal(got, pd.DataFrame(["x"]))


def test_a_model_of_a_script_loads_in_another_process(tmp_path, monkeypatch):
    script = (
        "import sys; from fitbook.flavors import PythonModel, flavor_named, write\n"
        "class Mine(PythonModel):\n    def predict(self, model_input): return [x + 1 for x in model_input]\n"
        "write(flavor_named('python_function').snapshot(Mine()), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "model")], check=True)
    assert load_pyfunc(tmp_path / "model").predict([1, 2]) == [2, 3]  # it is this user's
    monkeypatch.setenv("FITBOOK_KEY_FILE", str(tmp_path / "stranger.key"))
    with pytest.raises(UntrustedModel) as refused:
        load_pyfunc(tmp_path / "model")
    with trusting(refused.value.names):
        assert load_pyfunc(tmp_path / "model").predict([1, 2]) == [2, 3]


def test_the_pickle_names_mlflows_base_classes_and_not_fitbook(tmp_path):
    for model in (Short(), len, PythonModel()):
        snapshot = PYTHON.snapshot(model)
        assert b"fitbook" not in snapshot.files["python_model.pkl"]
        assert not any(pin.startswith("fitbook") for pin in snapshot.requirements.pins)
    assert b"mlflow.pyfunc.model" in PYTHON.snapshot(PythonModel()).files["python_model.pkl"]
    assert b"_FunctionPythonModel" in PYTHON.snapshot(len).files["python_model.pkl"]
    assert type(_saved(PythonModel(), tmp_path).get_raw_model()) is PythonModel


def test_artifacts_of_one_name_do_not_collide(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.txt").write_text(folder)
    artifacts = {"one": tmp_path / "a" / "data.txt", "two": f"file://{tmp_path}/b/data.txt"}
    model = _saved(OtherNames(), tmp_path, artifacts=artifacts)
    paths = load_pyfunc(tmp_path / "model")._raw_model.context.artifacts
    assert [Path(paths[name]).read_text() for name in ("one", "two")] == ["a", "b"]
    assert model.metadata.flavors["python_function"]["artifacts"]["one"]["path"] == "artifacts/data.txt"


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(InvalidValue, match="instance of a subclass"):
        PYTHON.snapshot(Short)
    with pytest.raises(InvalidValue):
        PYTHON.snapshot(LogisticRegression())
    with pytest.raises(NotFound, match="offset"):
        PYTHON.snapshot(Full(), artifacts={"offset": tmp_path / "offset"})
    with pytest.raises(ModelError, match="no predict method"):
        PythonModel().predict(None, None)


@pytest.mark.parametrize(("name", "module"), [("gzip", gzip), ("bzip2", bz2), ("lzma", lzma)])
def test_compressed_models_by_mlflow_are_read(name, module, tmp_path):
    snapshot = PYTHON.snapshot(Short())
    (tmp_path / "m.gz").write_bytes(module.compress(snapshot.files["python_model.pkl"]))
    config = {"python_model": "m.gz", "python_model_compression": name}
    with trusting([f"{__name__}.Short"]):
        assert PYTHON.load(tmp_path, config).predict(2) == 4
    (tmp_path / "m.gz").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=name):
        PYTHON.load(tmp_path, config)
    with pytest.raises(ModelError, match="'novel'"):
        PYTHON.load(tmp_path, {**config, "python_model_compression": "novel"})


def test_artifacts_can_not_point_out_of_the_folder(tmp_path):
    snapshot = PYTHON.snapshot(Short())
    (tmp_path / "m.pkl").write_bytes(snapshot.files["python_model.pkl"])
    for path in ("../x", None):
        with trusting([f"{__name__}.Short"]), pytest.raises(ModelError, match="inside its folder"):
            PYTHON.load(tmp_path, {"python_model": "m.pkl", "artifacts": {"a": {"path": path}}})


def test_a_context_is_a_copy():
    config = {"a": 1}
    context = PythonModelContext({}, config)
    config["a"] = 2
    assert context.model_config == {"a": 1}
