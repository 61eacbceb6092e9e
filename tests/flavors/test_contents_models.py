"""Ensembles whose members are hidden from a look at them, or write where there is no room."""

from __future__ import annotations

import pickle
from collections import deque
from typing import Any

import numpy as np
import pytest
from imblearn.ensemble import BalancedRandomForestClassifier
from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads

X = np.random.RandomState(0).uniform(size=(60, 4))
Y, Z = (X[:, 0] > 0.5).astype(int), np.arange(60) % 3


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def refused(model: Any, match: str, **changes: Any) -> None:
    copy = pickle.loads(pickle.dumps(model))
    vars(copy).update(changes)
    for protocol in (4, 5):
        with pytest.raises(UntrustedModel, match=match):
            loads(pickle.dumps(copy, protocol=protocol), source="there")


FOREST = RandomForestClassifier(3, random_state=0).fit(X, Y)
BOOSTING = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(X, Y)
CLASSES = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, Z)
HISTOGRAM = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(X, Y)
CATEGORIES = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, categorical_features=[0]).fit(
    np.column_stack([np.arange(60) % 4, X[:, 1:]]), np.arange(60) % 4 % 2
)


def test_a_tree_is_filled() -> None:
    tree = DecisionTreeClassifier().fit(X, Y)
    refused(tree, "never filled", tree_=By(Tree, (4, np.array([2]), 1)))
    refused(tree, "a tree that is none", tree_=FOREST)
    refused(tree, "other features", n_features_in_=5)


@pytest.mark.parametrize("box", [tuple, deque, lambda parts: np.ma.array(parts, dtype=object), lambda parts: [parts]])
def test_members_are_in_no_other_container(box: Any) -> None:
    members = FOREST.estimators_
    refused(FOREST, "members of another kind|another container|made of what it does not", estimators_=box(members))
    held = [list(row) for row in BOOSTING.estimators_]
    refused(BOOSTING, "in no array|another container|made of what it does not", estimators_=box(held))
    stages = HISTOGRAM._predictors
    refused(HISTOGRAM, "members of another kind|another container|made of what it does", _predictors=box(stages))
    refused(HISTOGRAM, "members of another kind|another container|made of what it does", _predictors=[box(stages[0])])


def test_forests_of_every_library_are_looked_at() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = BalancedRandomForestClassifier(3, random_state=0).fit(X, Y)
    refused(balanced, "other features", n_features_in_=2)
    isolation = IsolationForest(n_estimators=3, max_features=2, random_state=0).fit(X)
    assert loads(pickle.dumps(isolation), source="here") is not None
    refused(isolation, "other features than its trees", _max_features=4)
    refused(isolation, "other features than trees", estimators_features_=())


def test_boosting_starts_from_as_many_outputs_as_it_has_trees() -> None:
    wide = np.array([[tree] * 5 for (tree,) in BOOSTING.estimators_], dtype=object)
    refused(BOOSTING, "another loss", estimators_=wide, n_trees_per_iteration_=5)
    three = CLASSES.init_
    two = DummyClassifier(strategy="prior").fit(X, Y)
    none = pickle.loads(pickle.dumps(BOOSTING.init_))
    vars(none).update(n_outputs_=0, constant_=np.zeros((1, 0)))
    refused(BOOSTING, "outputs are not known", init_=none)
    refused(BOOSTING, "outputs are not known", init_=SVR().fit(X, Y))
    refused(CLASSES, "other outputs", init_=two)
    refused(CLASSES, "outputs are not known", init_=vars_of(three, class_prior_=np.ones(1)))
    refused(CLASSES, "other outputs", init_=LogisticRegression().fit(X, Y))
    refused(CLASSES, "another loss", _loss=HalfBinomialLoss())
    refused(CLASSES, "not what its class is", _loss=vars_of(HalfMultinomialLoss(n_classes=3), is_multiclass=False))
    refused(CLASSES, "a link that is none", _loss=vars_of(HalfMultinomialLoss(n_classes=3), link=np.sum))
    refused(BOOSTING, "other features", estimators_=np.array([[vars_of(BOOSTING.estimators_[0, 0], n_features_in_=9)]]))


def vars_of(made: Any, **changes: Any) -> Any:
    copy = pickle.loads(pickle.dumps(made))
    vars(copy).update(changes)
    return copy


def test_boosting_that_starts_from_a_model_is_loaded() -> None:
    for start in ("zero", LogisticRegression(), RandomForestClassifier(3), DecisionTreeClassifier(), None):
        for y in (Y, Z):
            model = GradientBoostingClassifier(n_estimators=2, init=start).fit(X, y)
            loaded: Any = loads(pickle.dumps(model), source="here")
            np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    model = GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(X, Y)
    assert loads(pickle.dumps(model), source="here") is not None


def test_what_precedes_histogram_boosting_drops_no_column() -> None:
    refused(HISTOGRAM, "preceded by", _preprocessor=FunctionTransformer())
    before = CATEGORIES._preprocessor
    parts = before.transformers_
    assert loads(pickle.dumps(CATEGORIES), source="here") is not None
    for wrong, match in (
        (parts[:1], "another number"),
        ([(name, FunctionTransformer(np.sum), flags) for name, _, flags in parts], "function of its own"),
        ([(name, part, [0]) for name, part, _ in parts], "no array"),
        ([(name, LinearRegression(), flags) for name, _, flags in parts], "part that is none"),
    ):
        refused(CATEGORIES, match, _preprocessor=vars_of(before, transformers_=wrong))


def test_sets_of_categories_are_there() -> None:
    stages = CATEGORIES._predictors
    assert any(stage[0].nodes["is_categorical"].any() for stage in stages)

    def changed(**changes: Any) -> Any:
        return [[vars_of(tree, **changes) for tree in stage] for stage in stages]

    for name in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        for shape in ((0, 8), (9, 1), (9,)):
            refused(
                CATEGORIES, "categories that are not there", _predictors=changed(**{name: np.zeros(shape, np.uint32)})
            )
    flags = np.zeros(4, np.uint8)
    refused(CATEGORIES, "a number for a category", _bin_mapper=vars_of(CATEGORIES._bin_mapper, is_categorical_=flags))
    refused(CATEGORIES, "other bins", _bin_mapper=vars_of(CATEGORIES._bin_mapper, is_categorical_=np.ones(2, np.uint8)))
