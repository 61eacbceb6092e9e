"""52: no row of the data is anywhere in the program's folder."""

import os

import numpy as np
from sklearn.linear_model import LinearRegression

secret = 123456.789012345
X = np.random.default_rng(0).random((30, 2))
X[3, 1] = secret
print(LinearRegression().fit(X, X.sum(1)).coef_.round(6))
print(sorted(os.listdir(".")))
