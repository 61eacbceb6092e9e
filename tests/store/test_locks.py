"""One holder at a time, and none that is dead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fitbook.errors import StoreUnavailable
from fitbook.store import SqlStore, _locks, open_store

COUNTING = """
import sys
from pathlib import Path
from fitbook.store import open_store
store, file = open_store(sys.argv[1]), Path(sys.argv[2])
for _ in range(50):
    with store.exclusively("x"):
        file.write_text(str(int(file.read_text()) + 1))
"""

HOLDING = """
import sys, time
from fitbook.store import open_store
with open_store(sys.argv[1]).exclusively("x"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    return open_store(tmp_path / "store")


def test_processes_take_turns(store: SqlStore, tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    command = [sys.executable, "-c", COUNTING, str(tmp_path / "store"), str(file)]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait() == 0
    assert file.read_text() == "150"


@pytest.mark.parametrize("url", ["file", "sqlite://"])
def test_threads_take_turns(store: SqlStore, url: str) -> None:
    if url != "file":
        store = open_store(url)
    inside, most = 0, 0

    def hold() -> None:
        nonlocal inside, most
        for _ in range(10):
            with store.exclusively("x"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_holder_that_dies_lets_go(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with monkeypatch.context() as impatient:
            impatient.setattr(_locks, "PATIENCE_SECONDS", 0.05)
            with pytest.raises(StoreUnavailable, match="Another process has been changing x"), store.exclusively("x"):
                pass
        process.kill()
        process.wait()
    with store.exclusively("x"):
        pass


def test_an_error_inside_lets_go_and_passes(store: SqlStore) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), store.exclusively("x"):
            raise KeyError
