"""pytest fixtures that hold fitbook to its law: what it swallowed in a test fails that test.

Put ``from fitbook.testing.fixtures import swallowed_fails`` into a ``conftest.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from fitbook._log import logger
from fitbook.autolog import _guard
from fitbook.tracking._writer import writer


class Collector(logging.Handler):
    """Keeps what a failed background write raised: the writer logs it, for there is nobody to raise it to."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@pytest.fixture(autouse=True)
def swallowed_fails(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raise at the end of a test what autologging and the background writer swallowed in it.

    Tests of the swallowing itself carry the marker ``swallows``.

    Raises
    ------
    BaseExceptionGroup
        Everything that was swallowed.
    """
    collector = Collector()
    _guard.swallowed.clear()
    _guard.keeps_swallowed = True
    logger.addHandler(collector)
    try:
        yield
        writer.flush()
    finally:
        logger.removeHandler(collector)
        _guard.keeps_swallowed = False
    errors = [error for _, error in _guard.swallowed]
    errors += [error for error in collector.errors if error not in errors]
    _guard.swallowed.clear()
    if errors and request.node.get_closest_marker("swallows") is None:
        raise BaseExceptionGroup("fitbook swallowed errors in this test", errors)
