from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.autolog.sklearn._progress import Progress

PROGRAM = """
import sys, threading
import numpy as np
import fitbook
from fitbook.autolog.sklearn import _live, _progress
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

drawn, show = threading.Event(), _progress.Progress.show
_progress._SECONDS = 0.01

def noted(self, done, *args):
    show(self, done, *args)
    if done >= 4 and self._line is not None:
        drawn.set()

_progress.Progress.show = noted

class Slow(LogisticRegression):
    def fit(self, X, y):
        if self.C == 3 and wait:
            drawn.wait(20)
        return super().fit(X, y)

options, search, wait = eval(sys.argv[1])
fitbook.autolog(log_plots=False, log_models=False, **options)
X = np.arange(24.0).reshape(-1, 1)
GridSearchCV(Slow(), {"C": [1, 2, 3]}, cv=2, **search).fit(X, np.arange(24) % 2)
print("done", drawn.is_set())
"""


def _in_terminal(tmp_path: Path, arguments: tuple[Any, ...], columns: int = 100) -> tuple[str, str]:
    """Run the program with standard error in a terminal; give what it has drawn there, and printed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, repr(arguments)],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(Path(fitbook.__file__).parents[1]),
            "PATH": os.environ["PATH"],
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "80",
        },
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 1000):
            drawn += part
    except OSError:  # nobody writes any more
        pass
    os.close(ours)
    out, _ = process.communicate()
    assert process.returncode == 0, drawn.decode()
    return drawn.decode(), out


def _left(drawn: str) -> str:
    """What is still to be seen, when everything is drawn."""
    line = ""
    for part in re.split("(\r|\n)", re.sub("\x1b\\[[0-9;]*[A-Za-z]", "", drawn)):
        line = part + line[len(part) :] if part not in "\r\n" else line
    return line.strip()


@pytest.mark.parametrize("columns", [100, 0])
def test_in_a_terminal_a_line_says_how_far_a_search_is_and_goes(tmp_path: Path, columns: int) -> None:
    drawn, out = _in_terminal(tmp_path, ({}, {}, True), columns)
    assert out == "done True\n"
    assert re.search(r"search: +67%[^\r]* 4/6 \[\d\d:\d\d<\d\d:\d\d, [^\r]*best 0\.\d+", drawn)
    assert _left(drawn) == ""


@pytest.mark.parametrize("arguments", [({"progress": False}, {}, False), ({}, {"verbose": 1}, False)])
def test_who_does_not_want_it_has_no_line(tmp_path: Path, arguments: tuple[Any, ...]) -> None:
    drawn, out = _in_terminal(tmp_path, arguments)
    assert "search" not in drawn
    assert out.endswith("done False\n")


@pytest.mark.parametrize("wanted", [None, True, False])
def test_without_a_terminal_there_is_none(wanted: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(wanted, 0)
    assert progress.seconds is None
    progress.show(1, 2, 0.5)
    progress.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stream", [None, object()])
def test_without_standard_error_there_is_none(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert Progress(True, 0).seconds is None


def test_a_line_in_a_terminal_that_is_gone_is_closed_without_an_error() -> None:
    class Gone:
        def close(self) -> None:
            raise BrokenPipeError("the terminal is gone")

    progress = Progress(wanted=True, verbose=0)
    progress._line = Gone()
    progress.close()
    assert progress._line is None
