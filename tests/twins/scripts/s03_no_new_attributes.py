"""3: a fitted estimator has the attributes that it had before, and joblib's hash of it is the same."""

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

X, y = load_wine(return_X_y=True)
tree = DecisionTreeClassifier(random_state=0).fit(X, y)
print(sorted(vars(tree)), joblib.hash(tree))
boosting = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, y)
print(sorted(vars(boosting)))
search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}).fit(X, y)
print(sorted(vars(search)), sorted(vars(search.best_estimator_)), joblib.hash(search.best_estimator_))
