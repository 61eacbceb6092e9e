"""What all code in one process shares, and a library must leave alone: looked at before and after something is run."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import re
import signal
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

State = dict[str, str]

_DESCRIPTORS = Path("/proc/self/fd")
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
_POOLED = re.compile(r"ExecutorManagerThread|QueueFeederThread|Thread-\d+ \((worker|_handle_\w+)\)")


def state(*, without: Path) -> State:
    """Give everything looked at, as texts that can be compared between processes.

    Parameters
    ----------
    without : Path
        A folder whose files may be open, and in the environment: fitbook's store.
    """
    return {name: probe() for name, probe in _PROBES.items()} | {"descriptors": _open_files(without)}


def changes(before: State, after: State) -> State:
    """Tell what has changed: lines of lists that have come and gone, and of all else how it is now."""
    return {
        name: _short(_change(before.get(name, ""), text)) for name, text in after.items() if before.get(name) != text
    }


def _change(before: str, after: str) -> str:
    old, new = Counter(before.split("\n")), Counter(after.split("\n"))
    if old.total() == new.total() == 1:
        return after
    return "; ".join([f"+{line}" for line in (new - old).elements()] + [f"-{line}" for line in (old - new).elements()])


def _short(text: str) -> str:
    return text if len(text) <= 1000 else hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _open_files(without: Path) -> str:
    """The files and sockets that are open, but for those of ``without`` and what worker processes are spoken to with."""
    found = []
    for descriptor in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.is_dir() else ():
        try:
            target = os.readlink(_DESCRIPTORS / descriptor)
        except OSError:  # the one by which the folder itself was read
            continue
        if not target.startswith((str(without), "pipe:")) and not target.endswith(" (deleted)"):
            found.append(_NUMBERS.sub("", os.path.basename(target)))  # where a log is written does not matter
    return "\n".join(["", *sorted(found)])


def _threads() -> str:
    """The names of all threads but fitbook's, of which one of each kind may be there, and those of joblib's pools.

    When the threads of an idle pool end is a matter of time, and of garbage collection.
    """
    names = [thread.name for thread in threading.enumerate()]
    ours = [name for name in names if name.startswith("fitbook-")]
    others = [_NUMBERS.sub("", name) for name in names if name not in ours and not _POOLED.match(name)]
    return "\n".join(["", *sorted(others), *([] if len(ours) == len(set(ours)) else sorted(ours))])


def _filters() -> str:
    """The filters, without those that mean nothing but where fitbook is at work.

    Threads that use `warnings.catch_warnings` at once, as in scikit-learn's own, take them along from a background job.
    """
    filters = [entry for entry in warnings.filters if "fitbook" not in repr(entry[2])]
    return _NUMBERS.sub("", "\n".join([warnings.showwarning.__name__, *map(repr, filters)]))


def _global_random() -> str:
    import numpy as np

    return repr(pickle.dumps((random.getstate(), np.random.get_state())))


def _numpy() -> str:
    import numpy as np

    return repr((np.geterr(), np.geterrcall(), np.get_printoptions()))


def _sklearn() -> str:
    import sklearn

    return repr(sklearn.get_config())


def _figures() -> str:
    """The figures that pyplot knows, and matplotlib's settings; nothing is loaded for it."""
    pyplot, matplotlib = sys.modules.get("matplotlib.pyplot"), sys.modules.get("matplotlib")
    settings = matplotlib and hash(tuple(map(repr, getattr(matplotlib, "rcParams", {}).items())))
    return repr((pyplot and pyplot.get_fignums(), pyplot and settings))


def _signals() -> str:
    return repr([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)])


def _interpreter() -> str:
    hooks: list[Any] = [sys.excepthook, threading.excepthook, sys.unraisablehook, sys.gettrace(), sys.getprofile()]
    return repr((sys.getrecursionlimit(), sys.getswitchinterval(), [getattr(h, "__qualname__", h) for h in hooks]))


_PROBES: dict[str, Callable[[], str]] = {
    "warnings.filters": _filters,
    "global random numbers": _global_random,
    "numpy": _numpy,
    "sklearn.config": _sklearn,
    "figures": _figures,
    "threads": _threads,
    "signals": _signals,
    "interpreter": _interpreter,
    "sys.path": lambda: repr(sys.path),
    "folders": lambda: repr((os.getcwd(), sorted(os.listdir()), tempfile.tempdir)),
    "environment": lambda: repr(sorted(os.environ.keys())),
}
