import pickle
import pickletools
import sys
import types
from importlib.metadata import version

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fitbook.models import Requirements
from fitbook.models import _environment as environment
from fitbook.models._environment import distributions_of, modules_in, requirements_of

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def _named_by_the_book(data):
    """What a pickle names, read opcode by opcode."""
    texts, found = [], set()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE"):
            texts.append(argument)
        if opcode.name == "STACK_GLOBAL":
            found.update(text.partition(".")[0] for text in texts if text in sys.modules)
    return {name for name in found if name not in sys.stdlib_module_names and name != "__main__"}


@pytest.mark.parametrize(
    "model",
    [
        StandardScaler().fit(X),
        RandomForestClassifier(20).fit(X, Y),
        make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
        {"a": [np.float32(1), version]},
    ],
    ids=["scaler", "forest", "pipeline", "dict"],
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_the_quick_scan_finds_what_the_slow_one_does(model, protocol):
    data = pickle.dumps(model, protocol=protocol)
    assert _named_by_the_book(data) <= modules_in(data)
    assert modules_in(data) <= _named_by_the_book(data) | {"sklearn", "numpy"}


@given(st.binary(max_size=2000))
def test_chance_finds_nothing(noise):
    assert modules_in(noise) == set()


def test_names_on_the_edge_of_a_piece_are_found(monkeypatch):
    data = pickle.dumps([0] * 50 + [np.float64(1)], protocol=5)
    for size in range(1, len(data)):
        monkeypatch.setattr(environment, "_CHUNK", size)
        assert modules_in(data) == {"numpy"}


def test_requirements_are_exact_and_sorted():
    found = requirements_of([pickle.dumps(StandardScaler().fit(X), protocol=5)], ["scipy"])
    assert found.pins == (
        f"numpy=={version('numpy')}",
        f"scikit-learn=={version('scikit-learn')}",
        f"scipy=={version('scipy')}",
    )
    assert found.local == ()


def test_the_users_own_modules_are_told_apart(monkeypatch, tmp_path):
    mine = types.ModuleType("my_features")
    mine.__file__ = str(tmp_path / "my_features.py")
    exec("def f(x): return x", mine.__dict__)
    mine.f.__module__ = "my_features"
    monkeypatch.setitem(sys.modules, "my_features", mine)
    monkeypatch.setattr(environment, "_all_modules", lambda: pytest.fail("the slow look-up was used"))
    distributions_of.cache_clear()
    found = requirements_of([pickle.dumps(mine.f, protocol=5)])
    distributions_of.cache_clear()
    assert found == Requirements((), ("my_features",))


def test_a_module_named_unlike_its_distribution_is_found():
    distributions_of.cache_clear()
    assert distributions_of("_pytest") == (("pytest", version("pytest")),)
    assert distributions_of("yaml") == (("PyYAML", version("PyYAML")),)
    assert distributions_of("surely_not_installed") == ()


def test_extra_requirements_replace_found_ones():
    found = requirements_of([], ["numpy", "scipy"], ["NumPy>=1.20", "my-package[all]==2", "-r more.txt"])
    assert set(found.pins) == {"NumPy>=1.20", f"scipy=={version('scipy')}", "my-package[all]==2", "-r more.txt"}


def test_the_files_have_mlflows_layout():
    files = Requirements(("a==1", "b==2")).files()
    assert files["requirements.txt"] == b"a==1\nb==2\n"
    conda = yaml.safe_load(files["conda.yaml"])
    assert conda["channels"] == ["conda-forge"]
    assert conda["dependencies"][-1] == {"pip": ["a==1", "b==2"]}
    python = yaml.safe_load(files["python_env.yaml"])
    assert python["dependencies"] == ["-r requirements.txt"]
    assert conda["dependencies"][0] == f"python={python['python']}"
    assert [tool.split("==")[0] for tool in python["build_dependencies"]] == ["pip", "setuptools", "wheel"]


def test_the_users_conda_environment_is_kept():
    assert yaml.safe_load(Requirements(()).files({"name": "mine"})["conda.yaml"]) == {"name": "mine"}
