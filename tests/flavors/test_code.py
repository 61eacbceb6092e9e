"""code_paths, and models that are scripts."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fitbook._log import FitbookWarning
from fitbook.errors import AlreadyExists, InvalidValue, ModelError, NotFound
from fitbook.flavors import flavor_named, load_pyfunc, trusting, with_code, write
from fitbook.models import ModelConfig

SKLEARN, PYTHON = flavor_named("sklearn"), flavor_named("python_function")
X = np.array([[0.0], [1.0], [2.0]])

SCRIPT = """
import {library}.pyfunc
from {library}.models import set_model

class Tripler({library}.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import json
        return [3 * v for v in model_input]

set_model(Tripler())
"""


@pytest.fixture
def features(tmp_path, monkeypatch):
    """A module of the user's own, importable for a while; its name is new in every test."""
    name = f"features_{tmp_path.name.replace('-', '_')}"
    source = tmp_path / "src" / f"{name}.py"
    source.parent.mkdir()
    source.write_text("import json\nimport yaml\n\ndef double(rows):\n    return rows * 2\n")
    monkeypatch.setattr(sys, "path", [str(source.parent), *sys.path])
    yield source
    sys.modules.pop(name, None)


def _model(features):
    module = __import__(features.stem)
    return make_pipeline(FunctionTransformer(module.double), LinearRegression()).fit(X, [0, 1, 2])


def _elsewhere(features, monkeypatch):
    """As in a process that has not the user's files."""
    sys.modules.pop(features.stem, None)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(features.parent)])
    features.unlink()


def test_the_users_files_travel_with_the_model(features, tmp_path, monkeypatch):
    snapshot = SKLEARN.snapshot(_model(features))
    assert snapshot.requirements.local == (features.stem,)
    assert (
        f"# {features.stem}: a module of the user's own" in snapshot.requirements.files()["requirements.txt"].decode()
    )
    snapshot = with_code(snapshot, [features])
    assert snapshot.requirements.local == ()
    assert any(pin.startswith("PyYAML==") for pin in snapshot.requirements.pins)
    folder = write(snapshot, tmp_path / "model")
    assert {config["code"] for config in yaml.safe_load((folder / "MLmodel").read_text())["flavors"].values()} == {
        "code"
    }
    _elsewhere(features, monkeypatch)
    assert load_pyfunc(folder).predict(X) == pytest.approx([0, 1, 2])
    assert sys.modules[features.stem].__file__ == str(folder / "code" / features.name)


def test_modules_that_the_pickle_names_are_found(features, tmp_path, monkeypatch):
    folder = write(with_code(SKLEARN.snapshot(_model(features)), [], infer=True), tmp_path / "model")
    assert (folder / "code" / features.name).read_bytes() == features.read_bytes()


def test_folders_are_taken_without_what_python_makes(tmp_path):
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "a.pyc").write_bytes(b"")
    (package / "data").mkdir()
    (package / "data" / "a.txt").write_text("1")
    (package / "__init__.py").write_text("")
    files = with_code(PYTHON.snapshot(len), [package]).files
    assert sorted(files) == ["code/package/__init__.py", "code/package/data/a.txt", "python_model.pkl"]


def test_code_that_is_not_there_double_or_no_python(tmp_path):
    snapshot = PYTHON.snapshot(len)
    with pytest.raises(NotFound, match="gone.*code_paths"):
        with_code(snapshot, [tmp_path / "gone"])
    (tmp_path / "a").mkdir()
    for place in (tmp_path / "m.py", tmp_path / "a" / "m.py"):
        place.write_text("1")
    with pytest.raises(AlreadyExists, match=r"m\.py"):
        with_code(snapshot, [tmp_path / "m.py", tmp_path / "a" / "m.py"])
    (tmp_path / "m.py").write_text("def")
    with pytest.raises(ModelError, match=r"'m\.py'.*no Python"):
        with_code(snapshot, [tmp_path / "m.py"])


def _with_code_folder(tmp_path, *names):
    folder = write(PYTHON.snapshot(len), tmp_path / "model")
    content = yaml.safe_load((folder / "MLmodel").read_text())
    content["flavors"]["python_function"]["code"] = "code"
    (folder / "MLmodel").write_text(yaml.safe_dump(content))
    (folder / "code").mkdir()
    for name in names:
        (folder / "code" / name).write_text("raise SystemExit('imported')")
    return folder


