"""Scores over folds, and whether they differ by more than chance."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_validate
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.entities import Run
from fitbook.tracking._backend import readable
from fitbook.tracking._folds import FOLDS_TAG, FoldScores, fold_scores, folds_text, paired_test

X, y = load_iris(return_X_y=True)


def test_the_test_is_that_of_nadeau_and_bengio() -> None:
    new, old = [0.9, 0.8, 0.85, 0.95, 0.9], [0.8, 0.82, 0.8, 0.9, 0.83]
    d = np.subtract(new, old)
    found = paired_test(new, old, ratio=0.25)
    t = d.mean() / math.sqrt((1 / 5 + 0.25) * d.var(ddof=1))
    assert (found.n, found.difference) == (5, pytest.approx(d.mean()))
    assert (found.t, found.p) == (pytest.approx(t), pytest.approx(stats.t.sf(t, 4)))
    # Without the overlap of the training sets it is the plain paired t-test.
    plain = stats.ttest_rel(new, old, alternative="greater")
    assert paired_test(new, old, ratio=0.0).p == pytest.approx(plain.pvalue)
    assert found.p > plain.pvalue
    assert found.two_sided == pytest.approx(2 * found.p)
    assert paired_test(old, new, 0.25).two_sided == pytest.approx(2 * found.p)


def test_a_margin_has_to_be_exceeded() -> None:
    new, old = [0.9, 0.8, 0.85, 0.95, 0.9], [0.8, 0.7, 0.76, 0.84, 0.8]
    assert paired_test(new, old, 0.25).p < 0.001
    assert paired_test(new, old, 0.25, margin=0.1).p == pytest.approx(0.5, abs=0.2)
    assert paired_test(new, old, 0.25, margin=0.2).p > 0.99


@pytest.mark.parametrize(
    ("new", "old", "p"),
    [
        ([0.9, 0.9], [0.9, 0.9], 1.0),
        ([0.3, 0.4], [0.1, 0.2], 0.0),  # the same difference but for rounding
        ([0.1, 0.2], [0.3, 0.4], 1.0),
        ([0.0, 0.0], [0.0, 0.0], 1.0),
    ],
)
def test_differences_without_variance(new: list[float], old: list[float], p: float) -> None:
    assert paired_test(new, old, 0.5).p == p


def test_what_is_not_a_number_decides_nothing() -> None:
    found = paired_test([0.9, math.nan], [0.1, 0.1], 0.5)
    assert math.isnan(found.p)
    assert math.isnan(found.two_sided)
    assert not found.p < 0.05


def test_chance_alone_is_seldom_believed() -> None:
    # Scores of resamplings that share most of their training rows: their noise is shared as well, which is what the plain
    # test does not know of.
    rng = np.random.default_rng(0)
    data = rng.normal(size=(400, 100))
    believed = {"plain": 0, "corrected": 0}
    for sample in data:
        tests = [sample[rng.permutation(100)[:20]].mean() for _ in range(15)]
        for name, ratio in (("plain", 0.0), ("corrected", 0.25)):
            believed[name] += paired_test(tests, [0.0] * 15, ratio).p < 0.05
    assert believed["plain"] > 60
    assert believed["corrected"] < 40


def folds_of_last(metric: str | None = None) -> FoldScores | None:
    backend = readable()
    return fold_scores(backend.store, last_run(), metric)


def last_run() -> Run:
    run = fitbook.last_active_run()
    assert run is not None
    return fitbook.get_run(run.info.run_id)


def test_a_search_tells_its_folds() -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=4).fit(X, y)
    found = folds_of_last()
    assert found is not None
    best = search.best_index_
    assert found.scores == tuple(search.cv_results_[f"split{n}_test_score"][best] for n in range(4))
    assert (found.metric, found.ratio) == ("score", pytest.approx(1 / 3, rel=0.05))
    told = json.loads(last_run().data.tags[FOLDS_TAG])
    assert set(told) == {"digest", "ratio", "scoring", "metric"}
    # The same folds of the same data, whatever is searched over; a candidate has them, too.
    other = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1]}, cv=4).fit(X, y)
    again = folds_of_last()
    assert again is not None
    assert again.same == found.same != ""
    children = fitbook.search_runs(filter_string="tags.`fitbook.candidate` = '0'", output_format="list")
    candidates = [fold_scores(readable().store, child) for child in children]
    assert {candidate.same for candidate in candidates if candidate} == {found.same}
    assert other.cv_results_["split0_test_score"][0] in {c.scores[0] for c in candidates if c}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=3),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=KFold(4, shuffle=True, random_state=1)),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=4, scoring="f1_macro"),
    ],
)
def test_other_folds_or_scores_are_not_the_same(search: GridSearchCV) -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=4).fit(X, y)
    first = folds_of_last()
    search.fit(X, y)
    second = folds_of_last()
    assert first is not None
    assert second is not None
    assert "" != first.same != second.same != ""


def test_other_data_are_not_the_same() -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    found = []
    for data in (X, X + 1e-9):
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=3).fit(data, y)
        found.append(folds_of_last())
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].same != found[1].same


def test_several_scores_and_other_splitters() -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    cv = ShuffleSplit(3, train_size=0.5, test_size=0.1, random_state=0)
    scoring = ["accuracy", "f1_macro"]
    GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, cv=cv, scoring=scoring, refit="f1_macro").fit(X, y)
    found, accuracy = folds_of_last(), folds_of_last("accuracy")
    assert found is not None
    assert accuracy is not None
    assert (found.metric, accuracy.metric, found.ratio) == ("f1_macro", "accuracy", pytest.approx(0.2))
    assert found.same != accuracy.same
    assert folds_of_last("recall") is None


def test_a_cross_validation_has_folds() -> None:
    fitbook.autolog(log_plots=False)
    found = []
    for cv in (None, 5, KFold(5, shuffle=True)):
        scores = cross_validate(LogisticRegression(max_iter=500), X, y, cv=cv)
        found.append(folds_of_last())
        assert found[-1] is not None
        assert found[-1].scores == pytest.approx(tuple(scores["test_score"]))
    assert found[2] is not None
    assert found[2].same == ""  # nobody knows how it was shuffled


def test_a_run_without_folds_has_none() -> None:
    with fitbook.start_run():
        fitbook.log_metric("accuracy", 1.0)
    assert folds_of_last() is None


@pytest.mark.parametrize("tag", ["", "[]", "{", '{"digest": "x", "ratio": "y"}', '{"digest": "x", "ratio": -1}'])
def test_a_strange_tag_is_no_harm(tag: str) -> None:
    mine, childs = {FOLDS_TAG: tag, "fitbook.best_candidate": "0"}, {"fitbook.candidate": "0"}
    with fitbook.start_run(tags=mine) as parent, fitbook.start_run(nested=True, tags=childs):
        fitbook.log_metrics({"split0_test_score": 0.5, "split1_test_score": 0.75})
    found = fold_scores(readable().store, fitbook.get_run(parent.info.run_id))
    assert found is not None
    assert (found.scores, found.ratio) == ((0.5, 0.75), 1.0)


def test_the_order_of_folds_and_their_rows_count() -> None:
    a, b = ("a", 0.5), ("b", 0.5)
    texts = {folds_text("d", {0: a, 1: b}, "None", "score"), folds_text("d", {1: b, 0: a}, "None", "score")}
    assert len(texts) == 1
    assert folds_text("d", {0: b, 1: a}, "None", "score") not in texts
    assert folds_text("e", {0: a, 1: b}, "None", "score") not in texts
