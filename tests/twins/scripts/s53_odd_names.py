"""47: names in every script, and with every character."""

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error

frame = pd.DataFrame({"ä/b\\c": [0.0, 1, 2], "'; DROP TABLE runs; --": [1.0, 0, 5], "نص🙂": [3.0, 4, 9]})
Größe = [1.0, 2, 3]
model = LinearRegression().fit(frame, Größe)
print(model.feature_names_in_, round(mean_absolute_error(Größe, model.predict(frame)), 6))
Odd = type("Odd name\n;", (BaseEstimator,), {"fit": lambda self, X, y=None: self})
print(type(Odd().fit([[1]])).__name__.encode())
