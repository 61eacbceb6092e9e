"""Scripts that are models, and code beside models, pass the door of pickles: a stranger's are not run or importable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_stranger_s_script_and_code_want_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-c", SAVE], cwd=tmp_path, check=True)
    path = list(sys.path)
    monkeypatch.setattr(sys, "path", list(path))
    monkeypatch.setitem(sys.modules, "beside", None)
    monkeypatch.delitem(sys.modules, "beside")  # and once more after the test
    with pytest.raises(UntrustedModel) as refused:
        load_pyfunc(tmp_path / "model", suppress_warnings=True)
    assert refused.value.names == ["stranger.py"]
    assert sys.path == path
    with trusting(["other.py", "stranger.Class"]), pytest.raises(UntrustedModel):
        load_pyfunc(tmp_path / "model", suppress_warnings=True)
    assert sys.path == path
    with trusting(["stranger.py"]):  # who trusts the script means what it imports, too
        assert load_pyfunc(tmp_path / "model", suppress_warnings=True).predict([[1]]) == [7]
    assert sys.path == [*path, str(tmp_path / "model" / "code")]


def test_a_module_of_the_user_s_own_is_not_replaced_by_one_beside_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-c", SAVE], cwd=tmp_path, check=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "beside.py").write_text("x = 1")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "mine"), *sys.path])
    monkeypatch.setitem(sys.modules, "beside", None)
    monkeypatch.delitem(sys.modules, "beside")
    with trusting(["stranger.py"]):
        assert load_pyfunc(tmp_path / "model", suppress_warnings=True).predict([[1]]) == [1]
