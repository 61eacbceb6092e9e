"""30: the program itself patches a class, before and after."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
original = LogisticRegression.fit


def fit(self, X, y, sample_weight=None):
    print("patched fit")
    return original(self, X, y, sample_weight)


LogisticRegression.fit = fit
print(LogisticRegression(max_iter=300).fit(X, y).score(X, y) > 0.9)
LogisticRegression.fit = original
print(LogisticRegression(max_iter=300).fit(X, y).score(X, y) > 0.9)
tree = DecisionTreeClassifier(random_state=0)
tree.fit = lambda *args: print("instance's own fit")
tree.fit(X, y)
del tree.fit
print(tree.fit(X, y).get_depth())
