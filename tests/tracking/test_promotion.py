"""Promotion: the alias moves to what is better, and to nothing else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.errors import InvalidValue, ModelError, NotFound

X, y = load_iris(return_X_y=True)
ON = (X[::2], y[::2])


def register(model: Any, name: str = "iris") -> int:
    with fitbook.start_run():
        version = fitbook.sklearn.log_model(model.fit(X, y), registered_model_name=name).registered_model_version
    assert version is not None
    return version


@pytest.fixture
def three() -> fitbook.Client:
    """Versions 1 to 3 of ``iris``: a stump, a tree, and one that always says the same."""
    register(DecisionTreeClassifier(max_depth=1))
    register(DecisionTreeClassifier(random_state=0))
    register(DummyClassifier())
    return fitbook.Client()


def holder(client: fitbook.Client, name: str = "iris", alias: str = "champion") -> int:
    return client.get_model_version_by_alias(name, alias).version


def test_the_better_on_the_same_rows_gets_the_alias(three: fitbook.Client) -> None:
    first = fitbook.promote("iris", 1, on=ON)
    assert (first.promoted, first.holder, first.reason) == (True, None, "no version had the alias")
    worse = fitbook.promote("iris", 3, on=ON, metric="accuracy")
    assert (worse.promoted, worse.holder, holder(three)) == (False, 1, 1)
    better = fitbook.promote("iris", 2, on=ON, metric="accuracy")
    assert (better.promoted, better.holder, holder(three)) == (True, 1, 2)
    figures = better.figures
    assert (figures["new"], figures["old"], figures["rows"]) == (1.0, pytest.approx(2 / 3, abs=0.02), 75)
    # The decisions are in the history, and with the versions.
    entries = three.get_model_history("iris")
    assert [(e.old, e.new) for e in entries] == [("1", "2"), ("1", "1"), (None, "1")]
    assert dict(entries[0].figures) == dict(figures)
    tag = json.loads(three.get_model_version("iris", 3).tags["fitbook.promotion"])
    assert (tag["promoted"], tag["holder"], tag["metric"]) == (False, 1, "accuracy")
    # A version that takes the alias over comes after the one that had it; the others after none.
    assert [three.get_model_lineage("iris", v).parent for v in (1, 2, 3)] == [None, "iris/1", None]
    # Which can be taken back.
    three.undo_model_move("iris", reason="second thoughts")
    assert holder(three) == 1


def test_a_parent_is_noted_once_and_is_older(three: fitbook.Client) -> None:
    three.set_model_version_tag("iris", 3, "fitbook.parent_version", "base/7")
    three.set_registered_model_alias("iris", "champion", 1)
    for version, alias in ((3, "champion"), (2, "champion"), (2, "best")):
        at = three.get_registered_model("iris").aliases.get(alias)
        figures = {"alias": alias, "version": version}
        settle = three._registry.settle_registered_model_alias
        assert settle("iris", alias, version, holder=at, wins=True, figures=figures)
    assert [three.get_model_lineage("iris", v).parent for v in (1, 2, 3)] == [None, None, "base/7"]


def test_who_has_the_alias_keeps_it_without_a_decision(three: fitbook.Client) -> None:
    fitbook.promote("iris", 2)
    again = fitbook.promote("iris", "2", on=ON)
    assert (again.promoted, again.reason) == (False, "it has the alias already")
    assert len(three.get_model_history("iris")) == 1


def test_as_good_is_not_better(three: fitbook.Client) -> None:
    twin = register(DecisionTreeClassifier(random_state=0))
    fitbook.promote("iris", 2)
    assert not fitbook.promote("iris", twin, on=ON).promoted


def test_a_margin(three: fitbook.Client) -> None:
    fitbook.promote("iris", 1)
    assert not fitbook.promote("iris", 2, on=ON, margin=0.4).promoted
    assert fitbook.promote("iris", 2, on=ON, margin=0.3).promoted


def test_a_metric_of_ones_own(three: fitbook.Client) -> None:
    def misses(model: Any, X: Any, y: Any) -> float:
        return -float(np.sum(model.predict(X) != y))

    fitbook.promote("iris", 1, "best")
    done = fitbook.promote("iris", 2, "best", on=ON, metric=misses)
    assert (done.promoted, done.figures["metric"], done.figures["new"]) == (True, "misses", 0.0)


@pytest.mark.parametrize("scores", [{2: float("nan")}, {1: float("nan"), 2: float("nan")}])
def test_no_number_never_wins(three: fitbook.Client, scores: dict[int, float]) -> None:
    fitbook.promote("iris", 1)
    depth = {1: 1, 2: 5}

    def odd(model: Any, X: Any, y: Any) -> float:
        return next(scores.get(v, 0.5) for v in depth if (model.get_depth() == 1) == (v == 1))

    assert not fitbook.promote("iris", 2, on=ON, metric=odd).promoted
    assert holder(three) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": X}, "pair"),
        ({"on": (X, y, y)}, "pair"),
        ({"metric": "acuracy", "on": ON}, "did you mean 'accuracy'"),
        ({"metric": "mean_squared_error", "on": ON}, "neg_mean_squared_error"),
        ({"metric": len}, "needs rows"),
        ({"metric": accuracy_score, "on": ON}, r"make_scorer\(accuracy_score\)"),
        ({"metric": lambda model: 1.0, "on": ON}, "can't be called with a model, X and y"),
        ({"metric": lambda model, X, y: None, "on": ON}, "gave None for version"),
        ({"metric": lambda model, X, y: "x", "on": ON}, "gave 'x' for version .* number"),
        ({"margin": -1.0, "on": ON}, "margin"),
        ({"margin": True, "on": ON}, "margin"),
        ({"significance": "high"}, "significance"),
        ({"alias": "v3"}, "reserved"),
        ({"alias": "a/b"}, "alias"),
        ({}, "comes from no recorded search"),
    ],
)
def test_what_can_not_be_decided_is_refused(three: fitbook.Client, options: dict[str, Any], said: str) -> None:
    fitbook.promote("iris", 1)
    with pytest.raises(InvalidValue, match=said):
        fitbook.promote("iris", 2, **options)
    assert holder(three) == 1
    assert len(three.get_model_history("iris")) == 1
    assert "fitbook.promotion" not in three.get_model_version("iris", 2).tags


def test_what_does_not_exist(three: fitbook.Client) -> None:
    for name, version in (("iris", 9), ("tulips", 1)):
        with pytest.raises(NotFound):
            fitbook.promote(name, version)


def test_a_holder_that_can_not_be_loaded_stays(three: fitbook.Client) -> None:
    three.create_model_version("iris", "runs:/" + "0" * 32 + "/gone")
    three.set_registered_model_alias("iris", "champion", 4)
    with pytest.raises((ModelError, NotFound)):
        fitbook.promote("iris", 2, on=ON)
    assert holder(three) == 4


def test_when_the_alias_moves_meanwhile_the_new_holder_is_compared(three: fitbook.Client) -> None:
    fitbook.promote("iris", 3)
    calls: list[int] = []

    def slow(model: Any, X: Any, y: Any) -> float:
        calls.append(1)
        if len(calls) == 2:  # both have been loaded: somebody else is faster
            three.set_registered_model_alias("iris", "champion", 2)
        return float(model.score(X, y))

    done = fitbook.promote("iris", 1, on=ON, metric=slow)
    assert (done.promoted, done.holder, holder(three)) == (False, 2, 2)
    assert len(calls) == 3


def test_a_holder_that_is_deleted_meanwhile(three: fitbook.Client) -> None:
    fitbook.promote("iris", 3)

    def deleting(model: Any, X: Any, y: Any) -> float:
        if isinstance(model, DecisionTreeClassifier):
            three.delete_model_version("iris", 3)
        return float(model.score(X, y))

    done = fitbook.promote("iris", 1, on=ON, metric=deleting)
    assert (done.promoted, done.holder, holder(three)) == (True, None, 1)


def test_of_two_at_once_the_better_ends_up_with_the_alias(three: fitbook.Client) -> None:
    for order in ((1, 2, 3), (3, 2, 1), (2, 1, 3)):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda version: fitbook.promote("iris", version, on=ON), order))
        assert holder(three) == 2
        three.delete_registered_model_alias("iris", "champion")


# -- searches ----------------------------------------------------------------------------------------------------------


def search(model: Any, cv: Any = 5, **grid: Any) -> None:
    GridSearchCV(model, grid or {"random_state": [0, 1]}, cv=cv).fit(X, y)


@pytest.fixture
def promoting() -> fitbook.Client:
    fitbook.autolog(registered_model_name="iris", promote="champion", log_plots=False)
    return fitbook.Client()


def test_searches_over_the_same_folds_compete(promoting: fitbook.Client) -> None:
    search(DecisionTreeClassifier(max_depth=1))
    search(DummyClassifier())
    assert holder(promoting) == 1
    search(DecisionTreeClassifier(max_depth=3))
    assert holder(promoting) == 3
    worse, better = (json.loads(promoting.get_model_version("iris", v).tags["fitbook.promotion"]) for v in (2, 3))
    assert (worse["promoted"], worse["by"], worse["folds"]) == (False, "folds", 5)
    assert worse["p"] > 0.9
    assert (better["promoted"], better["holder"], better["metric"]) == (True, 1, "score")
    assert better["p"] < 0.05
    assert better["difference"] == pytest.approx(better["new"] - better["old"])
    # What was registered is what the search has found, not the search.
    found = fitbook.sklearn.load_model("models:/iris@champion")
    assert type(found) is DecisionTreeClassifier


def test_a_stricter_test_or_a_margin_can_be_asked(promoting: fitbook.Client) -> None:
    search(DecisionTreeClassifier(max_depth=1))
    search(DecisionTreeClassifier(max_depth=3))
    assert holder(promoting) == 2
    promoting.set_registered_model_alias("iris", "champion", 1)
    assert not fitbook.promote("iris", 2, margin=0.5).promoted
    assert not fitbook.promote("iris", 2, significance=0.0).promoted
    with pytest.raises(InvalidValue, match="by 'f1'"):
        fitbook.promote("iris", 2, metric="f1")
    assert fitbook.promote("iris", 2).promoted


@pytest.mark.filterwarnings("ignore:fitbook. the alias 'champion' stays where it is")
@pytest.mark.parametrize("cv", [4, KFold(5, shuffle=True, random_state=0)])
def test_other_folds_are_not_compared_and_that_is_noted(promoting: fitbook.Client, cv: Any) -> None:
    search(DecisionTreeClassifier(max_depth=1))
    search(DecisionTreeClassifier(max_depth=3), cv=cv)
    assert holder(promoting) == 1
    [last, _] = promoting.get_model_history("iris")
    assert (last.old, last.new) == ("1", "1")
    assert "not compared: Version 2 and version 1 of 'iris' were not scored in the same way" in last.reason
    with pytest.raises(InvalidValue, match="not scored in the same way on the same folds"):
        fitbook.promote("iris", 2)
    assert fitbook.promote("iris", 2, on=(X, y)).promoted


def test_a_plain_fit_gets_the_alias_first_and_then_is_not_compared(promoting: fitbook.Client) -> None:
    DecisionTreeClassifier(max_depth=1).fit(X, y)
    fitbook.flush()
    assert holder(promoting) == 1
    DecisionTreeClassifier().fit(X, y)
    with pytest.warns(fitbook.FitbookWarning, match=r"stays where it is: not compared.*on=\(X, y\)") as warned:
        fitbook.flush()
    assert "fitbook" in warned[0].filename  # and not threading.py
    assert (holder(promoting), len(promoting.get_model_history("iris"))) == (1, 2)


def test_transformers_never_register(promoting: fitbook.Client) -> None:
    scaled = StandardScaler().fit_transform(X)
    PCA(2).fit(scaled)
    make_pipeline(StandardScaler(), PCA(2)).fit(X)
    GridSearchCV(PCA(), {"n_components": [1, 2]}, cv=3).fit(X)
    assert fitbook.search_registered_models() == []
    make_pipeline(StandardScaler(), DecisionTreeClassifier()).fit(X, y)
    assert [v.version for v in fitbook.search_model_versions()] == [1]


def test_only_classes_that_are_named_register() -> None:
    fitbook.autolog(registered_model_name="iris", promote="best", include="DecisionTreeClassifier", log_plots=False)
    DummyClassifier().fit(X, y)
    DecisionTreeClassifier().fit(X, y)
    [version] = fitbook.search_model_versions()
    assert fitbook.get_run(version.run_id).data.tags["estimator_name"] == "DecisionTreeClassifier"
    assert version.aliases == ("best",)


@pytest.mark.parametrize(
    "options",
    [
        {"promote": "champion"},
        {"promote": "v1", "registered_model_name": "m"},
        {"promote": "", "registered_model_name": "m"},
        {"promote": 3, "registered_model_name": "m"},
        {"registered_model_name": "a%b"},
        {"registered_model_name": "a\\b"},
    ],
)
def test_options_that_can_not_be(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        fitbook.autolog(**options)


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_REGISTERED_MODEL_NAME", "iris")
    monkeypatch.setenv("FITBOOK_AUTOLOG_PROMOTE", "best")
    fitbook.autolog(log_plots=False)
    DummyClassifier().fit(X, y)
    assert fitbook.Client().get_model_version_by_alias("iris", "best").version == 1
