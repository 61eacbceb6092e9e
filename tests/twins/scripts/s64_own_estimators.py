"""26: estimators of the program's own, with scikit-learn's checks and without its base."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y


class Centroids(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        X, y = check_X_y(X, y)
        self.classes_ = np.unique(y)
        self.centroids_ = np.array([X[y == label].mean(0) for label in self.classes_])
        return self

    def predict(self, X):
        check_is_fitted(self)
        X = check_array(X)
        return self.classes_[((X[:, None] - self.centroids_) ** 2).sum(-1).argmin(1)]


class Twice(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * X


class Mean(RegressorMixin, BaseEstimator):
    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.mean_ = float(np.mean(y)) + self.shift
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


X, y = load_iris(return_X_y=True)
print(cross_val_score(make_pipeline(Twice(), Centroids()), X, y), Centroids().fit(X, y).score(X, y))
print(Mean(1).fit(X, y).score(X, y), Mean(), Centroids().fit(X, y)._repr_html_()[:5])
print(
    Centroids.set_fit_request if hasattr(Centroids, "set_fit_request") else "no metadata",
    Twice().fit_transform(X).sum(),
)
