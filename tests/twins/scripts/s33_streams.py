"""29: partial_fit, warm_start, and fitting again."""

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB

X, y = load_iris(return_X_y=True)
order = np.random.RandomState(0).permutation(150)
model = SGDClassifier(random_state=0)
for start in range(0, 150, 10):
    rows = order[start : start + 10]
    assert model.partial_fit(X[rows], y[rows], classes=[0, 1, 2]) is model
print(model.t_, model.coef_.sum().round(6), sorted(vars(model)))
bayes = GaussianNB()
for _ in range(2000):
    bayes.partial_fit(X[:50], y[order[:50]] * 0, classes=[0, 1])
print(bayes.class_count_)
print(MiniBatchKMeans(2, random_state=0, n_init=1).partial_fit(X).cluster_centers_.round(3))
forest = RandomForestClassifier(2, warm_start=True, random_state=0).fit(X, y)
for n in (4, 6):
    forest.set_params(n_estimators=n).fit(X, y)
print(len(forest.estimators_), forest.predict_proba(X).sum(0).round(6))
again = SGDClassifier(random_state=0).fit(X, y).fit(X, y)
print(again.coef_.sum().round(6))
