"""8: methods are functions, equal to themselves; mixins can compare them; available_if still decides."""

from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import all_estimators


class Derived(LogisticRegression):
    pass


print(Derived.fit is LogisticRegression.fit, Derived.predict is LogisticRegression.predict)
print(type(LogisticRegression.fit), type(LogisticRegression().fit), Derived.__mro__[1:4])
print(
    hasattr(SVC(), "predict_proba"),
    hasattr(SGDClassifier(), "predict_proba"),
    hasattr(SGDClassifier(loss="log_loss"), "predict_proba"),
)
print(hasattr(make_pipeline(Ridge()), "predict_proba"), hasattr(GridSearchCV(Ridge(), {}), "predict_proba"))
for name, cls in all_estimators():
    print(
        name, issubclass(cls, ClassifierMixin), issubclass(cls, BaseEstimator), cls.__class__.__name__, len(cls.__mro__)
    )
print(is_classifier(Derived()), is_regressor(Ridge()))
