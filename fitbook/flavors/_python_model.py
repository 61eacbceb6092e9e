"""Models that are any Python code: a class with ``predict``, or a function."""

from __future__ import annotations

import bz2
import copy
import gzip
import inspect
import io
import lzma
import os
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from fitbook.errors import InvalidValue, ModelError, NotFound, UntrustedModel
from fitbook.flavors._base import Snapshot, inside, read
from fitbook.flavors._code import imported_by, read_script, run_script, script_name
from fitbook.flavors._pickling import dumps
from fitbook.flavors._trust import check_program, loads
from fitbook.models._example import split_example
from fitbook.models._hints import hints_of, is_list_hint
from fitbook.models._script import read_settings
from fitbook.models._signature import ModelSignature, signature_of_example, signature_of_hints
from fitbook.pythonmodel import FunctionModel, PythonModel, PythonModelContext

PICKLE = "python_model.pkl"
LOADER = "mlflow.pyfunc.model"
LOADERS = (LOADER, "mlflow.pyfunc.loaders.code_model")

# Python writes the first of these for the module of the base classes, and the second is put in its place: so MLflow finds
# its own classes and needs no fitbook. The door that loads pickles here turns it back. Texts of one length can be exchanged
# in place.
_OURS, _THEIRS = (b"\x8c\x13" + module + b"\x94" for module in (b"fitbook.pythonmodel", b"mlflow.pyfunc.model"))

