"""7: signatures, documentation, names, source."""

import inspect

import sklearn.metrics
import sklearn.model_selection
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.utils import all_estimators

for name, cls in all_estimators():
    for method in ("fit", "fit_predict", "fit_transform", "predict", "predict_proba", "score", "partial_fit"):
        found = inspect.getattr_static(cls, method, None)
        if inspect.isfunction(found):
            print(
                name, method, inspect.signature(found), found.__qualname__, found.__module__, len(found.__doc__ or "")
            )
for place in (sklearn.metrics, sklearn.model_selection):
    for name in sorted(place.__all__):
        found = getattr(place, name, None)
        if inspect.isfunction(found):
            print(name, inspect.signature(found), found.__qualname__, found.__module__, found.__annotations__)
            print(inspect.getsourcefile(found)[-30:], len(inspect.getsource(found)))
for method in (LogisticRegression.fit, RandomForestClassifier.fit, SGDClassifier.partial_fit, BaseEstimator.get_params):
    real = inspect.unwrap(method)  # the file of a decorated function is its decorator's
    print(inspect.getsourcefile(real)[-30:], len(inspect.getsource(method)), real.__name__)
