"""One file per ML library: how its models are frozen, laid out as a folder, and loaded."""

from fitbook.flavors._base import Flavor, Predicting, Snapshot, render, write
from fitbook.flavors._code import with_code
from fitbook.flavors._library import Frozen, LibraryFlavor
from fitbook.flavors._lookup import flavor_named, flavor_names
from fitbook.flavors._pyfunc import PyFuncModel, load_pyfunc, opened
from fitbook.flavors._trust import trusting
from fitbook.pythonmodel import FunctionModel, PythonModel, PythonModelContext

__all__ = [
    "Flavor",
    "Frozen",
    "FunctionModel",
    "LibraryFlavor",
    "Predicting",
    "PyFuncModel",
    "PythonModel",
    "PythonModelContext",
    "Snapshot",
    "flavor_named",
    "flavor_names",
    "load_pyfunc",
    "opened",
    "render",
    "trusting",
    "with_code",
    "write",
]