@pytest.mark.parametrize("name", ["json.py", "numpy.py", "yaml.py"])
def test_code_never_takes_the_place_of_installed_modules(name, tmp_path):
    folder = _with_code_folder(tmp_path, name)
    before = list(sys.path)
    with pytest.raises(ModelError, match=f"take the place of {name[:-3]}"):
        load_pyfunc(folder)
    assert sys.path == before


@pytest.mark.parametrize("code", ["../code", "/tmp", "a/../../b", 3])
def test_code_outside_of_the_folder_is_refused(code, tmp_path):
    folder = _with_code_folder(tmp_path)
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(text.replace("code: code", f"code: {code}"))
    before = list(sys.path)
    with pytest.raises(ModelError, match="inside its folder"):
        load_pyfunc(folder)
    assert sys.path == before


def test_another_module_of_the_name_is_told(features, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = write(with_code(SKLEARN.snapshot(_model(features)), [features]), tmp_path / "model")
    with pytest.warns(FitbookWarning, match=f"its own {features.stem}, and other modules"):
        load_pyfunc(folder)


@pytest.mark.parametrize("library", ["fitbook", "mlflow"])
def test_a_script_is_a_model(library, tmp_path):
    script = tmp_path / "tripler.py"
    script.write_text(SCRIPT.format(library=library))
    snapshot = PYTHON.snapshot(str(script))
    assert snapshot.pickled is None
    assert snapshot.files["tripler.py"] == script.read_bytes()
    folder = write(snapshot, tmp_path / "model")
    script.unlink()
    text = (folder / "MLmodel").read_text()
    assert "model_code_path: tripler.py" in text
    assert load_pyfunc(folder).predict([1, 2]) == [3, 6]
    # MLflow's own files name another loader, and the whole path.
    (folder / "MLmodel").write_text(
        text.replace("mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model").replace(
            "tripler.py", "C:\\\\x\\\\tripler.py"
        )
    )
    with trusting(["tripler.py"]):
        assert load_pyfunc(folder).predict([1, 2]) == [3, 6]


def test_a_script_may_name_a_function(tmp_path):
    (tmp_path / "m.py").write_text("from fitbook.models import set_model\nset_model(lambda rows: len(rows))\n")
    assert load_pyfunc(write(PYTHON.snapshot(tmp_path / "m.py"), tmp_path / "model")).predict([1, 2]) == 2


def test_a_script_finds_its_settings(tmp_path):
    script, hand, logged = tmp_path / "m.py", tmp_path / "hand.yaml", tmp_path / "logged.yaml"
    hand.write_text("factor: 2")
    logged.write_text("factor: 3")
    script.write_text(
        "from mlflow.models import ModelConfig, set_model\n"
        f"config = ModelConfig(development_config={str(hand)!r})\n"
        "set_model(lambda rows: [config.get('factor') * row for row in rows])\n"
    )
    for given in ({"factor": 3}, logged):
        folder = write(PYTHON.snapshot(script, model_config=given), tmp_path / f"model {type(given).__name__}")
        assert load_pyfunc(folder).predict([1]) == [3]
        assert load_pyfunc(folder, model_config={"factor": 5}).predict([1]) == [5]
    with pytest.raises(ModelError, match="give model_config="):  # what holds by hand would be missing elsewhere
        PYTHON.snapshot(script)
    by_hand = ModelConfig(development_config=hand)
    assert by_hand.to_dict() == {"factor": 2}
    with pytest.raises(NotFound, match="factor"):
        by_hand.get("facto")
    for wrong in (tmp_path / "gone.yaml", [1], None):
        with pytest.raises(InvalidValue, match="settings"):
            ModelConfig(development_config=wrong)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("x = 1", "set_model"),
        ("1/0", "ZeroDivisionError"),
        ("def", "SyntaxError"),
        ("import nothing_here", "nothing_here"),
    ],
)
def test_scripts_that_are_no_models_say_why(content, says, tmp_path):
    script = Path(tmp_path, "m.py")
    script.write_text(content)
    with pytest.raises(ModelError, match=says):
        PYTHON.snapshot(script)
    with pytest.raises(NotFound, match="gone"):
        PYTHON.snapshot(str(tmp_path / "gone.py"))
    (tmp_path / "m.txt").write_text("")
    with pytest.raises(InvalidValue, match=r"\.py"):
        PYTHON.snapshot(tmp_path / "m.txt")
