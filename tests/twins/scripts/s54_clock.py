"""48: a clock that goes backwards."""

import time

from sklearn.linear_model import LinearRegression

real, real_ns = time.time, time.time_ns
time.time, time.time_ns = (lambda: 1.0), (lambda: 10**9)
print(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]).coef_)
time.time, time.time_ns = (lambda: -1.0), (lambda: -(10**9))
print(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]).coef_)
time.time, time.time_ns = real, real_ns
