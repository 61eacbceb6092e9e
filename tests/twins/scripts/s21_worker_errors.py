"""20: errors in workers, error_score, a search that fails."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

X, y = load_iris(return_X_y=True)


class Picky(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        if self.C > 1:
            raise ValueError(f"C is {self.C}")
        return super().fit(X, y, sample_weight)


for n_jobs in (1, 2):
    search = GridSearchCV(Picky(max_iter=300), {"C": [1, 2]}, error_score=np.nan, n_jobs=n_jobs).fit(X, y)
    print(search.cv_results_["mean_test_score"], search.best_params_)
    try:
        GridSearchCV(Picky(max_iter=300), {"C": [1, 2]}, error_score="raise", n_jobs=n_jobs).fit(X, y)
    except ValueError as error:
        print(type(error).__name__, error, type(error.__cause__).__name__)
try:
    cross_val_score(Picky(C=3), X, y)
except ValueError as error:
    print(str(error)[:200])
