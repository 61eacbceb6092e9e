"""39: a class that is defined again, as in a notebook cell that runs twice."""

from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

SOURCE = """
class Mine(Ridge):
    def fit(self, X, y):
        print("fit of", type(self).__qualname__)
        return super().fit(X, y)
"""
for _ in range(3):
    exec(SOURCE)
    print(Mine().fit([[0.0], [1.0]], [0, 1]).coef_.round(3), Mine.fit.__name__, len(BaseEstimator.__subclasses__()) > 0)
