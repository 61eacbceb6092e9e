"""Against real local clusters of Dask's and Ray's: ``make distributed``, in an environment that has both."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

collect_ignore_glob = [] if find_spec("distributed") and find_spec("ray") else ["test_*.py"]


@pytest.fixture
def data() -> tuple[object, object]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int)
