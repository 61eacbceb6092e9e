"""The base classes of models that are any Python code.

Pickles name this module. Its name is as long as that of MLflow's module with the same classes, so that one can stand for
the other in a pickle: see the flavor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from fitbook.errors import ModelError


class PythonModelContext:
    """What a Python model finds where it is loaded.

    Parameters
    ----------
    artifacts : dict of str to str
        Local paths of the files and folders that were saved with the model, by the names given then.
    model_config : dict, optional
        The model's settings.
    """

    def __init__(self, artifacts: Mapping[str, str], model_config: Mapping[str, Any] | None = None) -> None:
        self._artifacts = dict(artifacts)
        self._model_config = dict(model_config or {})

    @property
    def artifacts(self) -> dict[str, str]:
        """Local paths by name."""
        return self._artifacts

    @property
    def model_config(self) -> dict[str, Any]:
        """The model's settings."""
        return self._model_config


class PythonModel:
    """Subclass it to save any Python code as a model.

    Write ``predict(self, context, model_input, params=None)``; ``context`` and ``params`` may be left out. An input that is
    annotated as a list of something, e.g. ``list[str]``, becomes the model's signature.

    Examples
    --------
    >>> class Doubler(PythonModel):
    ...     def predict(self, model_input):
    ...         return [2 * x for x in model_input]
    """

    # MLflow's loader asks for it, to convert its input to what annotations say; None converts nothing.
    predict_type_hints = SimpleNamespace(input=None, output=None)

    def load_context(self, context: PythonModelContext) -> None:
        """Called once after loading; load what the artifacts contain here.

        Parameters
        ----------
        context : PythonModelContext
        """

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict.

        Parameters
        ----------
        context : PythonModelContext
        model_input : object
            What the caller gave, cast to the model's signature if it has one.
        params : dict, optional
        """
        raise ModelError(f"{type(self).__name__} has no predict method; define predict(self, context, model_input).")


class FunctionModel(PythonModel):
    """A plain function as a model.

    Parameters
    ----------
    func : callable
        Called with the model's input, and with ``params`` if it has a parameter of that name.
    """

    __qualname__ = "_FunctionPythonModel"  # MLflow's name

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Call the function."""
        try:
            takes_params = "params" in inspect.signature(self.func).parameters
        except ValueError:  # one that is written in C
            takes_params = False
        return self.func(model_input, params=params) if takes_params else self.func(model_input)


_FunctionPythonModel = FunctionModel
