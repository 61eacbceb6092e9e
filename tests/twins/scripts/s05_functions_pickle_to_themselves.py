"""5: functions, classes and methods of scikit-learn pickle to themselves."""

import pickle

import sklearn.metrics
import sklearn.model_selection
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv
from sklearn.linear_model import LogisticRegression

for place in (sklearn.metrics, sklearn.model_selection):
    for name in place.__all__:
        thing = getattr(place, name, None)
        if callable(thing):
            assert pickle.loads(pickle.dumps(thing)) is thing, name
for cls in (LogisticRegression, RandomForestClassifier):
    assert pickle.loads(pickle.dumps(cls.fit)) is cls.fit
    bound = pickle.loads(pickle.dumps(cls().predict))
    print(type(bound).__name__, bound.__func__ is cls.predict)
