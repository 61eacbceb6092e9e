"""19: halving and randomized searches."""

import warnings

from scipy.stats import uniform
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import HalvingGridSearchCV, RandomizedSearchCV

X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    search = HalvingGridSearchCV(
        SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]}, cv=2, random_state=0
    ).fit(X, y)
    print(
        search.best_params_,
        search.n_resources_,
        search.cv_results_["iter"],
        search.cv_results_["mean_test_score"].round(6),
    )
    found = RandomizedSearchCV(
        SGDClassifier(), {"alpha": uniform(1e-4, 1e-2)}, n_iter=3, cv=2, random_state=0, refit=False
    )
    found.fit(X, y)
    print(found.cv_results_["params"], hasattr(found, "best_estimator_"))
