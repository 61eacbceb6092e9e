"""1: clones of fitted and unfitted estimators, and __sklearn_clone__."""

from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True)
pipe = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5, random_state=0)).fit(X, y)
copy = clone(pipe)
print(copy, sorted(vars(copy)), sorted(vars(pipe[-1])))


class Own(BaseEstimator):
    def __sklearn_clone__(self):
        print("asked to clone")
        return self

    def fit(self, X, y=None):
        return self


own = Own().fit(X)
print(clone(own) is own)
