"""38: python -OO, in which docstrings and assertions are gone."""

# flags: -OO
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

assert False, "no -OO"
print(LinearRegression().fit([[0], [1]], [0, 1]).coef_, LinearRegression.fit.__doc__)
print(GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}).fit(*load_iris(return_X_y=True)).best_params_)
