"""Which distributions a model needs, read off the bytes of its pickle: no second interpreter, nothing imported."""

from __future__ import annotations

import pickletools
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

from fitbook._version import __version__
from fitbook.errors import NotFound
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

_FILE_OPTION = re.compile(r"(-r|--requirement|-c|--constraint)[ =]*(.+)")

# Every module that a pickle of protocol 4 or 5 names stands in it as a short string, the first time it is named: an
# opcode, one byte of length, the name, and an opcode that remembers it. Reading opcode by opcode is a hundred times
# slower, and a name found by chance in the middle of numbers is ruled out because it must be a loaded module.
_NAME = re.compile(rb"\x8c([\x01-\xff])([A-Za-z_][\w.]*)(?=\x94)")
REQUIREMENTS, CONSTRAINTS, FROZEN = "requirements.txt", "constraints.txt", "requirements-frozen.txt"

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
    constraints : tuple of str
        The user's own, for ``constraints.txt``.
    """

    pins: tuple[str, ...]
    local: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    def files(self, conda_env: dict[str, Any] | None = None) -> dict[str, bytes]:
        """``requirements.txt``, ``conda.yaml`` and ``python_env.yaml`` as MLflow lays them out.

        Modules that nothing installs stand in ``requirements.txt`` as remarks.

        Parameters
        ----------
        conda_env : dict, optional
            The user's own content of ``conda.yaml``.
        """
        python = platform.python_version()
        pins = [*self.pins, *([f"-c {CONSTRAINTS}"] if self.constraints else [])]
        conda = conda_env or {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={python}", _pin("pip", "<="), {"pip": pins}],
        }
        remarks = [f"# {name}: a module of the user's own, which no package provides" for name in self.local]
        tools = [_pin("pip"), _pin("setuptools"), _pin("wheel")]
        environment = {"python": python, "build_dependencies": tools, "dependencies": ["-r requirements.txt"]}
        files = {
            REQUIREMENTS: _lines([*pins, *remarks]),
            "conda.yaml": to_yaml(conda).encode(),
            "python_env.yaml": to_yaml(environment).encode(),
        }
        return {**files, CONSTRAINTS: _lines(self.constraints)} if self.constraints else files


def requirements_of(pickles: Iterable[bytes], modules: Sequence[str] = (), extra: Iterable[str] = ()) -> Requirements:
    """Find what is needed to load pickles.

    Parameters
    ----------
    pickles : iterable of bytes
        Pickles that this process has written, with protocol 4 or 5.
    modules : tuple of str
        Top-level modules that are needed besides.
    extra : iterable of str
        Requirements to add as they are; they replace a found pin of the same distribution.
    """
    pickles = list(pickles)
    pins: dict[str, str] = {}
    local = []
    for name in sorted({*modules, *(m for data in pickles for m in modules_in(data))}):
        found = distributions_of(name)
        if not found and (name in modules or any(_imports(data, name) for data in pickles)):
            local.append(name)
        # A local version ("2.6.0+cpu") is on no index; its public part fits it as well.
        pins |= {normal(project): f"{project}=={version.partition('+')[0]}" for project, version in found}
    for requirement in extra:
        pins[normal(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0] or requirement)] = requirement
    return Requirements(tuple(sorted(pins.values(), key=str.lower)), tuple(local))


def expanded(given: str | Path | Iterable[str], folder: Path = Path()) -> tuple[list[str], list[str]]:
    """Read requirements as the user gives them to pip.

    Parameters
    ----------
    given : path or list of str
        A requirements file, or requirements; ``-r <file>`` among them stands for the lines of the file.
    folder : Path
        Where relative paths begin.

    Returns
    -------
    requirements : list of str
    constraints : list of str
        Those of the files that ``-c <file>`` names.

    Raises
    ------
    NotFound
        A file is not there.
    """
    requirements: list[str] = []
    constraints: list[str] = []
    for line in [f"-r {given}"] if isinstance(given, (str, Path)) else map(str, given):
        option = _FILE_OPTION.fullmatch(line.strip())
        if option is None:
            requirements.append(line)
            continue
        file = folder / option[2]
        if option[1] in ("-c", "--constraint"):
            constraints += _read_lines(file)
        else:
            more = expanded(_read_lines(file), file.parent)
            requirements += more[0]
            constraints += more[1]
    return requirements, constraints


def _read_lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound("requirements file", str(file), hint=f"It can't be read: {error}.") from error
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.replace("\\\n", "").splitlines())
    return [line for line in lines if line]


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


def _imports(data: bytes, module: str) -> bool:
    """Whether a pickle imports from a top-level module, and does not only hold a class that says it came from there."""
    if b"cloudpickle" not in data:
        return True  # such classes are cloudpickle's alone, and reading opcode by opcode is slow
    memo: list[str | None] = []
    texts: list[str | None] = [None, None]
    pushed: str | None = None
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "MEMOIZE":
            memo.append(pushed)
            continue
        if opcode.name == "STACK_GLOBAL" and (texts[-2] or "").partition(".")[0] == module:
            return True
        pushed = argument if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE") else None
        if opcode.name in ("BINGET", "LONG_BINGET"):
            texts = [texts[-1], memo[int(argument or 0)]]
        elif pushed is not None:
            texts = [texts[-1], pushed]
    return False


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
    found = project(_ALIASES.get(module, module))
    if found is not None:
        return (found,)
    # The last resort reads the metadata of everything installed; the user's own files need not pay for it.
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    if file and not re.search(r"[\\/](site|dist)-packages[\\/]", file):
        return ()
    projects = (project(name) for name in sorted(set(_all_modules().get(module, ()))))
    return tuple(project for project in projects if project is not None)


@cache
def _all_modules() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def project(name: str) -> tuple[str, str] | None:
    """Name and version of an installed distribution, looked up once per process."""
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        return None
    return found.name, found.version


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _pin(name: str, operator: str = "==") -> str:
    found = project(name)
    return name if found is None else f"{name}{operator}{found[1]}"


def normal(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
