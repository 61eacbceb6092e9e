import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from fitbook.autolog.sklearn._importances import importances

X, y = load_iris(return_X_y=True, as_frame=True)
binary = (y == 2).astype(int)


def test_importances_of_a_forest_weightiest_first():
    model = RandomForestClassifier(10, random_state=0).fit(X, y)
    table = importances(model)
    assert table.kind == "feature_importances"
    assert sorted(table.columns["importance"], reverse=True) == table.columns["importance"]
    expected = dict(zip(X.columns, model.feature_importances_, strict=True))
    assert dict(zip(*table.columns.values(), strict=True)) == expected


def test_coefficients_are_ordered_by_magnitude():
    model = LinearRegression().fit(X, y)
    table = importances(model)
    assert (table.kind, list(table.columns)) == ("coefficients", ["feature", "coefficient"])
    assert sorted(table.columns["coefficient"], key=abs, reverse=True) == table.columns["coefficient"]


def test_one_column_for_each_class_or_output():
    table = importances(LogisticRegression(max_iter=1000).fit(X, y))
    assert list(table.columns) == ["feature", "coefficient_0", "coefficient_1", "coefficient_2"]
    table = importances(LinearRegression().fit(X, np.column_stack([y, y])))
    assert list(table.columns) == ["feature", "coefficient_0", "coefficient_1"]


def test_names_come_from_the_steps_before():
    pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1]}, cv=2).fit(X, binary)
    names = importances(search).columns["feature"]
    assert len(names) == 14
    assert "sepal length (cm) petal width (cm)" in names
    array = pipeline.fit(X.to_numpy(), binary)
    assert "a d" in importances(array, ["a", "b", "c", "d"]).columns["feature"]


def test_names_of_columns_and_words():
    frame = pd.DataFrame({"n": [1.0, 2, 3, 4], "k": list("abab")})
    columns = ColumnTransformer([("num", StandardScaler(), ["n"]), ("cat", OneHotEncoder(), ["k"])])
    table = importances(make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0, 1]))
    assert set(table.columns["feature"]) == {"num__n", "cat__k_a", "cat__k_b"}
    words = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good day", "bad day"], [1, 0])
    assert set(importances(words).columns["feature"]) == {"good", "bad", "day"}


def test_names_fall_back():
    assert importances(LinearRegression().fit(X.to_numpy(), y)).columns["feature"][0].startswith("x")
    given = importances(LinearRegression().fit(X.to_numpy(), y), list("abcd")).columns["feature"]
    assert sorted(given) == list("abcd")
    nameless = make_pipeline(FunctionTransformer(np.abs), LinearRegression()).fit(X.to_numpy(), y)
    assert sorted(importances(nameless).columns["feature"]) == ["x0", "x1", "x2", "x3"]


def test_sparse_coefficients():
    model = SVC(kernel="linear").fit(pd.DataFrame(X).astype(pd.SparseDtype("float64", 0)).sparse.to_coo(), binary)
    assert len(importances(model)) == 4


class Own(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.coef_ = np.array([1.0, -2.0])
        return self

    @property
    def feature_importances_(self):
        raise AssertionError("called")


def test_of_the_users_classes_only_plain_attributes_are_read():
    table = importances(Own().fit(X, y))
    assert table.columns == {"feature": ["x1", "x0"], "coefficient": [-2.0, 1.0]}


@pytest.mark.parametrize("model", [KNeighborsClassifier(), SVC()], ids=lambda model: type(model).__name__)
def test_models_without(model):
    assert importances(model.fit(X, y)) is None
