import ast
import pickle
from pathlib import Path

import pytest

import fitbook.flavors._trust as trust
from fitbook.errors import ModelError

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
    assert found - tasks == {"flavors/_trust.py"}


@pytest.mark.parametrize(
    "code", ["pickle.loads(b'')", "from joblib import load", "pd.read_pickle('x')", "p.Unpickler(f)"]
)
def test_the_search_for_unpickling_finds_it(code):
    assert list(_unpickles(ast.parse(code)))


def test_a_pickle_is_loaded():
    assert trust.loads(pickle.dumps({"a": 1}), source="here") == {"a": 1}


def test_a_missing_module_is_named():
    with pytest.raises(ModelError, match=r"here needs 'not_there'.*requirements"):
        trust.loads(b"cnot_there\nThing\n.", source="here")


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps([1])[:-2], b"cbuiltins\nno_such_name\n."])
def test_a_damaged_pickle_is_a_model_error(data):
    with pytest.raises(ModelError, match="model here"):
        trust.loads(data, source="here")


def test_names_of_mlflows_base_classes_are_ours():
    from fitbook.flavors import FunctionModel, PythonModel

    assert trust.loads(b"cmlflow.pyfunc.model\nPythonModel\n.", source="x") is PythonModel
    assert trust.loads(b"cmlflow.pyfunc.model\n_FunctionPythonModel\n.", source="x") is FunctionModel
