"""6: names imported early are the same objects as those looked up late."""

from sklearn import metrics, model_selection
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, get_scorer
from sklearn.model_selection import cross_val_score, cross_validate

print(accuracy_score is metrics.accuracy_score, f1_score is metrics.f1_score)
print(cross_val_score is model_selection.cross_val_score, cross_validate is model_selection.cross_validate)
X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=300).fit(X, y)
print(get_scorer("f1_macro")(model, X, y), accuracy_score(y, model.predict(X)))
print(get_scorer("accuracy")._score_func is accuracy_score, get_scorer("accuracy"))
