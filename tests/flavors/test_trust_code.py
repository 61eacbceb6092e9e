"""Scripts that are models, and code beside models, pass the door of pickles: a stranger's are not run or importable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fitbook.errors import UntrustedModel
from fitbook.flavors import load_pyfunc, trusting

SAVE = """
import sys, fitbook.pyfunc
open("beside.py", "w").write("x = 1")
open("stranger.py", "w").write("import fitbook.models\\nfitbook.models.set_model(lambda model_input: [7])")
fitbook.pyfunc.save_model("model", python_model="stranger.py", code_paths=["beside.py"])
"""


def test_a_stranger_s_script_and_code_want_trust(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SAVE], cwd=tmp_path, check=True)
    path = list(sys.path)
    with pytest.raises(UntrustedModel) as refused:
        load_pyfunc(tmp_path / "model", suppress_warnings=True)
    assert refused.value.names == ["stranger.py"]
    assert sys.path == path
    with trusting(["stranger.py"]):
        assert load_pyfunc(tmp_path / "model", suppress_warnings=True).predict([[1]]) == [7]
    assert sys.path == path
