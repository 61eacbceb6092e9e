"""19: what scikit-learn prints itself."""

from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

X, y = load_iris(return_X_y=True)
GridSearchCV(SGDClassifier(random_state=0), {"alpha": [0.1, 1]}, cv=2, verbose=1).fit(X, y)
MLPClassifier((3,), verbose=True, max_iter=2, random_state=0).set_params(tol=10, n_iter_no_change=1).fit(X, y)
Pipeline([("model", GradientBoostingClassifier(n_estimators=2))], verbose=False).fit(X, y)
