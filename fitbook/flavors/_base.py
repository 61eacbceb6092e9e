"""What every flavor does: freeze a model in memory now, lay out its folder later."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

from fitbook.errors import AlreadyExists, ModelError
from fitbook.flavors._seal import digest_of, sealed
from fitbook.models._environment import FROZEN, Requirements, expanded, requirements_of
from fitbook.models._example import example_files
from fitbook.models._installed import frozen
from fitbook.models._mlmodel import MLMODEL, Model
from fitbook.models._signature import ModelSignature


@dataclass
class Snapshot:
    """A model as it was at one moment; nothing that its owner does later changes it.

    Taking one costs a pickle. What follows from it (YAML, requirements, examples) is left to `render`.

    Parameters
    ----------
    files : dict of str to bytes
        Content by relative path.
    flavors : dict of str to dict
        The ways to load it, as the MLmodel file names them.
    sources : dict of str to Path, optional
        Files and folders to copy, by relative path.
    pickled : str, optional
        Which of the files would be unpickled.
    script : str, optional
        Which of the files would be run as a program instead.
    modules : tuple of str
        Top-level modules that are needed besides those that the pickle names.
    signature : ModelSignature, optional
    input_example : object, optional
        A few rows, as `predict` takes them; the caller does not change them any more.
    metadata : dict, optional
        The user's own, plain data.
    pip_requirements : list of str, optional
        Replaces the found requirements.
    extra_pip_requirements : list of str, optional
        Added to the found requirements.
    conda_env : dict, optional
        Replaces the content of ``conda.yaml``.
    own_modules : tuple of str
        Top-level modules of the user's own that are among the files.
    freeze_environment : bool
        Write a list of everything that is installed, too.
    """

    files: dict[str, bytes]
    flavors: dict[str, dict[str, Any]]
    sources: dict[str, Path] = field(default_factory=dict)
    pickled: str | None = None
    script: str | None = None
    modules: tuple[str, ...] = ()
    signature: ModelSignature | None = None
    input_example: Any = None
    metadata: dict[str, Any] | None = None
    pip_requirements: list[str] | None = None
    extra_pip_requirements: list[str] | None = None
    conda_env: dict[str, Any] | None = None
    own_modules: tuple[str, ...] = ()
    freeze_environment: bool = False
    _constraints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Read the requirements files that are named now: they may be others when the model is written."""
        for name in ("pip_requirements", "extra_pip_requirements"):
            given = getattr(self, name)
            if given is not None:
                lines, constraints = expanded(given)
                setattr(self, name, lines)
                self._constraints += tuple(constraints)

    @cached_property
    def sha256(self) -> str | None:
        """The digest of what would be unpickled or run, in hex; None for a model without either."""
        program = self.pickled or self.script
        return None if program is None else hashlib.sha256(self.files[program]).hexdigest()

    @cached_property
    def requirements(self) -> Requirements:
        """What is needed to load it; ``requirements.local`` are modules that no distribution provides."""
        pickles = [] if self.pickled is None else [self.files[self.pickled]]
        found = requirements_of(pickles, self.modules, self.extra_pip_requirements or ())
        given = self.pip_requirements
        pins = found.pins if given is None else (*given, *(self.extra_pip_requirements or ()))
        return Requirements(pins, tuple(m for m in found.local if m not in self.own_modules), self._constraints)

    def source_files(self) -> dict[str, Path]:
        """The files that are to be copied, by relative path."""
        return {
            f"{name}/{file.relative_to(source).as_posix()}" if file != source else name: file
            for name, source in self.sources.items()
            for file in (sorted(source.rglob("*")) if source.is_dir() else [source])
            if file.is_file()
        }

    @property
    def size_bytes(self) -> int:
        """The size of the files in memory."""
        return sum(map(len, self.files.values()))


@runtime_checkable
class Flavor(Protocol):
    """One ML library: how its models are frozen and loaded.

    Third parties name theirs by an entry point of the group ``fitbook.flavors``: an object, or a class without
    arguments. Instances are stateless and used from several threads.
    """

    name: str

    def snapshot(self, model: Any, /, *args: Any, **options: Any) -> Snapshot:
        """Freeze a model; raises `ModelError` saying what is in the way."""
        ...

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load a model from its folder; ``config`` is this flavor's section of the MLmodel file."""
        ...


