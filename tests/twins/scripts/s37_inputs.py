"""33: data of every kind."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia"):
    print(kind, LogisticRegression(max_iter=300).fit(sp.csr_matrix(X).asformat(kind), y).score(X, y) > 0.9)
frame = pd.DataFrame(X, columns=["a", "a b", "ü", 'q"'])
print(DecisionTreeClassifier(max_depth=2).fit(frame, pd.Series(y, name="target")).feature_names_in_)
nullable = pd.DataFrame(
    {"i": pd.array([1, 2, None] * 50, dtype="Int64"), "b": pd.array([True, False, None] * 50, dtype="boolean")}
)
print(DummyClassifier().fit(nullable, y).score(nullable, y))
print(DummyClassifier().fit(pd.DataFrame({"c": pd.Categorical(["x", None, "z"] * 50)}), y).n_outputs_)
double = pd.DataFrame(X[:, :2], columns=["same", "same"])
try:
    print(Ridge().fit(double, y).coef_.round(3))
except Exception as error:
    print(type(error).__name__)
print(Ridge().fit(X.tolist(), y.tolist()).coef_.round(3))
print(DummyClassifier().fit(["text", "more"], [0, 1]).predict(["text"]))
print(DummyClassifier().fit(np.array([["a"], ["b"]], dtype=object), ["yes", "no"]).classes_)
masked = np.ma.masked_array(X, X > 7)
print(LogisticRegression(max_iter=300).fit(masked, y).n_features_in_)
try:
    Ridge().fit(np.empty((0, 3)), [])
except ValueError as error:
    print(error)
multi = pd.MultiIndex.from_product([["p", "q"], [1, 2]])
try:
    print(Ridge().fit(pd.DataFrame(X, columns=multi), y).n_features_in_)
except Exception as error:
    print(type(error).__name__)
