"""One line that says how far a search is: done, best, time left. In terminals and notebooks only."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
from typing import Any

_SECONDS = 0.5
_COLUMNS = 80


class Progress:
    """The line of one search; it is there from the first `show`, and gone after `close`.

    Parameters
    ----------
    wanted : bool or None
        What the user has asked for; if nothing, the line is shown unless the search says itself what it does.
    verbose : object
        The search's own setting.
    """

    def __init__(self, wanted: bool | None, verbose: object) -> None:
        place = _place()
        self._place = place if (wanted or (wanted is None and not verbose)) else None
        self._line: Any = None

    @property
    def seconds(self) -> float | None:
        """Seconds between two times that the line is drawn; None if it is not."""
        return _SECONDS if self._place else None

    def show(self, done: int, total: int, best: float) -> None:
        """Draw the line."""
        if self._place is None or sys.stderr is None:
            return
        if self._line is None:
            self._line = _line(self._place, total)
        line = self._line
        line.total = total
        if not math.isinf(best):
            line.set_postfix_str(f"best {best:.4g}", refresh=False)
        line.update(done - line.n)
        line.refresh()

    def close(self) -> None:
        """Remove the line; a terminal that is gone has none."""
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(OSError, ValueError):
                line.close()


def _place() -> str | None:
    if "ipykernel" in sys.modules:
        return "notebook"
    try:
        return "terminal" if sys.stderr.isatty() else None
    except (AttributeError, ValueError):  # there is none, or it is closed
        return None


def _line(place: str, total: int) -> Any:
    if place == "notebook":
        from tqdm.auto import tqdm  # noqa: PLC0415
    else:
        from tqdm.std import tqdm  # noqa: PLC0415

    class Line(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # it would have a thread of its own for ever

    # tqdm's own lock is one for processes, too, and takes one from the system.
    Line.set_lock(threading.RLock())
    columns = _columns()
    width = {"dynamic_ncols": True} if columns else {"ncols": _COLUMNS}
    return Line(total=total, desc="search", unit="fit", leave=False, file=sys.stderr, mininterval=0, **width)


def _columns() -> int:
    """How wide the terminal is; 0 for one that does not tell, as some containers' do not."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 0
