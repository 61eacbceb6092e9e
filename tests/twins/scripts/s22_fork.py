"""21: a forked child fits, and so does its parent."""

import os

from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
print(DecisionTreeClassifier(random_state=0).fit(X, y).get_depth(), flush=True)
child = os.fork()
if child == 0:
    print("child", DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y).get_depth(), flush=True)
    os._exit(3)
print("child's code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y).get_depth())
