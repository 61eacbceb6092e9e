"""Scripts that are models, and code beside models, pass the door of pickles: a stranger's are not run or importable."""

from __future__ import annotations

import importlib.util
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fitbook._log import FitbookWarning
from fitbook.errors import UntrustedModel
from fitbook.flavors import load_pyfunc, trusting

SCRIPT = "import beside, fitbook.models\nfitbook.models.set_model(lambda model_input: [beside.x])"
SAVE = f"""
import sys, fitbook.pyfunc
sys.path.insert(0, ".")
open("beside.py", "w").write("x = 7")
open("stranger.py", "w").write({SCRIPT!r})
fitbook.pyfunc.save_model("model", python_model="stranger.py", code_paths=["beside.py"])
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model that is a script, with a module beside it, and the key of who saved it."""
    place = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FITBOOK_KEY_FILE", str(place / "key"))
        subprocess.run([sys.executable, "-c", SAVE], cwd=place, check=True)
    return place / "model", place / "key"


@pytest.fixture
def folder(saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in a process that has imported nothing of it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "beside", None)
    monkeypatch.delitem(sys.modules, "beside")  # and once more after the test
    return Path(shutil.copytree(saved[0], tmp_path / "model"))


def _predicted(folder: Path) -> object:
    return load_pyfunc(folder, suppress_warnings=True).predict([[1]])


def test_a_stranger_s_script_and_code_want_trust(folder: Path) -> None:
    path = list(sys.path)
    with pytest.raises(UntrustedModel) as refused:
        _predicted(folder)
    assert refused.value.names == ["stranger.py"]
    with trusting(["other.py", "stranger.Class"]), pytest.raises(UntrustedModel):
        _predicted(folder)
    assert sys.path == path
    with trusting(["stranger.py"]):  # who trusts the script means what it imports, too
        assert _predicted(folder) == [7]
    assert sys.path == [*path, str(folder / "code")]


def test_a_module_of_mine_is_never_replaced_by_a_stranger_s(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "beside.py").write_text("x = 'mine'")
    sys.path.append(str(tmp_path / "mine"))
    path = list(sys.path)
    importlib.invalidate_caches()
    with (
        trusting(["stranger.py", "beside.x"]),
        pytest.warns(FitbookWarning, match="its own beside.*yours are used"),
    ):
        assert _predicted(folder) == ["mine"]
    assert sys.path == [*path, str(folder / "code")]


def test_a_name_that_is_importable_brings_no_code_along(folder: Path, tmp_path: Path) -> None:
    sys.path.append(str(tmp_path))
    (tmp_path / "beside.py").write_text("x = 'mine'")
    path = list(sys.path)
    importlib.invalidate_caches()
    with trusting(["beside.x"]), pytest.warns(FitbookWarning, match="yours are used"), pytest.raises(UntrustedModel):
        _predicted(folder)
    assert sys.path == path


def test_my_own_code_comes_first(
    folder: Path, saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITBOOK_KEY_FILE", str(saved[1]))
    sys.path.insert(0, str(tmp_path))
    (tmp_path / "beside.py").write_text("x = 'of today'")
    path = list(sys.path)
    assert _predicted(folder) == [7]  # as it was when the model was saved
    assert sys.path == [str(folder / "code"), *path]
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize("what", ["changed", "added", "linked"])
def test_code_that_was_tampered_with_is_nobody_s(
    what: str, folder: Path, saved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITBOOK_KEY_FILE", str(saved[1]))
    if what == "changed":
        (folder / "code" / "beside.py").write_text("x = 'evil'")
    elif what == "added":
        (folder / "code" / "json_of_mine.py").write_text("x = 'evil'")
    else:
        (folder / "code" / "package").symlink_to(folder.parent)
    path = list(sys.path)
    with pytest.raises(UntrustedModel):
        _predicted(folder)
    assert sys.path == path


def test_what_was_compiled_is_not_run_in_place_of_the_source(
    folder: Path, saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITBOOK_KEY_FILE", str(saved[1]))
    (tmp_path / "evil.py").write_text("x = 'evil'")
    cached = importlib.util.cache_from_source(str(folder / "code" / "beside.py"))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(tmp_path / "evil.py"), cached, invalidation_mode=mode)
    assert _predicted(folder) == [7]
