"""24: exceptions keep type, arguments, cause, context, notes and length of their traceback."""

import traceback

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_validate


class Fails(BaseEstimator):
    def fit(self, X, y=None):
        try:
            {}["key"]
        except KeyError as error:
            failure = ValueError("first", 2)
            failure.add_note("a note")
            raise failure from error

    def predict(self, X):
        raise ExceptionGroup("several", [ValueError(1), TypeError(2)])


def show(call):
    try:
        call()
    except Exception as error:
        print(
            type(error).__name__,
            error.args,
            repr(error.__cause__),
            repr(error.__context__),
            getattr(error, "__notes__", None),
        )
        print(
            len(traceback.extract_tb(error.__traceback__)), [f.name for f in traceback.extract_tb(error.__traceback__)]
        )


show(lambda: Fails().fit([[1]]))
show(lambda: Fails().predict([[1]]))
show(lambda: LogisticRegression().predict([[1]]))
show(lambda: accuracy_score([1, 2], [1]))
show(lambda: cross_validate(LogisticRegression(), [[1], [2]], [1], cv=2))
show(lambda: (_ for _ in ()).throw(NotFittedError("own")))
