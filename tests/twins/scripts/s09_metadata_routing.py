"""9: metadata routing calls the same things with the same arguments."""

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sklearn.set_config(enable_metadata_routing=True)
X, y = load_iris(return_X_y=True)
weights, groups = np.arange(150) % 5 + 1.0, np.arange(150) % 3


class Recording(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None, colour=None):
        print("fit", X.shape, None if sample_weight is None else sample_weight.sum(), colour)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X, colour=None):
        print("predict", X.shape, colour)
        return np.zeros(len(X), dtype=int)


own = Recording().set_fit_request(sample_weight=True, colour=True).set_predict_request(colour=True)
make_pipeline(StandardScaler().set_fit_request(sample_weight=False), own).fit(X, y, sample_weight=weights, colour="red")
model = LogisticRegression(max_iter=300).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
search = GridSearchCV(model, {"C": [0.1, 1]}, cv=GroupKFold(3)).fit(X, y, sample_weight=weights, groups=groups)
print(search.best_params_, search.get_metadata_routing())
print(cross_validate(model, X, y, cv=GroupKFold(3), params={"sample_weight": weights, "groups": groups})["test_score"])
