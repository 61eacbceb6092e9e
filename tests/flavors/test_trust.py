import ast
import hashlib
import pickle
from pathlib import Path

import pytest

import fitbook.flavors._trust as trust
from fitbook._log import FitbookWarning
from fitbook.errors import InvalidValue, ModelError, UntrustedModel

_LOADERS = {"pickle", "cloudpickle", "joblib", "dill", "_pickle", "marshal", "shelve"}


def _unpickles(tree):
    """Every place of a module that could load a pickle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("load", "loads", "Unpickler", "read_pickle"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in _LOADERS or node.attr in ("Unpickler", "read_pickle"):
                yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module in _LOADERS:
            yield from (node.lineno for name in node.names if name.name in ("load", "loads", "Unpickler"))


def test_nothing_else_unpickles():
    package = Path(trust.__file__).resolve().parents[1]
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "testing" not in path.parts  # which unpickles what it has just pickled, to compare
        if list(_unpickles(ast.parse(path.read_text(encoding="utf-8"))))
    }
    # What joblib has sent to a worker is a pickle that joblib is loading already; parts of it are pickled once for all tasks.
    tasks = {"autolog/_portable.py", "autolog/_worker.py"}
    assert found - tasks == {"flavors/_unpickler.py"}


@pytest.mark.parametrize(
    "code", ["pickle.loads(b'')", "from joblib import load", "pd.read_pickle('x')", "p.Unpickler(f)"]
)
def test_the_search_for_unpickling_finds_it(code):
    assert list(_unpickles(ast.parse(code)))


def test_a_pickle_is_loaded():
    assert trust.loads(pickle.dumps({"a": 1}), source="here") == {"a": 1}


def test_what_is_trusted_and_missing_is_named():
    with (
        trust.trusting(["not_there.Thing"]),
        pytest.raises(ModelError, match=r"here needs 'not_there'.*requirements"),
    ):
        trust.loads(b"\x80\x04cnot_there\nThing\n.", source="here")


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps([1])[:-2], b"\x80\x04cbuiltins\nno_such_name\n."])
def test_a_damaged_pickle_is_a_model_error(data):
    with pytest.raises(ModelError, match="model here"):
        trust.loads(data, source="here")


class Mine:
    value = 1


MINE = f"{Mine.__module__}.Mine"


def test_what_nobody_trusts_is_named_with_the_call_that_allows_it():
    with pytest.raises(UntrustedModel) as refused:
        trust.loads(pickle.dumps([Mine(), Path("x")]), source="there")
    assert refused.value.names == sorted([MINE, "pathlib.PosixPath"])
    assert f"trusted={refused.value.names!r}" in str(refused.value)
    assert f"FITBOOK_TRUSTED={','.join(refused.value.names)}" in str(refused.value)


@pytest.mark.parametrize("way", ["argument", "variable", "file", "flavor"])
def test_names_are_trusted_by(way, tmp_path, monkeypatch):
    data, names, also = pickle.dumps(Mine()), (), ()
    if way == "argument":
        names = [MINE]
    elif way == "variable":
        monkeypatch.setenv("FITBOOK_TRUSTED", f"a.b, {MINE}")
    elif way == "file":
        (tmp_path / "names.txt").write_text(f"# mine\n\n{MINE}  # a class\n")
        monkeypatch.setenv("FITBOOK_TRUSTED_FILE", str(tmp_path / "names.txt"))
    else:
        also = [MINE]
    with trust.trusting(names):
        assert isinstance(trust.loads(data, source="x", also=also), Mine)
    with pytest.raises(UntrustedModel):
        trust.loads(pickle.dumps([Mine(), Path("x")]), source="x", also=also)


@pytest.mark.parametrize("names", ["a.b", True, [1]])
def test_trusted_is_a_list_of_names(names):
    with pytest.raises(InvalidValue, match="list of names"), trust.trusting(names):
        pass


@pytest.mark.parametrize("prefix", ["", "os.*", "posix", "posix.syste", "POSIX.system", "posix.system "])
def test_only_exact_names_are_trusted(prefix):
    with trust.trusting([prefix]), pytest.raises(UntrustedModel):
        trust.loads(b"\x80\x04cposix\nsystem\n(X\x04\x00\x00\x00truetR.", source="x")


def test_everything_can_be_allowed_with_a_warning_each_time(monkeypatch):
    monkeypatch.setenv("FITBOOK_ALLOW_UNSAFE_PICKLE", "1")
    data = pickle.dumps(Mine())
    for _ in range(2):
        with pytest.warns(
            FitbookWarning, match=f"FITBOOK_ALLOW_UNSAFE_PICKLE.*x .sha256 {hashlib.sha256(data).hexdigest()}"
        ):
            assert isinstance(trust.loads(data, source="x"), Mine)
    trust.loads(pickle.dumps(1), source="x")  # what needs no allowance warns of nothing


def test_own_work_is_known_by_its_digest_and_by_nothing_else():
    data, other = pickle.dumps(Mine()), pickle.dumps([Mine()])
    with trust.owning(lambda: {hashlib.sha256(data).hexdigest()}):
        assert isinstance(trust.loads(data, source="x"), Mine)
        with pytest.raises(UntrustedModel):
            trust.loads(other, source="x")
    with pytest.raises(UntrustedModel):
        trust.loads(data, source="x")


def test_own_work_is_not_looked_at(monkeypatch):
    data = pickle.dumps({"a": 1})
    monkeypatch.setattr(trust, "Scanner", None)
    with trust.owning(lambda: {hashlib.sha256(data).hexdigest()}):
        assert trust.loads(data, source="x") == {"a": 1}


def test_names_of_mlflows_base_classes_are_ours():
    from fitbook.flavors import FunctionModel, PythonModel

    with trust.trusting(["mlflow.pyfunc.model.PythonModel", "mlflow.pyfunc.model._FunctionPythonModel"]):
        assert trust.loads(b"\x80\x04cmlflow.pyfunc.model\nPythonModel\n.", source="x") is PythonModel
        assert trust.loads(b"\x80\x04cmlflow.pyfunc.model\n_FunctionPythonModel\n.", source="x") is FunctionModel


def test_a_function_of_the_list_is_a_model():
    import numpy as np

    from fitbook.flavors import FunctionModel

    assert trust.loads(pickle.dumps(FunctionModel(np.log1p)), source="x").predict(None, 0.0) == 0


def test_the_lock_on_the_door_holds_without_the_scan():
    from fitbook.flavors._unpickler import load_permitted

    with pytest.raises(UntrustedModel, match=r"posix\.system"):
        load_permitted(b"\x80\x04cposix\nsystem\n(X\x04\x00\x00\x00truetR.", "x", {"builtins int"})
