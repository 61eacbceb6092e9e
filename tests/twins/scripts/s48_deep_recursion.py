"""42: close to the recursion limit."""

import sys

from sklearn.base import BaseEstimator


class Deep(BaseEstimator):
    def fit(self, X, y=None):
        return self


def down(n):
    return Deep().fit([[1]]) is not None if n == 0 else down(n - 1)


sys.setrecursionlimit(400)
print(down(300))