@runtime_checkable
class Predicting(Protocol):
    """A flavor that says itself how its models predict; those of others are called by their ``predict``."""

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Callable[[Any, dict[str, Any]], Any]:
        """Give a function of data, which fits the signature, and params; ``config`` is as for `Flavor.load`."""
        ...


def render(
    snapshot: Snapshot, *, run_id: str | None = None, artifact_path: str | None = None, model_id: str | None = None
) -> dict[str, bytes]:
    """Lay out a model's folder.

    Parameters
    ----------
    snapshot : Snapshot
        Its ``sources`` are read for the seal only: whoever writes the folder copies them.
    run_id, artifact_path, model_id : str, optional
        Where the model belongs.

    Returns
    -------
    dict of str to bytes
        Content by relative path; the MLmodel file is the last, so that a folder with one is complete. It is sealed as the
        user's own work.

    Raises
    ------
    ModelError
        One of the sources can't be read.
    """
    files = {**snapshot.files, **snapshot.requirements.files(snapshot.conda_env)}
    if snapshot.freeze_environment:
        files[FROZEN] = frozen()
    info = None
    if snapshot.input_example is not None:
        examples, info = example_files(snapshot.input_example)
        files |= examples
    model = Model(
        artifact_path=artifact_path,
        run_id=run_id,
        model_id=model_id,
        flavors=snapshot.flavors,
        signature=snapshot.signature,
        saved_input_example_info=info,
        metadata=snapshot.metadata,
        model_size_bytes=sum(map(len, files.values())),
    )
    return {**files, MLMODEL: sealed(model.to_yaml().encode(), _digests(snapshot, files))}


def _digests(snapshot: Snapshot, files: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 of each file that a folder will have, in hex."""
    program = snapshot.pickled or snapshot.script  # the largest, whose digest is known
    digests = {
        name: snapshot.sha256 or "" if name == program else hashlib.sha256(content).hexdigest()
        for name, content in files.items()
    }
    try:
        return {**{name: digest_of(path) for name, path in snapshot.source_files().items()}, **digests}
    except OSError as error:
        raise ModelError(f"The model can't be written: {error}") from error


def write(snapshot: Snapshot, folder: str | Path, **where: str | None) -> Path:
    """Write a model's folder: all of it, or nothing.

    Parameters
    ----------
    snapshot : Snapshot
    folder : str or Path
        Must not exist, or be empty.
    **where
        ``run_id``, ``artifact_path`` and ``model_id``, as for `render`.

    Raises
    ------
    AlreadyExists
        The folder contains something.
    ModelError
        The folder or one of the sources can't be written or read.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists("file or folder", str(folder), "Save the model into a new or empty folder.")
    files = render(snapshot, **where)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            inner = Path(scratch, "model")
            for name, source in snapshot.sources.items():
                _copy(source, inside(inner, name))
            for name, content in files.items():
                target = inside(inner, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            os.replace(inner, folder)
    except OSError as error:
        raise ModelError(f"The model can't be written to {folder}: {error}") from error
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def inside(folder: Path, name: object) -> Path:
    """The path of a file in a model's folder.

    Parameters
    ----------
    folder : Path
    name : object
        A relative path, from a file that may come from anywhere.

    Raises
    ------
    ModelError
        It is none, or leads out of the folder.
    """
    # Windows separators and drives are refused everywhere: a folder written here may be read there.
    path = PurePosixPath(name) if isinstance(name, str) else None
    if path is None or not path.parts or path.is_absolute() or ".." in path.parts or set("\\:\0") & set(str(path)):
        raise ModelError(f"The model names the file {name!r}, which is not a path inside its folder.")
    return folder / path


def read(folder: Path, config: Mapping[str, Any], *keys: str) -> tuple[bytes, str]:
    """Read the file that a flavor's section names under the first of some keys.

    Returns
    -------
    content : bytes
    path : str
        For messages.

    Raises
    ------
    ModelError
        No key is there, or the file is not.
    """
    name = next((config[key] for key in keys if config.get(key) is not None), None)
    if name is None:
        raise ModelError(f"The MLmodel file in {folder} does not say which file is the model ({' or '.join(keys)}).")
    path = inside(folder, name)
    try:
        # Links may lead to what is not the model's, and devices and pipes have no end.
        if not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
            raise ModelError(
                f"The model's file {path} can't be read: it is no file, or lies outside of the model's folder."
            )
        return path.read_bytes(), str(path)
    except OSError as error:
        raise ModelError(f"The model's file {path} can't be read: {error}") from error
