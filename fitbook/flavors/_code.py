"""The user's own Python files beside a model: ``code_paths``, and scripts that are models."""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from fitbook.errors import AlreadyExists, InvalidValue, ModelError, NotFound
from fitbook.flavors._base import Snapshot
from fitbook.flavors._seal import CODE
from fitbook.models._environment import distributions_of
from fitbook.models._script import choosing


def with_code(snapshot: Snapshot, code_paths: Iterable[str | os.PathLike[str]], *, infer: bool = False) -> Snapshot:
    """Add the user's own Python files to a model, and to its requirements what they import.

    Parameters
    ----------
    snapshot : Snapshot
    code_paths : list of path
        Files and folders, found again by ``import`` where the model is loaded. They are read now.
    infer : bool, default False
        Add the modules that the model's pickle names and no package provides.

    Raises
    ------
    NotFound
        A path is not there.
    AlreadyExists
        Two have the same name.
    """
    paths = [Path(path) for path in code_paths]
    if infer:
        paths += [path for path in map(_source_of, snapshot.requirements.local) if path is not None]
    files: dict[str, bytes] = {}
    for path in paths:
        name = path.resolve().name
        if any(known.partition("/")[0] == name for known in files):
            raise AlreadyExists("file or folder among code_paths", name, "Put both into one folder.")
        files |= {name + below: content for below, content in _read_code(path).items()}
    if not files:
        return snapshot
    own = tuple({name.partition("/")[0].removesuffix(".py") for name in files})
    return replace(
        snapshot,
        files={**snapshot.files, **{f"{CODE}/{name}": content for name, content in files.items()}},
        flavors={name: {**config, "code": CODE} for name, config in snapshot.flavors.items()},
        modules=(*snapshot.modules, *imported_by(files)),
        own_modules=own,
    )


def imported_by(files: Mapping[str, bytes]) -> set[str]:
    """Top-level modules of installed distributions that Python files import, wherever in them; nothing is run."""
    found: set[str] = set()
    for name, content in files.items():
        if not name.endswith(".py"):
            continue
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError) as error:
            raise ModelError(f"The file {name!r} among the model's code is no Python: {error}") from error
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    tops = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
    return {top for top in tops if distributions_of(top)}


def script_name(config: Mapping[str, Any]) -> str | None:
    """The file name of a script that is a model: MLflow writes the whole path that it had where it was saved."""
    path = config.get("model_code_path")
    return None if path is None else re.split(r"[\\/]", str(path))[-1]


def run_script(content: bytes, file: str, settings: Mapping[str, Any]) -> Any:
    """Run a script and return what it gave to `fitbook.models.set_model`.

    Running a script can do anything: whoever calls this with one that was loaded asks `_trust.check_program` before.
    What it imports from MLflow comes from fitbook: MLflow need not be installed.

    Parameters
    ----------
    content : bytes
    file : str
        Where it comes from, for messages and tracebacks.
    settings : dict
        What its `fitbook.models.ModelConfig` holds.

    Raises
    ------
    ModelError
        It raised, or names no model.
    """
    module = ModuleType(f"{Path(file).stem}_{hashlib.sha256(content).hexdigest()[:12]}")
    module.__file__ = file
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    # Annotations and pickles look for the module of a class by its name.
    sys.modules[module.__name__] = module
    with choosing(settings) as chosen:
        try:
            exec(compile(content, file, "exec"), module.__dict__)  # the user's own script, see above
        except Exception as error:
            raise ModelError(f"The model's script {file} can't be run: {error!r}") from error
    if not chosen:
        raise ModelError(f"The script {file} names no model: let it call fitbook.models.set_model(model).")
    return chosen[0]


def read_script(path: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Read a script that is to become a model: its name, and its content.

    Raises
    ------
    NotFound
        It is not there.
    InvalidValue
        It is no Python file.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFound("file", str(path), hint="A python_model that is text is the path of a Python script.")
    if file.suffix != ".py":
        raise InvalidValue(f"The python_model {str(path)!r} is no Python script: its name must end in .py.")
    return file.name, file.read_bytes()


def _import(name: str, *arguments: Any, **options: Any) -> Any:
    package, dot, rest = name.partition(".")
    if package == "mlflow":
        with contextlib.suppress(ModuleNotFoundError):
            return builtins.__import__(f"fitbook{dot}{rest}", *arguments, **options)
    return builtins.__import__(name, *arguments, **options)


def _read_code(path: Path) -> dict[str, bytes]:
    """Content of a file or folder, by what follows its name."""
    if path.is_file():
        return {"": path.read_bytes()}
    if not path.is_dir():
        raise NotFound("file or folder", str(path), hint="It was given in code_paths.")
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    kept = (f for f in files if "__pycache__" not in f.parts and not f.relative_to(path).parts[0].startswith("."))
    return {f"/{file.relative_to(path).as_posix()}": file.read_bytes() for file in kept}


def _source_of(module: str) -> Path | None:
    """The file, or the folder of a package, that a module was imported from."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file:
        return None
    return Path(file).parent if Path(file).name == "__init__.py" else Path(file)
