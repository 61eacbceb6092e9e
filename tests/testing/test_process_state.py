from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn

from fitbook.testing.process_state import state

_done = threading.Event()


def _leave_a_thread(name: str) -> None:
    threading.Thread(target=_done.wait, name=name, daemon=True).start()


# What a test might leave behind, by the name under which it is told.
LEFT: list[tuple[str, Callable[[], object]]] = [
    ("warnings.filters", lambda: warnings.simplefilter("ignore", BytesWarning)),
    ("global random numbers", random.random),
    ("global random numbers", np.random.rand),
    ("numpy", lambda: np.seterr(over="raise")),
    ("sklearn.config", lambda: sklearn.set_config(display="text")),
    ("figures", plt.figure),
    ("figures", lambda: mpl.rcParams.update({"lines.linewidth": 9})),
    ("threads", lambda: _leave_a_thread("worker-1")),
    ("threads", lambda: _leave_a_thread("fitbook-leases")),
    ("signals", lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    ("interpreter", lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1)),
    ("sys.path", lambda: sys.path.append("somewhere")),
    ("folders", lambda: Path("file").touch()),
    ("environment", lambda: os.environ.update({"LEFT_BEHIND": "1"})),
    ("descriptors", lambda: os.open(__file__, os.O_RDONLY)),
]


def changed(act: Callable[[], object], store: Path) -> list[str]:
    before = state(without=store)
    act()
    after = state(without=store)
    return [name for name in after if before[name] != after[name]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What each of them changes, one after the other in a process that ends with them."""
    folder = tmp_path_factory.mktemp("left")
    command = [sys.executable, __file__, str(folder / "store")]
    answer = subprocess.run(command, cwd=folder, check=True, capture_output=True)
    found: list[list[str]] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("number", range(len(LEFT)), ids=[f"{name}-{i}" for i, (name, _) in enumerate(LEFT)])
def test_what_is_left_behind_is_seen(number: int, told: list[list[str]]) -> None:
    assert told[2 + number] == [LEFT[number][0]]


def test_what_fitbook_may_do_is_not_seen(told: list[list[str]]) -> None:
    assert told[:2] == [[], []]


def _work_like_fitbook(store: Path) -> None:
    os.open(store / "fitbook.db", os.O_CREAT)
    os.pipe()
    _leave_a_thread("fitbook-leases")
    _leave_a_thread("ExecutorManagerThread")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir()
    acts = [lambda: _work_like_fitbook(place), lambda: None, *(act for _, act in LEFT)]
    print(json.dumps([changed(act, place) for act in acts]))
