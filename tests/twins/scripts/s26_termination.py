"""23: SIGTERM ends the program as it always does."""

import os
import signal

from sklearn.linear_model import LinearRegression

print(LinearRegression().fit([[0], [1]], [0, 1]).coef_, signal.getsignal(signal.SIGTERM), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
