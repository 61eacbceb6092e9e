from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = "from fitbook.testing.fixtures import swallowed_fails\n"
HEAD = """
import pytest
from fitbook.autolog._guard import quietly
from fitbook.tracking._writer import writer
"""
WAYS = {
    "guard": "with pytest.warns(UserWarning), quietly('drawing'): 1 / 0",
    "writer": "writer.soon(lambda: 1 / 0); writer.flush()",
    "writer, later": "writer.soon(lambda: 1 / 0)",
}


def _pytest(folder: Path, body: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = swallows\n")
    (folder / "test_it.py").write_text(HEAD + body)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.parametrize("way", WAYS)
def test_what_was_swallowed_fails_the_test(tmp_path: Path, way: str) -> None:
    said = _pytest(tmp_path, f"def test_it():\n    {WAYS[way]}\n\ndef test_next():\n    pass\n")
    assert "fitbook swallowed errors in this test (1 sub-exception)" in said
    assert "ZeroDivisionError" in said
    assert "2 passed, 1 error" in said  # the next test is not blamed


@pytest.mark.parametrize("way", WAYS)
def test_a_test_of_the_swallowing_is_let_pass(tmp_path: Path, way: str) -> None:
    said = _pytest(tmp_path, f"@pytest.mark.swallows\ndef test_it():\n    {WAYS[way]}\n")
    assert "1 passed" in said
    assert "error" not in said.splitlines()[-1]
