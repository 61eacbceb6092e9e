"""36: thirty-two threads fit at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
barrier = threading.Barrier(32)


def fit(number):
    barrier.wait()
    return DecisionTreeClassifier(max_depth=number % 5 + 1, random_state=number).fit(X, y).get_depth()


with ThreadPoolExecutor(32) as pool:
    print(list(pool.map(fit, range(32))))
