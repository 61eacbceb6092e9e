"""10: every method of the user's objects is called as often as without, in the same order."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline


class Step(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        print("step.fit")
        return self

    def transform(self, X):
        print("step.transform", X.shape)
        return X


class Model(ClassifierMixin, BaseEstimator):
    def __init__(self, value=1):
        self.value = value

    def fit(self, X, y):
        print("model.fit", X.shape)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        print("model.predict", X.shape)
        return np.full(len(X), self.value)

    def predict_proba(self, X):
        print("model.predict_proba", X.shape)
        return np.full((len(X), 3), 1 / 3)


class Data(np.ndarray):
    def __len__(self):
        print("len")
        return super().__len__()


def own(y, guess):
    print("scorer", len(y))
    return float((y == guess).mean())


X, y = load_iris(return_X_y=True)
pipe = make_pipeline(Step(), Model())
pipe.fit(X, y).score(X, y)
GridSearchCV(pipe, {"model__value": [0, 1]}, cv=2, scoring=make_scorer(own)).fit(X, y)
cross_val_score(pipe, X, y, cv=2, scoring=make_scorer(own))
Model().fit(X.view(Data), y)
