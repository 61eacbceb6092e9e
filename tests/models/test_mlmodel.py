import subprocess
import sys

import numpy as np
import pytest
import yaml

from fitbook._version import __version__
from fitbook.errors import ModelError, NotFound
from fitbook.models import Model, infer_signature


def _model(**more):
    return Model(
        artifact_path="model",
        run_id="r1",
        flavors={"sklearn": {"pickled_model": "model.pkl", "code": None}},
        signature=infer_signature(np.zeros((2, 3))),
        **more,
    )


def test_a_model_survives_its_yaml():
    model = _model(metadata={"a": [1, {"b": "ü"}]}, model_size_bytes=7, model_id="m-1", prompts=None)
    assert Model.from_yaml(model.to_yaml()) == model
    assert Model.from_yaml(model.to_yaml()).extra == {"prompts": None}


def test_the_file_has_mlflows_keys():
    content = yaml.safe_load(_model().to_yaml())
    assert content["signature"]["inputs"] == (
        '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}]'
    )
    assert content["fitbook_version"] == __version__
    assert {"flavors", "mlflow_version", "model_uuid", "utc_time_created", "run_id", "artifact_path"} <= set(content)
    assert "metadata" not in content  # what is not given is not written: MLflow's readers stumble over some nulls


def test_every_model_has_its_own_id():
    assert _model().model_uuid != _model().model_uuid


def test_a_file_by_others_keeps_what_it_says():
    text = "flavors: {x: {}}\nmodel_uuid: u\nutc_time_created: t\nmlflow_version: 2.0.1\nresources: {api: [1]}\n"
    model = Model.from_yaml(text)
    assert model.mlflow_version == "2.0.1"
    assert model.fitbook_version is None
    assert yaml.safe_load(model.to_yaml()) == {**yaml.safe_load(text), "model_id": None}


def test_schemas_are_at_hand():
    model = _model()
    assert model.get_input_schema() is model.signature.inputs
    assert model.get_output_schema() is None
    assert Model().get_input_schema() is None


def test_save_and_load_by_file_or_folder(tmp_path):
    model = _model()
    model.save(tmp_path / "MLmodel")
    assert Model.load(tmp_path) == Model.load(tmp_path / "MLmodel") == model


def test_a_folder_without_a_model_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="MLmodel"):
        Model.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        Model.load(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "- 1", "flavors: 3", "flavors: {a: 1}", "a: [", "b: !!python/name:os.x", "x: 1"])
def test_a_damaged_file_is_a_model_error(text):
    with pytest.raises(ModelError):
        Model.from_yaml(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("signature: 5", "signature is 5, and should be a table"),
        ("signature: {inputs: 5}", "signature: inputs is 5, and should be text"),
        ("signature: {inputs: '" + "[" * 100_000 + "'}", "not the JSON of a schema"),
        ("""signature: {inputs: '[{"type": "nope"}]'}""", "no type 'nope'"),
        ("mlflow_version: [1]", "mlflow_version is .* text or a number"),
        ("model_size_bytes: yes", "model_size_bytes is True, and should be a number"),
        ("run_id: 1\nrun_id: 2", "says 'run_id' twice"),
    ],
)
def test_what_is_damaged_is_named(text, named):
    with pytest.raises(ModelError, match=named):
        Model.from_yaml("flavors: {}\n" + text)


@pytest.mark.parametrize(
    ("flavors", "named"),
    [
        ("{1: {a: b}}", "the flavor 1 is no table"),
        ("{python_function: {config: 5}}", "python_function: config is 5, and should be a table"),
        ("{python_function: {artifacts: {a: 5}}}", "python_function: artifacts: a is 5, and should be a table"),
        ("{python_function: {artifacts: {a: {path: 5}}}}", "artifacts: a: path is 5, and should be text"),
    ],
)
def test_what_is_damaged_of_a_flavor_is_named(flavors, named):
    with pytest.raises(ModelError, match=named):
        Model.from_yaml(f"flavors: {flavors}")


def test_words_of_python_s_own_are_kept_as_any_other():
    model = Model.from_yaml("flavors: {}\nself: 1\ncls: 2\n3: 4")
    assert model.extra == {"self": 1, "cls": 2, 3: 4}
    assert Model.from_yaml(model.to_yaml()) == model


def test_a_folder_in_place_of_the_file_is_said(tmp_path):
    (tmp_path / "MLmodel").mkdir()
    with pytest.raises(ModelError, match="MLmodel can't be read: Is a directory"):
        Model.load(tmp_path)


def test_reading_needs_no_ml_library(tmp_path):
    _model().save(tmp_path / "MLmodel")
    code = (
        "import sys; from fitbook.models import Model; m = Model.load(sys.argv[1]); assert m.signature.inputs;"
        "print([x for x in ('numpy', 'pandas', 'sklearn', 'scipy', 'cloudpickle') if x in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 50)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 50))


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "flavors: &f {a: *f}",
        "flavors: !!python/object/apply:os.system [false]",
        "[" * 100_000,
        "flavors: {x: {}}\n" + "#" * 50_000_001,
        b"flavors: \xff\xfe",
    ],
    ids=["aliases", "merges", "circle", "tag", "depth", "size", "bytes"],
)
def test_hostile_yaml_is_refused(text):
    with pytest.raises(ModelError, match="MLmodel file"):
        Model.from_yaml(text)


def test_aliases_as_yaml_writes_them_are_read():
    shared = {"a": [1]}
    text = yaml.safe_dump({"flavors": {"x": shared, "y": shared}})
    assert "*id001" in text
    assert Model.from_yaml(text).flavors == {"x": shared, "y": shared}


@pytest.mark.parametrize("newer", [{"fitbook_version": "999.0"}, {"mlflow_version": "99.1.0"}])
def test_what_a_newer_version_wrote_is_not_loaded(newer):
    described = Model(flavors={"x": {}}, **newer)
    with pytest.raises(ModelError, match="newer than this version of fitbook can read.*upgrade"):
        Model.from_yaml(described.to_yaml()).check_readable()
    Model(mlflow_version="3.999.1", fitbook_version=None).check_readable()
    Model(mlflow_version=None).check_readable()
