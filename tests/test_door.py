"""The one door: what `import fitbook` gives, and how little it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fitbook

HEAVY = [
    "click",
    "cloudpickle",
    "lark",
    "matplotlib",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "wrapt",
    "yaml",
]


def _python(program: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_none_of_the_libraries() -> None:
    loaded = set(_python("import sys, fitbook; print(*sys.modules)").split())
    assert loaded.isdisjoint(HEAVY)
    assert len([name for name in loaded if name.partition(".")[0] == "fitbook"]) <= 12


def test_importing_says_nothing_and_starts_nothing() -> None:
    assert _python("import fitbook, threading; assert threading.active_count() == 1") == ""


@pytest.mark.parametrize("name", ["numpy", "pandas", "sklearn", "matplotlib"])
def test_logging_by_hand_loads_no_array_library(name: str) -> None:
    program = (
        f"import sys, fitbook\nwith fitbook.start_run(): fitbook.log_metric('m', 1)\nassert {name!r} not in sys.modules"
    )
    assert _python(program) == ""


def test_every_public_name_is_there() -> None:
    assert fitbook.__all__ == sorted(set(fitbook.__all__))
    for name in fitbook.__all__:
        assert getattr(fitbook, name) is not None
        assert getattr(fitbook, name) is getattr(fitbook, name)


def test_dir_lists_every_public_name_before_it_is_used() -> None:
    assert _python("import fitbook; assert set(fitbook.__all__) <= set(dir(fitbook)); print(len(dir(fitbook)))")


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fitbook' has no attribute 'nonsense'"):
        fitbook.nonsense
    assert not hasattr(fitbook, "numpy")


def test_star_import() -> None:
    assert (
        _python("from fitbook import *; assert callable(autolog) and callable(start_run) and sklearn.log_model") == ""
    )


@pytest.mark.parametrize(
    "first",
    [
        "import fitbook.autolog",
        "import fitbook.autolog._guard",
        "import fitbook.autolog.sklearn",
        "import fitbook.sklearn, fitbook.tracking, fitbook.pyfunc",
        "from fitbook.autolog.sklearn import SklearnIntegration",
        "import fitbook; fitbook.autolog(); fitbook.autolog(disable=True)",
        "import sklearn, fitbook.sklearn; fitbook.sklearn.autolog(); fitbook.sklearn.autolog(disable=True)",
    ],
)
def test_autolog_stays_the_verb(first: str) -> None:
    assert _python(f"{first}\nimport fitbook, types\nassert isinstance(fitbook.autolog, types.FunctionType)") == ""


def test_the_submodules_of_the_migration_guide() -> None:
    program = (
        "import fitbook as mlflow\nimport fitbook.sklearn, fitbook.pyfunc\nfrom fitbook.tracking import MlflowClient\n"
        "assert mlflow.sklearn.log_model and mlflow.pyfunc.load_model and mlflow.tracking.MlflowClient is MlflowClient"
    )
    assert _python(program) == ""


def test_where_it_can_not_run_it_says_so_at_once() -> None:
    program = "import os\nos.name = 'nt'\ntry:\n import fitbook\nexcept ImportError as error:\n print(error)"
    assert "on Windows, in WSL" in _python(program)
