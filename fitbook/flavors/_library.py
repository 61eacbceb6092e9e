"""What the flavors of single libraries share: each says only how its models become files, and come back."""

from __future__ import annotations

import copy
import importlib
import inspect
import platform
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fitbook._log import FitbookWarning
from fitbook.errors import FitbookError, InvalidValue, ModelError
from fitbook.flavors._base import Snapshot, inside
from fitbook.models._infer import is_frame, is_series
from fitbook.models._signature import ModelSignature, describe_signature

_LONGEST = 800

Predict = Callable[[Any, dict[str, Any]], Any]


@dataclass(frozen=True)
class Frozen:
    """A library's model as files.

    Parameters
    ----------
    files : dict of str to bytes
        Content by relative path.
    data : str
        What MLflow's loader is pointed to: one of the files, or their folder.
    config : dict of str to object
        The flavor's section of the MLmodel file.
    modules : tuple of str
        Top-level modules that are needed to load and to predict.
    pickled : str, optional
        Which of the files would be unpickled.
    loader : str, optional
        The module with whose ``_load_pyfunc`` MLflow's pyfunc loads it; without one MLflow can't.
    """

    files: dict[str, bytes]
    data: str
    config: dict[str, Any]
    modules: tuple[str, ...]
    pickled: str | None = None
    loader: str | None = None


class LibraryFlavor(ABC):
    """Base of flavors: what is left to say is how a model becomes files and comes back, and, perhaps, how it predicts."""

    name: str

    @abstractmethod
    def freeze(self, *model: Any, **own: Any) -> Frozen:
        """Turn one model into files; ``own`` are the options that only this flavor has."""

    @abstractmethod
    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load a model from its folder."""

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Predict:
        """Give what pyfunc calls with data and params; ``config`` is the flavor's section of the MLmodel file."""
        return lambda data, params: model.predict(data, **accepted(model.predict, params))

    def snapshot(
        self,
        model: Any,
        *,
        signature: ModelSignature | Literal[False] | None = None,
        input_example: Any = None,
        pip_requirements: list[str] | None = None,
        extra_pip_requirements: list[str] | None = None,
        conda_env: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        **own: Any,
    ) -> Snapshot:
        """Freeze a model.

        Parameters
        ----------
        model : object
            One of the library's.
        signature : ModelSignature or False, optional
            Inferred from ``input_example`` and the prediction for it, if not given; False for none.
        input_example, pip_requirements, extra_pip_requirements, conda_env, metadata
            As for scikit-learn's flavor.
        **own
            What only this flavor takes: see its ``freeze``.

        Raises
        ------
        InvalidValue
            The model is of another library.
        ModelError
            The library is not installed, or can't write the model.
        """
        with saying(f"The model, a {named(type(model))}, can't be saved"):
            frozen = self.freeze(model, **own)
        if signature is None and input_example is not None:
            signature = self._described(model, frozen, input_example)
        flavors: dict[str, dict[str, Any]] = {self.name: {"code": None, **frozen.config}}
        if frozen.loader is not None:
            flavors["python_function"] = {
                "data": frozen.data,
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": frozen.loader,
                "python_version": platform.python_version(),
            }
        columns = signature.inputs if isinstance(signature, ModelSignature) else None
        pandas = is_frame(input_example) or is_series(input_example) or (columns and not columns.is_tensor_spec())
        return Snapshot(
            files=frozen.files,
            pickled=frozen.pickled,
            flavors=flavors,
            modules=(*frozen.modules, *(("pandas",) if pandas else ())),
            signature=signature or None,
            input_example=copy.deepcopy(input_example),
            metadata=copy.deepcopy(metadata),
            pip_requirements=pip_requirements,
            extra_pip_requirements=extra_pip_requirements,
            conda_env=conda_env,
        )

    def _described(self, model: Any, frozen: Frozen, example: Any) -> ModelSignature | None:
        try:
            output = self.predictor(model, frozen.config)(example, {})
        except Exception:  # an example that the model refuses still describes what was meant as its input
            output = None
        return describe_signature(example, output)[0]


def needed(module: str, extra: str) -> Any:
    """Import a module of a library.

    Raises
    ------
    ModelError
        It can't be imported; names the extra of fitbook that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ModelError(
            f"Models of this kind need {module!r}, which can't be imported here ({error}): pip install 'fitbook[{extra}]'."
        ) from error


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Turn whatever a library raises into a `ModelError` that begins with ``what``."""
    try:
        yield
    except FitbookError:
        raise
    except Exception as error:
        text = repr(error)  # which may hold a whole model
        raise ModelError(f"{what}: {text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}") from error


@contextmanager
def loading(path: object) -> Iterator[None]:
    """Turn whatever a library raises about a model's file into a `ModelError`."""
    with saying(f"The model {path} can't be loaded; it is damaged, or was saved by another version of its library"):
        yield


def located(folder: Path, config: Mapping[str, Any], key: str) -> Path:
    """Find the file that a flavor's section names.

    Raises
    ------
    ModelError
        None is named, it leads out of the folder, or is not there.
    """
    path = inside(folder, config.get(key))
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"The model's file {path} is missing.")
    return path


def own_class(model: object, library: Any, *bases: type) -> str:
    """Name the class of a library's model in full.

    Raises
    ------
    InvalidValue
        It is none of the library's, or a class that the user derived from one: its name would be no way back.
    """
    kind = type(model)
    if not issubclass(kind, bases) or getattr(library, kind.__name__, None) is not kind:
        raise InvalidValue(
            f"This is no model of {library.__name__}'s own classes, but a {named(kind)}. Save estimators with "
            "fitbook.sklearn, and anything else that predicts with fitbook.pyfunc."
        )
    return named(kind)


def class_named(name: object, library: Any, *bases: type) -> Any:
    """Find a library's class by the name that an MLmodel file gives; no other module is looked into.

    Raises
    ------
    ModelError
        The library has no such class of models.
    """
    package, _, last = str(name).rpartition(".")
    found = getattr(library, last, None)
    if package.partition(".")[0] not in ("", library.__name__) or not isinstance(found, type):
        found = None
    if found is None or not issubclass(found, bases):
        raise ModelError(f"The model is a {name!r}, which is no class of {library.__name__}'s models.")
    return found


def named(kind: type) -> str:
    """A class's full name."""
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def accepted(call: Callable[..., Any] | None, params: dict[str, Any]) -> dict[str, Any]:
    """Leave out, with a warning, the params that a library's method does not take (None takes none)."""
    if not params:
        return {}
    takes = inspect.signature(call).parameters if call is not None else {}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return params
    unknown = [name for name in params if name not in takes]
    if unknown:
        warnings.warn(f"The model takes no params {unknown}; they are left out.", FitbookWarning, stacklevel=5)
    return {name: value for name, value in params.items() if name in takes}
