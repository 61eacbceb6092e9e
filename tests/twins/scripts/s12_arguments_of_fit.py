"""12: odd arguments: the same errors, the same return values."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

X, y = load_iris(return_X_y=True)


class Forgets(BaseEstimator):
    def fit(self, X, y=None, **more):
        self.more_ = more


def attempt(call):
    try:
        print(call())
    except Exception as error:
        print(type(error).__name__, error)


print(Forgets().fit(X), Forgets().fit(X=X, y=y, colour=1))
attempt(lambda: LogisticRegression().fit(X))
attempt(lambda: LogisticRegression().fit())
attempt(lambda: LogisticRegression().fit(X, y, unknown=1))
attempt(lambda: LogisticRegression().fit(X, y[:-1]))
attempt(lambda: LinearRegression().fit(X=X, y=y, sample_weight=np.ones(150)).coef_.round(3))
attempt(lambda: LogisticRegression(C=-1).fit(X, y))
attempt(lambda: LogisticRegression.fit(LogisticRegression(max_iter=300), X, y).n_iter_)
model = LinearRegression()
print(model.fit(X, y) is model)
