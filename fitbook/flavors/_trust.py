"""The one door through which every pickle of every flavor is loaded."""

from __future__ import annotations

import io
import pickle
from typing import Any

from fitbook.errors import ModelError

# MLflow's pickles of Python models name its own base classes; ours stand in, so that MLflow need not be installed.
_RENAMED = {
    ("mlflow.pyfunc.model", "PythonModel"): ("fitbook.flavors", "PythonModel"),
    ("mlflow.pyfunc.model", "_FunctionPythonModel"): ("fitbook.flavors", "FunctionModel"),
    ("mlflow.pyfunc.model", "PythonModelContext"): ("fitbook.flavors", "PythonModelContext"),
    ("mlflow.models.signature", "_TypeHints"): ("types", "SimpleNamespace"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(*_RENAMED.get((module, name), (module, name)))


def loads(data: bytes, *, source: str) -> object:
    """Unpickle a model.

    Unpickling can run any code, so nothing else in fitbook does it: this function is where a policy of what may be
    loaded belongs. A test keeps it the only place.

    Parameters
    ----------
    data : bytes
    source : str
        Where the bytes come from, for messages.

    Raises
    ------
    ModelError
        The pickle needs something that is not installed here, or is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except ImportError as error:
        raise ModelError(
            f"The model {source} needs {error.name or 'a module'!r}, which can't be imported here ({error}). "
            "Its requirements.txt says what to install."
        ) from error
    except Exception as error:
        raise ModelError(
            f"The model {source} can't be unpickled: {error!r}. It is damaged, or was saved with other versions of its "
            "libraries; its requirements.txt names them."
        ) from error
