"""19: n_jobs in threads and processes: the same results."""

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

X, y = load_iris(return_X_y=True)
print(RandomForestClassifier(10, random_state=0, n_jobs=2).fit(X, y).predict_proba(X).sum(0))
print(OneVsRestClassifier(LogisticRegression(), n_jobs=2).fit(X, y).score(X, y))
search = GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1, 10]}, n_jobs=2).fit(X, y)
print(search.best_params_, search.cv_results_["mean_test_score"])
for backend in ("loky", "threading", "multiprocessing"):
    with joblib.parallel_config(backend, n_jobs=2):
        print(backend, cross_val_score(LogisticRegression(max_iter=300), X, y))
fits = joblib.Parallel(2)(joblib.delayed(LogisticRegression(C=c, max_iter=300).fit)(X, y) for c in (0.1, 1))
print([np.round(model.coef_[0], 3).tolist() for model in fits])
