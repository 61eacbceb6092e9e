"""What a pickle may name without anybody trusting it, and how: the exact names of ``allowed.txt``, nothing by pattern."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# Cython names a module of scikit-learn before 1.9 wrongly in its pickles; another of that name is never meant.
RENAMED_MODULES = {"_loss": "sklearn._loss._loss"}

# MLflow's pickles of Python models name its own base classes; ours stand in, so that MLflow need not be installed.
RENAMED = {
    ("mlflow.pyfunc.model", "PythonModel"): ("fitbook.pythonmodel", "PythonModel"),
    ("mlflow.pyfunc.model", "_FunctionPythonModel"): ("fitbook.pythonmodel", "_FunctionPythonModel"),
    ("mlflow.pyfunc.model", "PythonModelContext"): ("fitbook.pythonmodel", "PythonModelContext"),
    ("mlflow.models.signature", "_TypeHints"): ("types", "SimpleNamespace"),
}

# A function as a model, where the function itself is on the list.
_OURS = {"fitbook.pythonmodel _FunctionPythonModel", "mlflow.pyfunc.model _FunctionPythonModel"}


@cache
def allowed() -> dict[str, frozenset[str]]:
    """The names that may be called, made without their constructor, and be values; and all of these: "any"."""
    found: dict[str, set[str]] = {"call": set(), "make": {*_OURS}, "name": {*_OURS}, "any": {*_OURS}}
    lines = files("fitbook.flavors").joinpath("allowed.txt").read_text(encoding="ascii").splitlines()
    for line in lines:
        use, _, name = line.partition(" ")
        if use != "#":
            found[use].add(name)
            found["any"].add(name)
    return {use: frozenset(names) for use, names in found.items()}
