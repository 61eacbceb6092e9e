"""27: estimators that fit others."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
tree = DecisionTreeClassifier(max_depth=2, random_state=0)
line = LogisticRegression(max_iter=300)
for model in (
    BaggingClassifier(tree, 20, random_state=0),
    StackingClassifier([("tree", tree), ("line", line)]),
    VotingClassifier([("tree", tree), ("line", line)]),
    OneVsOneClassifier(line),
    CalibratedClassifierCV(tree),
    RFECV(line),
    SelectFromModel(tree),
):
    model.fit(X, y)
    print(type(model).__name__, sorted(vars(model)), model.score(X, y) if hasattr(model, "score") else None)
Y = (X > X.mean(0))[:, :2].astype(int)
print(ClassifierChain(line).fit(X, Y).predict(X).sum(), MultiOutputClassifier(tree).fit(X, Y).predict(X).sum())
