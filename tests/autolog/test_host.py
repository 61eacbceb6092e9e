from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from fitbook.testing.host_suite import HostSuite


@pytest.fixture(scope="module", autouse=True)
def _one_core() -> Iterator[None]:
    # Small data on many threads is slow, and sums come out in another order.
    with threadpool_limits(1):
        yield


class TestHost(HostSuite):
    """All of it."""
