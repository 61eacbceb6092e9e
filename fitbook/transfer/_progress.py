"""A bar on the terminal, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(label: str, unit: str, total: int, *, shown: bool) -> Iterator[Callable[[], object]]:
    """Show how far it is; yields what is to be called after each step. A ``total`` of 0 is not known."""
    if not shown:
        yield lambda: None
        return
    from tqdm import tqdm  # noqa: PLC0415

    # disable=None: shown if standard error is a terminal.
    with tqdm(desc=label, unit=unit, total=total or None, disable=None, leave=False, dynamic_ncols=True) as shown_bar:
        yield shown_bar.update
