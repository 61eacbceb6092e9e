"""Hold the requirements that a model was saved with against what is installed here."""

from __future__ import annotations

import platform
import re
import warnings
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook._log import FitbookWarning
from fitbook.models._environment import REQUIREMENTS, normal, project

if TYPE_CHECKING:
    from fitbook.models._mlmodel import Model

# An exact pin, with or without extras and a marker. Other requirements leave room, so nothing is said about versions.
_PIN = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;,#*]+)\s*(?:[;#].*)?")

# What loads the model stands in for what saved it.
_LOADERS = frozenset({"fitbook", "mlflow", "mlflow-skinny", "mlflow-tracing"})


def differences(folder: Path, described: Model) -> list[str]:
    """Say which packages are not installed as a model's ``requirements.txt`` pins them, and if Python is another.

    Parameters
    ----------
    folder : Path
        A model's folder; without requirements nothing differs.
    described : Model
        Its MLmodel file.
    """
    try:
        lines = (folder / REQUIREMENTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    pins = [pin.groups() for pin in map(_PIN.fullmatch, map(str.strip, lines)) if pin]
    found = [_difference(name, version) for name, version in pins if normal(name) not in _LOADERS]
    return [text for text in [_python(described), *found] if text]


def warn_of_differences(folder: Path, described: Model) -> None:
    """Give one warning that names the packages that are here in other versions than the model was saved with."""
    found = differences(folder, described)
    if found:
        warnings.warn(
            f"The model in {folder} was saved with other versions than are installed here: {', '.join(found)}. Its "
            "predictions may differ; its requirements.txt says what to install.",
            FitbookWarning,
            stacklevel=5,
        )


def frozen() -> bytes:
    """Pins of everything that is installed, as ``pip freeze`` gives them: a line each, sorted."""
    found: dict[str, Any] = {}
    for distribution in distributions():  # the first on the import path is the one that is imported
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normal(name), f"{name}=={distribution.version}\n")
    return "".join(found[key] for key in sorted(found)).encode()


def _difference(name: str, version: str) -> str:
    installed = project(name)
    if installed is None:
        return f"{name} {version} (not installed)"
    # A local label such as +cpu says how it was built, not what it is.
    if installed[1].partition("+")[0] == version.partition("+")[0]:
        return ""
    return f"{name} {version} (here {installed[1]})"


def _python(described: Model) -> str:
    saved = str(described.flavors.get("python_function", {}).get("python_version") or "")
    here = platform.python_version()
    minor = re.match(r"\d+\.\d+", saved)
    if minor is None or f"{minor[0]}." in f"{here}."[: len(minor[0]) + 1]:
        return ""
    return f"Python {saved} (here {here})"
