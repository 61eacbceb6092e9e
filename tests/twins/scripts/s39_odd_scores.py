"""35: scores that are NaN, infinite, or no numbers at all."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.model_selection import cross_validate


class Scores(BaseEstimator):
    def __init__(self, value=None):
        self.value = value

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.value


for value in (
    float("nan"),
    float("inf"),
    -float("inf"),
    -0.0,
    5e-324,
    1 + 2j,
    None,
    "good",
    np.float16(0.5),
    np.array(0.25),
    [1, 2],
):
    print(repr(Scores(value).fit([[1]]).score([[1]])))
X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
infinite = make_scorer(lambda y, guess: np.inf)
print(cross_validate(LinearRegression(), X, y, cv=2, scoring={"inf": infinite})["test_inf"])
model = LinearRegression().fit(X, y)
print(mean_squared_error(y, model.predict(X), multioutput="raw_values").shape)
