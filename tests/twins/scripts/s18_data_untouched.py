"""17: the data that a fit gets is the very object, unchanged, in its order; read-only data and memory maps work."""

import hashlib

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge


class Looks(BaseEstimator):
    def fit(self, X, y=None):
        print(X is given, y is target, X.flags["WRITEABLE"], X.flags["F_CONTIGUOUS"])
        return self


given, target = np.asfortranarray(np.arange(60.0).reshape(20, 3)), np.arange(20.0)
given.flags.writeable = False
Looks().fit(given, target)
Ridge().fit(given, target)
np.save("data.npy", given)
given = np.load("data.npy", mmap_mode="r")
Looks().fit(given, target)
print(Ridge().fit(given, target).coef_.round(4), hashlib.sha256(given.tobytes()).hexdigest())
view = given[::2, 1:]
print(Ridge().fit(view, target[::2]).intercept_.round(4), view.base is not None)
