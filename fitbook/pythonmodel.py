"""Where pickles look for the base classes of Python models.

Its name is as long as that of MLflow's module with the same classes, so that one can stand for the other in a pickle.
"""

from fitbook.flavors import FunctionModel, PythonModel, PythonModelContext

_FunctionPythonModel = FunctionModel

__all__ = ["FunctionModel", "PythonModel", "PythonModelContext"]
