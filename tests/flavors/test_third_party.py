"""The example of docs/flavors.md, installed as pip would and run as it is written."""

import configparser
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fitbook.models import Model

PAGE = (Path(__file__).parents[2] / "docs" / "flavors.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## A flavor of your own") :]
(PROJECT,) = re.findall(r"^```toml\n(.*?)^```", SECTION, re.M | re.S)
MODULE, USE = re.findall(r"^```py\n(.*?)^```", SECTION, re.M | re.S)


@pytest.fixture
def installed(tmp_path):
    """A folder with the module and what an installer makes of its pyproject.toml."""
    project = tomllib.loads(PROJECT)["project"]
    site = tmp_path / "site"
    info = site / f"fitbook_polynomial-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = configparser.ConfigParser()
    points.read_dict(project["entry-points"])
    with (info / "entry_points.txt").open("w") as file:
        points.write(file)
    (site / "fitbook_polynomial.py").write_text(MODULE)
    return site


def _run(code, site, folder):
    path = os.pathsep.join([str(site), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])])
    environment = {**os.environ, "PYTHONPATH": path, "FITBOOK_TRACKING_URI": str(folder / "runs")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_example_does_what_the_page_says(installed, tmp_path):
    done = _run(USE, installed, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "float64" in done.stdout
    (folder,) = [path.parent for path in (tmp_path / "runs").rglob("MLmodel")]
    described = Model.load(folder)
    assert described.flavors["polynomial"]["data"] == "polynomial.json"
    assert described.flavors["python_function"]["loader_module"] == "fitbook_polynomial"
    assert "fitbook-polynomial==1.0" in (folder / "requirements.txt").read_text().split()
    # As mlflow.pyfunc does it.
    loader = (
        f"import fitbook_polynomial, numpy; m = fitbook_polynomial._load_pyfunc({str(folder / 'polynomial.json')!r})"
    )
    assert "4" in _run(f"{loader}; print(m.predict(numpy.array([2.0]), params=None))", installed, tmp_path).stdout


def test_its_errors_are_clear(installed, tmp_path):
    wrong = "import fitbook_polynomial\nfitbook_polynomial.log_model(1)"
    assert "InvalidValue: This is no numpy.polynomial.Polynomial, but a int." in _run(wrong, installed, tmp_path).stderr
    missing = USE.replace("import fitbook_polynomial", "import fitbook.tracking as t").replace(
        "fitbook_polynomial.log_model(", 't.log_flavored("polynomial", '
    )
    assert "No flavor 'polynomial'" in _run(missing, tmp_path, tmp_path).stderr
