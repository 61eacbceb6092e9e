"""A script for MLflow as it stands, with fitbook under its name: what it notes is what it notes with MLflow 3.17.2."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "scripts" / "ordinary_mlflow.py"

# What the script noted when it was run with MLflow 3.17.2 itself.
EXPECTED: dict[str, Any] = json.loads((SCRIPT.parent / "ordinary_mlflow.json").read_text(encoding="utf-8"))

# Where fitbook differs on purpose.
OTHERWISE: dict[str, Any] = {
    # Infinity is kept exactly; MLflow turns it into the largest number that its database holds.
    "metrics": {**EXPECTED["metrics"], "big": "inf"},
    # Models that a run made are found with the run's files.
    "parts": ["data", "info", "inputs"],
}


def test_the_script_notes_what_it_notes_with_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    noted = json.loads(capsys.readouterr().out)
    assert noted == {**EXPECTED, **OTHERWISE}
    assert len(noted) > 70
