"""44: thousands of inner fits."""

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

rng = np.random.default_rng(0)
X, y = rng.random((60, 3)), rng.integers(0, 2, 60)
print(BaggingRegressor(LinearRegression(), 500, random_state=0).fit(X, y).predict(X[:3]).round(4))
print(AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=100, random_state=0).fit(X, y).score(X, y))
