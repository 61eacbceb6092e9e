"""28: fits inside fits, predictions and scorers."""

import sys

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

X, y = load_iris(return_X_y=True)


class Nested(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=3):
        self.depth = depth

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.inner_ = (
            clone(self).set_params(depth=self.depth - 1).fit(X, y)
            if self.depth
            else LogisticRegression(max_iter=300).fit(X, y)
        )
        return self

    def predict(self, X):
        return LogisticRegression(max_iter=300).fit(X, np.arange(len(X)) % 3).predict(X)


model = Nested().fit(X, y)
print(model.inner_.inner_.inner_.inner_.score(X, y), model.predict(X).sum())


def scorer(estimator, X, y):
    return LogisticRegression(max_iter=300).fit(X, y).score(X, y)


print(cross_val_score(LogisticRegression(max_iter=300), X, y, scoring=scorer))
sys.setrecursionlimit(150)
print(LogisticRegression(max_iter=300).fit(X, y).score(X, y))
