"""49: no sys.argv, no __file__."""

import sys

from sklearn.linear_model import LinearRegression

del __file__
del sys.argv
print(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_)
sys.argv = [""]
print(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_)
exec(
    compile(
        "from sklearn.tree import DecisionTreeRegressor as T\nprint(T().fit([[0],[1]],[0,1]).get_depth())",
        "<string>",
        "exec",
    ),
    {},
)
