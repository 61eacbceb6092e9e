"""25: iterators and generators are consumed once, by the one they were given to."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline


class Takes(BaseEstimator):
    def fit(self, X, y=None):
        print(list(X))
        return self


Takes().fit(iter([1, 2, 3]))
Takes().fit(word for word in ("a", "b"))
X, y = load_iris(return_X_y=True)
print(cross_val_score(LogisticRegression(max_iter=300), X, y, cv=KFold(3, shuffle=True, random_state=0).split(X)))
print(GridSearchCV(LogisticRegression(max_iter=300), {"C": [1, 2]}, cv=KFold(3).split(X)).fit(X, y).n_splits_)
print(CountVectorizer().fit(text for text in ("one two", "two three")).get_feature_names_out())
print(
    make_pipeline(HashingVectorizer(n_features=8), LogisticRegression())
    .fit(iter(["a", "b"]), [0, 1])
    .predict(iter(["a"]))
)
print(np.fromiter((i for i in range(3)), int))
