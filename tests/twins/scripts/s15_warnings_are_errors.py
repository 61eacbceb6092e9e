"""14: a program in which warnings are errors."""

import warnings

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

warnings.simplefilter("error")
X, y = load_iris(return_X_y=True)
try:
    LogisticRegression(max_iter=2).fit(X, y)
except Exception as error:
    print(type(error).__name__, str(error)[:50])
print(LogisticRegression(max_iter=500).fit(X, y).score(X, y) > 0.9)
print(GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}).fit(X, y).best_params_)
