"""15: random numbers go on as they would."""

import random

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import RandomizedSearchCV, cross_val_score

X, y = load_iris(return_X_y=True)
random.seed(1)
np.random.seed(1)
shared = np.random.RandomState(3)
KMeans(3, n_init=1).fit(X)
forest = RandomForestClassifier(5, random_state=shared).fit(X, y)
print(random.random(), np.random.rand(), shared.rand())
RandomizedSearchCV(RandomForestClassifier(3, random_state=shared), {"max_depth": [1, 2, 3]}, n_iter=2).fit(X, y)
print(random.random(), np.random.rand(), shared.rand())
cross_val_score(RandomForestClassifier(3), X, y)
permutation_importance(forest, X, y, n_repeats=2, random_state=shared)
print(random.random(), np.random.rand(), shared.rand())
generator = np.random.default_rng(5)
print(forest.predict(X[generator.permutation(150)[:10]]), generator.random())
