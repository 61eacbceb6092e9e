"""23: an interrupt that nobody catches: traceback and exit code."""

import os
import signal

from sklearn.base import BaseEstimator


class Interrupted(BaseEstimator):
    def fit(self, X, y=None):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**9):
            pass


print("before", flush=True)
Interrupted().fit([[1]])
