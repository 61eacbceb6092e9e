"""50: the program's own callbacks, where scikit-learn has them."""

import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

try:
    from sklearn.callback import ScoringMonitor
except ImportError:
    print("no callbacks")
search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2)
print(hasattr(search, "_skl_callbacks"))
search.fit([[0], [1], [2], [3]] * 3, [0, 0, 1, 1] * 3)
print(hasattr(search, "_skl_callbacks"), hasattr(search.best_estimator_, "_skl_callbacks"), sklearn.__version__)
