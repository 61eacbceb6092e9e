from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from fitbook._log import FitbookWarning
from fitbook.autolog._config import Config
from fitbook.autolog._guard import start_over
from fitbook.autolog._integration import Integration


class Fake(Integration):
    name = "fake"
    distribution = "numpy"
    supported = (1,), (99,)
    modules = ("fitbook_test_host_module",)

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[str] = []

    def apply(self, module_name: str) -> None:
        self.applied.append(module_name)
        if "broken" in vars(sys.modules[module_name]):
            raise RuntimeError("this module can't be hooked")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "fitbook_test_host_module.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fitbook_test_host_module", raising=False)
    return "fitbook_test_host_module"


def test_a_module_is_hooked_when_it_is_imported(module: str) -> None:
    fake = Fake()
    fake.enable(Config())
    assert fake.applied == []
    importlib.import_module(module)
    assert fake.applied == [module]
    sys.modules.pop(module)


def test_a_module_that_is_imported_already_is_hooked_at_once_and_again_when_turned_on_again(module: str) -> None:
    importlib.import_module(module)
    fake = Fake()
    fake.enable(Config())
    fake.disable()
    fake.enable(Config())
    assert fake.applied == [module, module]


def test_turned_off_before_the_import_it_hooks_nothing(module: str) -> None:
    fake = Fake()
    fake.enable(Config())
    fake.disable()
    importlib.import_module(module)
    assert fake.applied == []


@pytest.mark.swallows
def test_a_hook_that_fails_does_not_fail_the_import(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("broken = True\n")
    start_over(silent=False)
    Fake().enable(Config())
    with pytest.warns(FitbookWarning, match="hooking fitbook_test_host_module failed"):
        assert importlib.import_module(module).broken


@pytest.mark.parametrize(
    ("distribution", "supported", "says"),
    [
        ("numpy", ((1, 0), (99,)), None),
        ("numpy", ((98,), (99,)), "98"),
        ("numpy", ((0, 1), (1,)), "numpy"),
        ("no-such-library-at-all", ((1,), (2,)), "no-such-library-at-all is not installed"),
    ],
)
def test_the_version_is_checked_without_importing_anything(
    distribution: str, supported: tuple[tuple[int, ...], tuple[int, ...]], says: str | None
) -> None:
    fake = Fake()
    fake.distribution, fake.supported = distribution, supported
    problem = fake.problem()
    assert problem is None if says is None else says in str(problem)
