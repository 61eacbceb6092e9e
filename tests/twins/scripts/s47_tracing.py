"""42: a trace function sees the lines of the program that it would see."""

import sys

from sklearn.base import BaseEstimator

lines = []


def trace(frame, event, argument):
    if frame.f_code.co_filename == __file__:
        lines.append((event, frame.f_lineno))
    return trace


class Mine(BaseEstimator):
    def fit(self, X, y=None):
        total = 0
        for row in X:
            total += row[0]
        self.total_ = total
        return self


sys.settrace(trace)
Mine().fit([[1], [2]])
sys.settrace(None)
print(lines)
