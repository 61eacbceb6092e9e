"""Which distributions a model needs, read off the bytes of its pickle: no second interpreter, nothing imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from typing import Any

from fitbook._version import __version__
from fitbook.models._mlmodel import to_yaml

# Modules whose distribution has another name. Only a shortcut: what is not here is found as well, if more slowly.
_ALIASES = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "dateutil": "python-dateutil",
    "bs4": "beautifulsoup4",
    "sentence_transformers": "sentence-transformers",
}

# Every module that a pickle of protocol 4 or 5 names stands in it as a short string, the first time it is named: an
# opcode, one byte of length, the name, and an opcode that remembers it. Reading opcode by opcode is a hundred times
# slower, and a name found by chance in the middle of numbers is ruled out because it must be a loaded module.
_NAME = re.compile(rb"\x8c([\x01-\xff])([A-Za-z_][\w.]*)(?=\x94)")
_CHUNK = 1 << 20
_LONGEST = 258


@dataclass(frozen=True)
class Requirements:
    """What must be installed to load a model.

    Parameters
    ----------
    pins : tuple of str
        Sorted requirements as pip reads them, e.g. ``"numpy==2.4.6"``.
    local : tuple of str
        Modules that the model needs and no distribution provides: the user's own files.
    """

    pins: tuple[str, ...]
    local: tuple[str, ...] = ()

    def files(self, conda_env: dict[str, Any] | None = None) -> dict[str, bytes]:
        """``requirements.txt``, ``conda.yaml`` and ``python_env.yaml`` as MLflow lays them out.

        Parameters
        ----------
        conda_env : dict, optional
            The user's own content of ``conda.yaml``.
        """
        python = platform.python_version()
        conda = conda_env or {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={python}", _pin("pip", "<="), {"pip": list(self.pins)}],
        }
        tools = [_pin("pip"), _pin("setuptools"), _pin("wheel")]
        environment = {"python": python, "build_dependencies": tools, "dependencies": ["-r requirements.txt"]}
        return {
            "requirements.txt": "".join(f"{pin}\n" for pin in self.pins).encode(),
            "conda.yaml": to_yaml(conda).encode(),
            "python_env.yaml": to_yaml(environment).encode(),
        }


def requirements_of(pickles: Iterable[bytes], modules: Iterable[str] = (), extra: Iterable[str] = ()) -> Requirements:
    """Find what is needed to load pickles.

    Parameters
    ----------
    pickles : iterable of bytes
        Pickles that this process has written, with protocol 4 or 5.
    modules : iterable of str
        Top-level modules that are needed besides.
    extra : iterable of str
        Requirements to add as they are; they replace a found pin of the same distribution.
    """
    pins: dict[str, str] = {}
    local = []
    for name in sorted({*modules, *(m for data in pickles for m in modules_in(data))}):
        found = distributions_of(name)
        if not found:
            local.append(name)
        # A local version ("2.6.0+cpu") is on no index; its public part fits it as well.
        pins |= {_normal(project): f"{project}=={version.partition('+')[0]}" for project, version in found}
    for requirement in extra:
        pins[_normal(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0] or requirement)] = requirement
    return Requirements(tuple(sorted(pins.values(), key=str.lower)), tuple(local))


def modules_in(data: bytes) -> set[str]:
    """Top-level modules that a pickle names, without the standard library's and ``__main__``.

    Parameters
    ----------
    data : bytes
        A pickle that this process has written. A text value that is the name of a loaded module counts as well: better
        one requirement too many than one too few.
    """
    tops: set[str] = set()
    for name in set(_names(data)):
        top = name.partition(".")[0]
        if top not in tops and name in sys.modules and top not in sys.stdlib_module_names and top != "__main__":
            tops.add(top)
    return tops


def _names(data: bytes) -> Iterator[str]:
    # In pieces, because one search over a large forest would hold the interpreter's lock for too long.
    for start in range(0, len(data), _CHUNK):
        for match in _NAME.finditer(data, start, min(len(data), start + _CHUNK + _LONGEST)):
            length, name = match.groups()
            if length[0] == len(name):
                yield name.decode("ascii", "replace")


@lru_cache(maxsize=4096)
def distributions_of(module: str) -> tuple[tuple[str, str], ...]:
    """Name and version of the distributions that provide a top-level module; empty for the user's own files.

    Parameters
    ----------
    module : str
        Looked up once per process: a distribution that is upgraded under a running process keeps its old version.
    """
    if module == "fitbook":
        return (("fitbook", __version__),)
    found = _project(_ALIASES.get(module, module))
    if found is not None:
        return (found,)
    # The last resort reads the metadata of everything installed; the user's own files need not pay for it.
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    if file and not re.search(r"[\\/](site|dist)-packages[\\/]", file):
        return ()
    projects = (_project(name) for name in sorted(set(_all_modules().get(module, ()))))
    return tuple(project for project in projects if project is not None)


@cache
def _all_modules() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def _project(name: str) -> tuple[str, str] | None:
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        return None
    return found.name, found.version


def _pin(name: str, operator: str = "==") -> str:
    found = _project(name)
    return name if found is None else f"{name}{operator}{found[1]}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
