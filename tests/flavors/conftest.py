"""PyTorch and MLflow are too large for every run of the suite: `make flavors` has an environment with both."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

_FILES = {"test_pytorch.py": "torch", "test_with_mlflow.py": "mlflow"}
collect_ignore = [file for file, module in _FILES.items() if find_spec(module) is None]


@pytest.fixture
def X() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])


@pytest.fixture
def y(X: pd.DataFrame) -> np.ndarray:
    return (X["a"] + X["b"] > 0).astype(int).to_numpy()
