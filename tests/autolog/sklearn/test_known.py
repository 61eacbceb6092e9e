import functools

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from fitbook.autolog.sklearn._known import unknown_part


class Own(LogisticRegression):
    pass


class OwnKernel(RBF):
    pass


class OwnFolds(KFold):
    pass


def own_function(X):
    return X


X = np.random.default_rng(0).normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(FunctionTransformer(np.exp), LogisticRegression()),
        make_pipeline(FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1)), LogisticRegression()),
        RandomForestClassifier(5, random_state=np.random.RandomState(0)),
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=OwnFolds(3), scoring=lambda e, X, y: 0.5),
        GaussianProcessRegressor(RBF() + WhiteKernel()),
        KNeighborsClassifier(),
        SVC(kernel="rbf"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_known_libraries_only(estimator):
    assert unknown_part(estimator) is None
    assert unknown_part(estimator.fit(X, y)) is None


@pytest.mark.parametrize(
    ("estimator", "part"),
    [
        (Own(), "Own"),
        (make_pipeline(StandardScaler(), Own()), "Own"),
        (make_pipeline(FunctionTransformer(own_function), LogisticRegression()), "own_function"),
        (make_pipeline(FunctionTransformer(functools.partial(own_function)), LogisticRegression()), "own_function"),
        (make_pipeline(FunctionTransformer(functools.lru_cache(own_function)), LogisticRegression()), "own_function"),
        (make_pipeline(FunctionTransformer(np.vectorize(own_function)), LogisticRegression()), "own_function"),
        (make_pipeline(FunctionTransformer(np.random.permutation), LogisticRegression()), "random state"),
        (SVC(kernel=lambda a, b: a @ b.T), "lambda"),
        (GaussianProcessRegressor(OwnKernel()), "OwnKernel"),
        (GaussianProcessRegressor(OwnKernel() + WhiteKernel()), "OwnKernel"),
        (VotingClassifier([("a", LogisticRegression()), ("b", Own())]), "Own"),
        (BaggingClassifier(Own(), n_estimators=2), "Own"),
        (ColumnTransformer([("a", StandardScaler(), own_function)]), "own_function"),
        (GridSearchCV(Own(), {"C": [1]}), "Own"),
        (DummyClassifier(strategy="stratified"), "random numbers"),
        (IterativeImputer(sample_posterior=True), "random numbers"),
        (KNeighborsClassifier(metric=own_function), "own_function"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_stranger_is_named(estimator, part):
    assert part in unknown_part(estimator)


def test_a_fitted_stranger_inside_is_found():
    assert unknown_part(BaggingClassifier(Own(), n_estimators=2).fit(X, y)) == "Own"
    assert unknown_part(GridSearchCV(Own(), {"C": [1, 2]}, cv=2).fit(X, y)) == "Own"


def test_a_method_replaced_on_the_instance_is_found():
    model = LogisticRegression().fit(X, y)
    model.predict = own_function
    assert unknown_part(model) == "own_function"


def test_draws_from_a_seed_are_harmless():
    assert unknown_part(DummyClassifier(strategy="stratified", random_state=0)) is None


def test_cycles_end():
    model = LogisticRegression()
    model.extra_ = [model]
    assert unknown_part(model) is None


def test_a_library_s_tests_are_programs_like_the_user_s():
    class InTests(LogisticRegression):
        __module__ = "sklearn.linear_model.tests.test_logistic"

    assert unknown_part(InTests()) == "test_a_library_s_tests_are_programs_like_the_user_s.<locals>.InTests"
    assert unknown_part(make_pipeline(FunctionTransformer(np.exp), InTests())) is not None


def test_scikit_learn_s_mock_draws_and_counts_as_a_test_s():
    from sklearn.utils._mocking import CheckingClassifier

    assert unknown_part(CheckingClassifier()) == "CheckingClassifier"
