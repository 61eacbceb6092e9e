"""What MLflow's verbs return with ``synchronous=False``."""

from __future__ import annotations


class RunOperations:
    """A handle to wait for, under MLflow's name; every verb here is done when it returns, so the wait is over at once."""

    def wait(self) -> None:
        """Return."""


def done(synchronous: bool | None) -> RunOperations | None:
    """Give what a verb returns: something to wait for only if the caller said that it would wait."""
    return RunOperations() if synchronous is False else None
