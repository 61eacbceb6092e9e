"""38: python -X dev, which tells of files that were not closed."""

# flags: -X dev -W ignore::DeprecationWarning
import gc

from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
model = DecisionTreeClassifier(random_state=0).fit(X, y)
print(accuracy_score(y, model.predict(X)), model.score(X, y))
del model
gc.collect()
