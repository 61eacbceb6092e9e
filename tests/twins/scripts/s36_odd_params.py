"""32: params of every kind."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression


class Unshowable:
    def __repr__(self):
        raise RuntimeError("shown")


class Any(BaseEstimator):
    def __init__(self, a=None, password="hunter2"):
        self.a, self.password = a, password

    def fit(self, X, y=None):
        return self


cyclic = []
cyclic.append(cyclic)
for value in (
    lambda x: x,
    print,
    LinearRegression(),
    np.arange(10**6),
    pd.DataFrame({"a": [1]}),
    float("nan"),
    cyclic,
    "x" * 100_000,
    {1: 2, None: 3, "ü🙂": "\ud800"},
    Unshowable(),
    b"\xff",
    range(10),
    {1, 2},
    np.float32(1.5),
    Ellipsis,
):
    model = Any(value)
    print(type(value).__name__, model.fit([[1]]) is model, model.get_params()["a"] is value)
