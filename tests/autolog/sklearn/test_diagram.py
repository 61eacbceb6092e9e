import ast
import pickle

import sklearn
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitbook.autolog.sklearn import _diagram
from fitbook.autolog.sklearn._diagram import html, outline
from fitbook.autolog.sklearn._params import MASK


class WithoutConstructor(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


class Secretive(BaseEstimator):
    def __init__(self, password=None, others=None):
        self.password, self.others = password, others

    def fit(self, X, y=None):
        return self

    @property
    def learnt_(self):
        raise AssertionError("called")


def test_a_page_with_the_diagram():
    page = html(make_pipeline(StandardScaler(), LogisticRegression(C=0.25)))
    assert page.startswith("<!DOCTYPE html>")
    assert '<meta charset="UTF-8"/>' in page
    assert "StandardScaler" in page
    assert "0.25" in page


def test_the_diagram_of_a_fitted_forest_evaluates_nothing(monkeypatch):
    model = RandomForestClassifier(3).fit([[0], [1]], [0, 1])
    before = pickle.dumps(model)
    monkeypatch.setattr(RandomForestClassifier, "feature_importances_", property(lambda self: 1 / 0))
    assert "n_estimators" in html(model)
    assert pickle.dumps(model) == before
    assert html(Secretive().fit([[0]])).count("can&#x27;t be drawn") == 0


def test_an_outline_is_unfitted_and_apart():
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit([[0], [1]], [0, 1])
    hollow = outline(model)
    assert not hasattr(hollow[-1], "coef_")
    assert hollow.get_params()["logisticregression__C"] == 0.5
    model.set_params(logisticregression__C=2.0)
    assert hollow[-1].C == 0.5


def test_secrets_are_struck_out():
    page = html(Secretive("hunter<2>"))
    assert "hunter" not in page
    assert MASK in page


def test_what_cannot_be_drawn_is_a_page_still(monkeypatch):
    def fails(estimator):
        raise RuntimeError

    monkeypatch.setattr("sklearn.utils.estimator_html_repr", fails)
    page = html(Secretive())
    assert "Secretive can't be drawn: RuntimeError" in page


def test_drawing_parses_no_code(monkeypatch):
    # In Python 3.11 that makes an ast.parse which another thread is in the middle of fail with a SystemError.
    parsed, parse = [], ast.parse
    monkeypatch.setattr("ast.parse", lambda *args, **kwargs: parsed.append(args) or parse(*args, **kwargs))
    page = html(make_pipeline(WithoutConstructor(), LogisticRegression()))
    assert "WithoutConstructor" in page
    assert "can&#x27;t be drawn" not in page
    assert parsed == []


def test_estimators_that_refer_to_each_other_are_each_outlined_once():
    family = [Secretive() for _ in range(18)]
    for one in family:
        one.others = family
    hollow = outline(family[0])
    assert {id(one) for one in hollow.others} == {id(one) for one in hollow.others[1].others}
    assert hollow.others[0] is hollow


def test_a_diagram_is_drawn_once_for_all_that_look_the_same(monkeypatch):
    drawn = []
    real = sklearn.utils.estimator_html_repr
    monkeypatch.setattr("sklearn.utils.estimator_html_repr", lambda one: drawn.append(one) or real(one))
    monkeypatch.setattr(_diagram, "_pages", {})

    def draw(*estimators):
        return [html(one) for one in estimators]

    def pipeline(**params):
        return make_pipeline(StandardScaler(), LogisticRegression(**params))

    pages = draw(
        pipeline(C=0.5), pipeline(C=0.5).fit([[0], [1]], [0, 1]), pipeline(C=0.25), pipeline(C=1), pipeline(C=True)
    )
    assert len(drawn) == 4
    assert pages[0] == pages[1] != pages[2]
    draw(Secretive(), Secretive())  # whose class is the user's
    assert len(drawn) == 6
    draw(*(pipeline(C=1 + i) for i in range(_diagram._MAX_PAGES)))
    assert len(_diagram._pages) <= _diagram._MAX_PAGES


def test_estimators_of_a_library_that_refer_to_each_other_are_drawn():
    family = [StandardScaler() for _ in range(18)]
    for one in family:
        one.others = family
    assert "StandardScaler" in html(family[0])


def test_a_class_with_looks_of_its_own_is_only_named():
    asked = []

    class Asked(BaseEstimator):
        def fit(self, X, y=None):
            return self

        def __getattr__(self, name):
            asked.append(name)
            raise AttributeError(name)

    class Shown(BaseEstimator):
        def fit(self, X, y=None):
            return self

        def __repr__(self):
            asked.append("repr")
            return "shown"

    for estimator in (Asked(), make_pipeline(StandardScaler(), Shown())):
        page = html(outline(estimator))
        assert type(estimator).__name__ in page
    assert asked == []
