"""16: numpy's error state, print options, pandas' options, locale, decimal context."""

import decimal
import locale

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

X, y = load_iris(return_X_y=True)
np.seterr(divide="ignore", over="raise")
np.set_printoptions(precision=3)
pd.set_option("display.precision", 2)
decimal.getcontext().prec = 9
GaussianNB().fit(X, y).predict_proba(X)
model = LinearRegression().fit(X, y)
print(
    np.geterr(),
    model.coef_,
    pd.DataFrame(X[:2]),
    decimal.Decimal(1) / 3,
    locale.getlocale()[0] == locale.getlocale()[0],
)
with np.errstate(all="raise"):
    LinearRegression().fit(X, y)
    print(np.geterr())
