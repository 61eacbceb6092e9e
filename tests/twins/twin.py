"""Runs a script with and without autologging, and tells what differs.

``python tests/twins/twin.py [NAME ...]`` runs all scripts, or those named, in every mode, each in a process of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "scripts").glob("*.py"))
MODES = ("on", "full", "locked")

# What fitbook itself says: a warning with the line that led to it, or a line on stderr. Where a script has its warnings
# logged, they go where its log goes, as entries that end in a line break of their own.
_OURS = re.compile(r"^(?:.*FitbookWarning: fitbook: .*\n(?:  .*\n)?|fitbook: .*\n)", re.MULTILINE)
_OURS_LOGGED = re.compile(r"^.*FitbookWarning: fitbook: .*\n  .*\n\n", re.MULTILINE)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


@dataclass(frozen=True)
class Outcome:
    """What a script has done, as far as anybody outside can see."""

    code: int
    stdout: str
    stderr: str
    files: dict[str, str]

    def differences(self, other: Outcome) -> list[str]:
        """Name what is not the same."""
        found = []
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                found.append(f"{field.name}\n  without: {_short(mine, theirs)}\n  with:    {_short(theirs, mine)}")
        return found


def outcome(script: Path, mode: str, place: Path) -> Outcome:
    """Run a script.

    Parameters
    ----------
    script : Path
    mode : {"plain", "on", "full", "locked"}
        Without autologging; with it; with its store on a full disk (needs root); with its store locked by another process.
    place : Path
        An empty folder.
    """
    folder, store = place / "work", place / "store"
    folder.mkdir()
    store.mkdir()
    (folder / "script.py").write_bytes(script.read_bytes())
    with _store(mode, store):
        done = subprocess.run(
            [sys.executable, *_flags(script), "script.py"],
            cwd=folder,
            env=_environment(mode, store),
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=240,
        )
    (folder / "script.py").unlink()
    files = {str(f.relative_to(folder)): _digest(f) for f in sorted(folder.rglob("*")) if f.is_file()}
    stdout, stderr = _OURS_LOGGED.sub("", done.stdout), _OURS.sub("", done.stderr)
    return Outcome(done.returncode, _plain(stdout, place), _plain(stderr, place), files)


def _flags(script: Path) -> list[str]:
    found = re.search(r"^# flags: (.*)$", script.read_text(), re.MULTILINE)
    return found[1].split() if found else []


def compare(script: Path, mode: str) -> list[str]:
    """Run a script without autologging and in a mode; what differs."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        return outcome(script, "plain", Path(one)).differences(outcome(script, mode, Path(two)))


def _environment(mode: str, store: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FITBOOK_", "PYTEST_", "COV_"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(HERE / "site"), str(HERE.parent.parent)]),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "FITBOOK_TRACKING_URI": str(store / "runs"),
        "FITBOOK_AUTOLOG_STORE_TIMEOUT": "0.2",
        "FITBOOK_EXIT_TIMEOUT": "10" if mode == "on" else "1",
        "TWIN_AUTOLOG": "" if mode == "plain" else "1",
    }


@contextlib.contextmanager
def _store(mode: str, store: Path) -> Iterator[None]:
    if mode == "full":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", store], check=True)
        try:
            with contextlib.suppress(OSError), (store / "filler").open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            yield
        finally:
            subprocess.run(["umount", "-l", store], check=True)
    elif mode == "locked":
        runs = store / "runs"
        runs.mkdir()
        with contextlib.closing(sqlite3.connect(runs / "fitbook.db", isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            yield
            database.execute("ROLLBACK")
    else:
        yield


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _plain(text: str, place: Path) -> str:
    return _ADDRESS.sub("0x…", text.replace(str(place.resolve()), "…").replace(str(place), "…"))


def _short(mine: object, theirs: object) -> str:
    """The part of a text that differs."""
    one, two = str(mine), str(theirs)
    start = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return repr(one[max(0, start - 80) : start + 400])


def main(names: list[str]) -> int:
    """Compare scripts in every mode; the number of those that differ."""
    scripts = [script for script in SCRIPTS if not names or any(name in script.stem for name in names)]
    tasks = [(script, mode) for script in scripts for mode in MODES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda task: compare(*task), tasks))
    bad = 0
    for (script, mode), found in zip(tasks, results, strict=True):
        bad += bool(found)
        for difference in found:
            print(f"{script.stem} [{mode}]: {difference}")
    print(f"{len(scripts)} scripts, {len(tasks)} comparisons, {bad} with a difference")
    return bad


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
