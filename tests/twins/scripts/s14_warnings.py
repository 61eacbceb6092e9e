"""14: the same warnings, as often, at the same lines."""

import warnings

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score
from sklearn.neural_network import MLPClassifier

X, y = load_iris(return_X_y=True)
before = list(warnings.filters)
LogisticRegression(max_iter=2).fit(X, y)
for _ in range(2):
    MLPClassifier((3,), max_iter=2, random_state=0).fit(X, y)
precision_score([0, 1, 2], [0, 0, 0], average="macro")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    LogisticRegression(max_iter=2).fit(X, y)
    np.log(np.zeros(1))
print([(w.category.__name__, str(w.message)[:60], w.lineno) for w in caught])
print(list(warnings.filters) == before, warnings.showwarning is warnings._showwarning_orig)
