"""43: os._exit leaves at once."""

import os

from sklearn.linear_model import LinearRegression

print(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_, flush=True)
os._exit(5)
