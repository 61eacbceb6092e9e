"""19: what scikit-learn prints itself."""

from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

X, y = load_iris(return_X_y=True)
GridSearchCV(SGDClassifier(random_state=0), {"alpha": [0.1, 1]}, cv=2, verbose=1).fit(X, y)
SGDClassifier(verbose=1, max_iter=3, tol=None, random_state=0).fit(X, y).score(X, y)
Pipeline([("model", GradientBoostingClassifier(n_estimators=2))], verbose=False).fit(X, y)
