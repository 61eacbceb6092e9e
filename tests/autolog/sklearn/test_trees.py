from __future__ import annotations

import pickle
from typing import Any

import pytest
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitbook.autolog.sklearn._trees import uncounted


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize(
    "around",
    [
        lambda knn: knn,
        lambda knn: make_pipeline(StandardScaler(), knn),
        lambda knn: BaggingClassifier(knn, 30),
        lambda knn: make_pipeline(VotingClassifier([("a", BaggingClassifier(knn, 2)), ("b", knn)])),
    ],
)
def test_neighbour_trees_are_left_as_the_fit_made_them(data: Any, around: Any, algorithm: str) -> None:
    model = around(KNeighborsClassifier(algorithm=algorithm)).fit(*data)
    before = pickle.dumps(model)
    with uncounted(model):
        predicted = model.predict(data[0])
        assert (pickle.dumps(model) == before) == (algorithm == "brute")
    assert pickle.dumps(model) == before
    assert (model.predict(data[0]) == predicted).all()


def test_estimators_that_refer_to_each_other_are_each_looked_into_once(data: Any) -> None:
    # scikit-learn's own test estimators keep a list of all their clones, in each of them.
    model = KNeighborsClassifier(algorithm="kd_tree").fit(*data)
    family = [KNeighborsClassifier() for _ in range(18)]
    for one in [*family, model]:
        one.registry = [*family, model]
    before = pickle.dumps(model._tree)
    with uncounted(make_pipeline(family[0])):  # 18 to the power of 12 steps, if each were looked into again
        model.predict(data[0])
    assert pickle.dumps(model._tree) == before
