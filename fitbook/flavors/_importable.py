"""The user's own Python files of a model that is loaded become importable; a stranger's don't."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from typing import NoReturn

from fitbook import settings
from fitbook._log import FitbookWarning
from fitbook.errors import ModelError
from fitbook.flavors._base import inside
from fitbook.flavors._code import script_name
from fitbook.flavors._trust import trusted_names
from fitbook.models._environment import distributions_of
from fitbook.models._mlmodel import Model

_folders: set[Path] = set()


def make_importable(folder: Path, described: Model, *, own: Callable[[], Collection[str]]) -> None:
    """Put a model's Python files on the import path, for as long as this process runs, if they may be imported.

    Those of a model that is the user's own work come first: it was fitted with them. Those of which the caller trusts
    something come last, and serve for what can't be imported otherwise; other people's are not importable, or anybody's
    ``import`` of a module that is not installed here would run them.

    Parameters
    ----------
    folder : Path
    described : Model
    own : callable
        Gives the digests of the folder's files if it is own work; called if it matters.

    Raises
    ------
    ModelError
        They would stand in the way of Python's own modules or of an installed package, or lie outside of the folder.
    """
    named = (config["code"] for config in described.flavors.values() if config.get("code"))
    scripts = {name for name in map(script_name, described.flavors.values()) if name is not None}
    for code in {inside(folder, name).absolute() for name in named}:
        modules = {path.stem for path in code.glob("*.py")} | {p.name for p in code.glob("*/") if _is_package(p)}
        hidden = sorted(m for m in modules if m in sys.stdlib_module_names or distributions_of(m))
        if hidden:
            raise ModelError(
                f"The code of the model in {folder} would take the place of {', '.join(hidden)}, which are Python's or an "
                "installed package's."
            )
        if not modules or str(code) in sys.path:
            continue
        if own():
            _put(0, code)
            _warn_of_others(folder, code, modules)
        elif settings.ALLOW_UNSAFE_PICKLE.get():
            _put(len(sys.path), code)
        else:
            _take_named(folder, code, modules, scripts)


def _warn_of_others(folder: Path, code: Path, modules: Iterable[str]) -> None:
    others = sorted(m for m in modules if not _is_below(getattr(sys.modules.get(m), "__file__", None), code))
    if others:
        warnings.warn(
            f"The model in {folder} has its own {', '.join(others)}, and other modules of these names are imported "
            "already: those are used. Load the model in a fresh process to have its own.",
            FitbookWarning,
            stacklevel=7,
        )


def _take_named(folder: Path, code: Path, modules: set[str], scripts: set[str]) -> None:
    trusted = {part for name in trusted_names() for part in (name, name.partition(".")[0])}
    wanted = trusted & (modules | scripts)
    here = {name for name in modules if wanted and _is_importable(name)}
    if here:
        warnings.warn(
            f"The model in {folder} brings its own {', '.join(sorted(here))}, and there are modules of these names here: "
            "yours are used, since that code is not your own work.",
            FitbookWarning,
            stacklevel=7,
        )
    if wanted - here:
        _put(len(sys.path), code)


def _put(position: int, code: Path) -> None:
    if _find not in sys.path_hooks:
        sys.path_hooks.insert(0, _find)
    _folders.add(code)
    sys.path.insert(position, str(code))
    importlib.invalidate_caches()


class _Source(SourceFileLoader):
    """Reads sources, and nothing that was compiled: who can put a file beside them must not have it run instead."""

    def path_stats(self, path: object) -> NoReturn:
        raise OSError("what was compiled is neither read nor written")


def _find(path: str) -> FileFinder:
    if not any(Path(path).is_relative_to(code) for code in _folders):
        raise ImportError(f"{path} is no model's code", path=path)
    return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Source, SOURCE_SUFFIXES))


def _is_importable(module: str) -> bool:
    with suppress(ImportError, ValueError):
        return importlib.util.find_spec(module) is not None
    return module in sys.modules


def _is_package(path: Path) -> bool:
    return path.name.isidentifier() and any(path.glob("*.py"))


def _is_below(file: str | None, folder: Path) -> bool:
    return file is None or Path(file).resolve().is_relative_to(folder.resolve())
