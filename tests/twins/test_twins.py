"""Scripts give the same output, errors, exit code and files with autologging as without.

A share of them; ``make twins`` runs all, in every mode.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _twin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fitbook_twin", Path(__file__).parent / "twin.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["fitbook_twin"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


twin = _twin()
SHARE = ("s03", "s10", "s66", "s24", "s27", "s28", "s35", "s49", "s62", "s65")


def script(name: str) -> Path:
    (found,) = (script for script in twin.SCRIPTS if script.stem.startswith(name))
    return found


@pytest.mark.parametrize("name", SHARE)
def test_nothing_is_different(name: str) -> None:
    assert twin.compare(script(name), "on") == []


@pytest.mark.parametrize("mode", ["full", "locked"])
def test_nothing_is_different_when_the_store_is_in_trouble(mode: str) -> None:
    assert twin.compare(script("s10"), mode) == []


def test_there_is_a_script_for_every_behaviour() -> None:
    told = " ".join(re.match(r'"""([\d, ]+):', file.read_text())[1] for file in twin.SCRIPTS)
    assert len(twin.SCRIPTS) >= 60
    assert set(map(int, re.findall(r"\d+", told))) >= set(range(1, 53)) - {46}, "46 needs a server"


def test_a_difference_is_found(tmp_path: Path) -> None:
    file = tmp_path / "tells.py"
    file.write_text(
        "import sys; print('fitbook' in sys.modules); open('file', 'w').write(str('fitbook' in sys.modules))"
    )
    (stdout, files) = twin.compare(file, "on")
    assert stdout.startswith("stdout")
    assert files.startswith("files")