_OPEN: dict[object, Callable[[io.BytesIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "lzma": lzma.LZMAFile,
}
# Models shrink to a tenth or so; a few kilobytes of zeros could fill the memory.
_MOST_TIMES, _MOST_BYTES = 100, 64_000_000


class BoundPythonModel:
    """A loaded Python model together with its context; `predict` needs only the input.

    Parameters
    ----------
    python_model : PythonModel
    context : PythonModelContext
    """

    def __init__(self, python_model: Any, context: PythonModelContext) -> None:
        self.python_model = python_model
        self.context = context
        self._takes_context, self._takes_params = _takes(python_model)
        self.hint = _hints(python_model)[0]

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Call the model's ``predict`` with what it takes."""
        positional = (self.context, model_input) if self._takes_context else (model_input,)
        return self.python_model.predict(*positional, **({"params": params} if self._takes_params else {}))


def _takes(model: Any) -> tuple[bool, bool]:
    """Whether ``predict`` takes a context, and params."""
    parameters = list(inspect.signature(model.predict).parameters)
    # Without a context the first parameter is the input, whatever its name.
    return "context" in parameters or len([p for p in parameters if p != "params"]) > 1, "params" in parameters


def _hints(model: Any) -> tuple[Any, Any]:
    """Annotations of the input and of the result of ``predict``."""
    if isinstance(model, FunctionModel):
        return hints_of(model.func, 0)
    return hints_of(model.predict, int(_takes(model)[0]))


class PythonModelFlavor:
    """Saves and loads `PythonModel` objects and functions, in ``mlflow.pyfunc``'s layout."""

    name = "python_function"

    def snapshot(
        self,
        model: Any,
        *,
        artifacts: Mapping[str, str | os.PathLike[str]] | None = None,
        model_config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        signature: ModelSignature | Literal[False] | None = None,
        input_example: Any = None,
        pip_requirements: list[str] | None = None,
        extra_pip_requirements: list[str] | None = None,
        conda_env: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Snapshot:
        """Freeze a Python model.

        Parameters
        ----------
        model : PythonModel, callable, or path
            A path is that of a script that calls `fitbook.models.set_model`; the script is kept, and not a pickle.
        artifacts : dict of str to path, optional
            Local files and folders that are copied into the model's folder.
        model_config : dict or path of a YAML file, optional
            Settings that the model finds in its context, and a script in `fitbook.models.ModelConfig`.
        signature : ModelSignature or False, optional
            Inferred from the type hints of ``predict`` or from ``input_example``, if not given; False for none.
        input_example, pip_requirements, extra_pip_requirements, conda_env, metadata
            As for scikit-learn's flavor.

        Raises
        ------
        InvalidValue
            It is neither a PythonModel nor a function.
        NotFound
            An artifact does not exist.
        ModelError
            The model can't be pickled: names the attribute in the way. Or its script can't be run.
        """
        script: dict[str, bytes] = {}
        settings = copy.deepcopy(read_settings(model_config))
        if isinstance(model, (str, os.PathLike)):
            name, content = read_script(model)
            script, model = {name: content}, run_script(content, os.fspath(model), settings)
        is_model = hasattr(model, "predict") and hasattr(model, "load_context")
        if isinstance(model, type) or not (is_model or callable(model)):
            raise InvalidValue(
                f"A python_model is an instance of a subclass of PythonModel, or a function; this is {model!r}."
            )
        if not is_model:
            model = FunctionModel(model)
        if signature is None:
            signature = _signature_of(model, input_example)
        sources, entries = _artifacts(artifacts or {})
        files = script or {PICKLE: dumps(model, "cloudpickle")[0].replace(_OURS, _THEIRS)}
        config: dict[str, Any] = {
            "cloudpickle_version": version("cloudpickle"),
            "code": None,
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": LOADER,
            "python_version": platform.python_version(),
            "streamable": False,
            **({"model_code_path": next(iter(script))} if script else {"python_model": PICKLE}),
        }
        if entries:
            config["artifacts"] = entries
        if settings:
            config["config"] = settings
        return Snapshot(
            files=files,
            sources=sources,
            pickled=None if script else PICKLE,
            script=next(iter(script), None),
            flavors={"python_function": config},
            modules=("cloudpickle", "numpy", *imported_by(script)),
            signature=signature or None,
            input_example=copy.deepcopy(input_example),
            metadata=copy.deepcopy(metadata),
            pip_requirements=pip_requirements,
            extra_pip_requirements=extra_pip_requirements,
            conda_env=conda_env,
        )

    def load(self, folder: Path, config: dict[str, Any]) -> BoundPythonModel:
        """Load the model and let it load its context.

        Raises
        ------
        ModelError
            A file is missing, damaged, or in a layout that can't be read here.
        """
        python_model: Any
        name = script_name(config)
        if name is not None:
            content, source = read(folder, {"model_code_path": name}, "model_code_path")
            check_program(content, name, source=source)
            found = run_script(content, source, config.get("config") or {})
            python_model = found if hasattr(found, "load_context") else FunctionModel(found)
        else:
            data, source = read(folder, config, "python_model")
            data = _decompressed(data, config.get("python_model_compression"), source)
            python_model = loads(data, source=source)
        artifacts = {k: str(inside(folder, v.get("path"))) for k, v in (config.get("artifacts") or {}).items()}
        context = PythonModelContext(artifacts, config.get("config"))
        python_model.load_context(context)
        return BoundPythonModel(python_model, context)


def _signature_of(model: Any, example: Any) -> ModelSignature | None:
    hint, result = _hints(model)
    if is_list_hint(hint):
        found = signature_of_hints(hint, result, split_example(example)[1])
        if found is not None:
            return found
    if example is None:
        return None
    # A model that first loads its artifacts is not asked here: that may take long, and would leave it changed.
    loads_nothing = type(model).load_context is PythonModel.load_context
    predict = BoundPythonModel(model, PythonModelContext({})).predict if loads_nothing else None
    return signature_of_example(example, predict)


def _decompressed(data: bytes, compression: object, source: str) -> bytes:
    if compression is None:
        return data
    if compression not in _OPEN:
        raise ModelError(f"The model {source} is compressed by {compression!r}, which is not known here.")
    most = max(_MOST_BYTES, _MOST_TIMES * len(data))
    try:
        content = _OPEN[compression](io.BytesIO(data)).read(most + 1)
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise ModelError(
            f"The model {source} should be compressed by {compression}, and is damaged: {error}"
        ) from error
    if len(content) > most:
        raise UntrustedModel(
            source, reason=f"its {len(data):,} bytes become more than {most:,} when they are decompressed"
        )
    return content


def _artifacts(artifacts: Mapping[str, Any]) -> tuple[dict[str, Path], dict[str, dict[str, str]]]:
    """Where each artifact comes from and goes to, and what the MLmodel file says of it."""
    sources: dict[str, Path] = {}
    entries = {}
    for name, given in artifacts.items():
        source = Path(os.fspath(given).removeprefix("file://"))
        if not source.exists():
            raise NotFound("file or folder", str(given), hint=f"It was given as the artifact {name!r} of the model.")
        # Two artifacts may have the same file name; only then does the name given to it become a folder.
        target = f"artifacts/{source.name}"
        if target in sources:
            target = f"artifacts/{len(sources)}/{source.name}"
        sources[target] = source.resolve()
        entries[name] = {"path": target, "uri": str(given)}
    return sources, entries
