import platform
import re
from importlib.metadata import version

import pytest

from fitbook._log import FitbookWarning
from fitbook.errors import NotFound
from fitbook.flavors import Snapshot, flavor_named, load_pyfunc, write
from fitbook.models import Model
from fitbook.models._environment import expanded
from fitbook.models._installed import differences, frozen

NUMPY = version("numpy")


def _differences(folder, text, python=None):
    (folder / "requirements.txt").write_text(text)
    return differences(folder, Model(flavors={"python_function": {"python_version": python}}))


def test_what_differs_is_named(tmp_path):
    text = f"NumPy=={NUMPY}\nscipy[x] == 0.1 ; python_version > '3'\nsurely-not-there==2.0\npandas>=1\n# r\n-r x\nmlflow==9"
    assert _differences(tmp_path, text) == [
        f"scipy 0.1 (here {version('scipy')})",
        "surely-not-there 2.0 (not installed)",
    ]
    assert _differences(tmp_path, f"numpy=={NUMPY}+local\n") == []
    assert differences(tmp_path / "none", Model()) == []


def test_python_differs_by_its_minor_version(tmp_path):
    here = platform.python_version()
    assert _differences(tmp_path, "", here) == _differences(tmp_path, "", here.rpartition(".")[0] + ".99") == []
    assert _differences(tmp_path, "", "3.1.5") == [f"Python 3.1.5 (here {here})"]


def test_loading_warns_once_and_names_the_packages(tmp_path):
    folder = write(
        flavor_named("python_function").snapshot(len, pip_requirements=["numpy==0.1", "scipy==0.2"]), tmp_path / "m"
    )
    with pytest.warns(FitbookWarning, match=r"numpy 0\.1 \(here .*, scipy 0\.2 \(here") as caught:
        load_pyfunc(folder)
    assert len(caught) == 1
    load_pyfunc(folder, suppress_warnings=True)


def test_a_freeze_lists_everything(tmp_path):
    lines = frozen().decode().splitlines()
    assert f"numpy=={NUMPY}" in lines
    assert len(lines) == len({re.split("==", line)[0].lower() for line in lines})
    snapshot = Snapshot(files={}, flavors={}, freeze_environment=True)
    assert (write(snapshot, tmp_path / "m") / "requirements-frozen.txt").read_bytes() == frozen()


def test_requirements_files_are_read_where_they_are_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "r.txt").write_text("a==1  # why\n\n-r sub/more.txt\n")
    (tmp_path / "sub" / "more.txt").write_text("b[x]>=2\n-c c.txt\n")
    (tmp_path / "sub" / "c.txt").write_text("d<3\n")
    assert expanded(tmp_path / "r.txt") == (["a==1", "b[x]>=2"], ["d<3"])
    assert expanded(["z", f"-r {tmp_path}/r.txt"]) == (["z", "a==1", "b[x]>=2"], ["d<3"])
    with pytest.raises(NotFound, match="gone"):
        expanded(["-r gone.txt"])
    snapshot = Snapshot(files={}, flavors={}, pip_requirements=["z", f"-r {tmp_path}/r.txt"])
    (tmp_path / "r.txt").unlink()
    folder = write(snapshot, tmp_path / "m")
    assert (folder / "requirements.txt").read_text() == "z\na==1\nb[x]>=2\n-c constraints.txt\n"
    assert (folder / "constraints.txt").read_text() == "d<3\n"
