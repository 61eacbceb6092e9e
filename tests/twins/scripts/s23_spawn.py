"""22: processes that are spawned; no process that the program did not start."""

import concurrent.futures
import multiprocessing

from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier


def depth(most):
    return DecisionTreeClassifier(max_depth=most, random_state=0).fit(*load_iris(return_X_y=True)).get_depth()


if __name__ == "__main__":
    print(depth(2), multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(depth, [1, 2, 3])))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(depth, [1, 2]))
