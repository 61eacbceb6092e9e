"""14: warnings and log records that say whose line has led to them."""

import logging
import sys
import warnings

from sklearn.base import BaseEstimator
from sklearn.metrics import precision_score

logging.basicConfig(stream=sys.stdout, format="%(funcName)s %(lineno)d %(message)s")


class Base(BaseEstimator):
    def fit(self, X, y=None):
        warnings.warn("of the caller", stacklevel=2)
        logging.getLogger("own").warning("of the caller", stacklevel=2)
        return self

    def predict(self, X):
        warnings.warn("of the caller's caller", stacklevel=3)
        return X


class Derived(Base):
    def fit(self, X, y=None):
        warnings.warn("of who calls the derived class", stacklevel=2)
        return super().fit(X)


def call(model):
    return model.fit([[1]]).predict([[1]])


call(Base())
call(Derived())
precision_score([0, 1, 2], [0, 0, 0], average="macro")
