"""40: what the program has not imported is not imported by a fit."""

import sys

from sklearn.linear_model import LinearRegression

before = set(sys.modules)
LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
for name in ("matplotlib", "matplotlib.pyplot", "pandas", "PIL", "IPython", "polars", "tqdm", "mlflow", "dask"):
    print(name, name in sys.modules)
