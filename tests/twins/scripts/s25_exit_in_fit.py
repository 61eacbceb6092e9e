"""23: sys.exit inside fit."""

import atexit
import sys

from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression

atexit.register(lambda: print("at exit"))


class Leaves(BaseEstimator):
    def fit(self, X, y=None):
        sys.exit(7)


print(LinearRegression().fit([[0], [1]], [0, 1]).coef_)
Leaves().fit([[1]])
