from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fitbook.autolog._config import EVERYTHING, Selection
from fitbook.autolog.sklearn import _findings, _rows
from fitbook.autolog.sklearn._findings import NAMES, Finding, findings, overfit

ALL = set(NAMES) - {"train_rows_in_held_out"}
CLASSIFIER = DecisionTreeClassifier()  # of the data's findings only its kind matters


def look(estimator: Any, X: Any, y: Any, wanted: Selection = EVERYTHING, **metrics: float) -> dict[str, Finding]:
    notes: list[str] = []
    found = {one.name: one for one in findings(estimator, X, y, metrics, wanted, notes)}
    assert notes == []
    assert found.keys() <= ALL
    return found


@pytest.fixture
def X() -> Any:
    return np.random.default_rng(0).normal(size=(300, 8))


@pytest.fixture
def y(X: Any) -> Any:
    return (X[:, 0] + X[:, 1] > 0).astype(int)


# -- no false alarms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_wine, load_diabetes, load_digits])
@pytest.mark.parametrize("as_frame", [False, True])
def test_well_known_data_has_no_findings_but_true_ones(load: Any, as_frame: bool) -> None:
    X, y = load(return_X_y=True, as_frame=as_frame)
    if load is load_diabetes:
        models: list[Any] = [Ridge().fit(X, y)]
    else:
        scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        models = [RandomForestClassifier(10).fit(X, y), scaled.fit(X, y)]
    for model in models:
        score = model.score(X, y)
        found = look(model, X, y, training_score=score, best_cv_score=score - 0.1)
        assert list(found) == (["constant_columns"] if load is load_digits else [])
    if load is load_digits:
        names = ["'pixel_0_0'", "'pixel_4_0'", "'pixel_4_7'"] if as_frame else ["column 0", "column 32", "column 39"]
        assert found["constant_columns"].details["columns"] == names


def test_rare_flags_codes_and_gaps_are_not_constant_nor_equal() -> None:
    n = 5_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "flag": (np.arange(n) == 4321).astype(float),
            "other_flag": (np.arange(n) == 4322).astype(float),
            "gaps": np.where(np.arange(n) == 17, 3.0, np.nan),
            "near": np.where(np.arange(n) == 4999, 0.0, 1.0),
            "x": rng.normal(size=n),
        }
    )
    frame["almost_x"] = frame["x"] + (frame.index == 4998)
    y = rng.integers(0, 2, n)
    frame["almost_y"] = np.where(frame.index == 4997, 1 - y, y)
    assert look(CLASSIFIER, frame, y) == {}
    assert look(Ridge(), frame, y + 0.5) == {}


# -- columns -------------------------------------------------------------------------------------------------------------


def as_frame(X: Any) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])


def as_mixed(X: Any) -> pd.DataFrame:
    frame = as_frame(X)
    frame["text"] = np.where(X[:, 0] > 1, "big", "small")
    frame["kind"] = pd.Categorical(np.where(X[:, 1] > 1, "big", "small"))
    frame["when"] = pd.date_range("2026-01-01", periods=len(X))
    frame["count"] = pd.array(np.where(X[:, 6] > 0, 3, None), dtype="Int64")
    return frame


CONTAINERS = [np.asarray, np.asfortranarray, lambda X: X.astype(np.float32), as_frame, as_mixed, lambda X: X.tolist()]


@pytest.mark.parametrize("container", CONTAINERS)
def test_columns_that_are_constant_double_or_the_target(container: Any, X: Any, y: Any) -> None:
    X[:, 2], X[:, 3], X[:, 4], X[:, 5] = 7.0, np.nan, X[:, 1], 3.0 - 2.0 * y
    found = look(CLASSIFIER, container(X), y)
    assert set(found) == {"constant_columns", "duplicated_columns", "target_in_features"}
    columns = {name: one.details["columns"] for name, one in found.items()}
    name = (lambda i: f"'c{i}'") if container in (as_frame, as_mixed) else (lambda i: f"column {i}")
    assert columns["constant_columns"] == [name(2), name(3)]
    assert columns["duplicated_columns"] == [name(4)]
    assert columns["target_in_features"] == [name(5)]
    assert found["constant_columns"].text == f"2 columns have the same value in every row: {name(2)}, {name(3)}."
    assert f"the target exactly: {name(5)}. Is it known" in found["target_in_features"].text


def test_labels_of_any_kind_are_found_among_texts_and_codes(X: Any, y: Any) -> None:
    frame = as_frame(X)
    frame["label"] = np.array(["no", "yes"])[y]
    frame["code"] = pd.Categorical(np.array(["a", "b"])[y])
    for target in (y, y.astype(bool), np.array(["no", "yes"])[y], pd.Series(np.array(["x", "y"])[y], dtype=object)):
        found = look(CLASSIFIER, frame, target)
        assert found["target_in_features"].details["columns"] == ["'label'", "'code'"]


def test_a_target_of_several_classes_and_a_number(X: Any) -> None:
    y = np.arange(300) % 3
    X[:, 6] = np.array([5.0, 2.0, 9.0])[y]
    X[:, 7] = y == 1  # tells one class of three only
    assert look(CLASSIFIER, X, y)["target_in_features"].details["columns"] == ["column 6"]
    target = 4.0 - 0.5 * X[:, 2]
    assert look(Ridge(), X, target)["target_in_features"].details["columns"] == ["column 2"]
    assert look(Ridge(), X, target + 1e-3 * X[:, 3]) == {}
    assert look(KMeans(), X, target) == {}


def test_what_holds_for_a_sample_says_so() -> None:
    X = np.random.default_rng(0).normal(size=(100_000, 3))
    X[:, 1] = 2.0
    text = look(CLASSIFIER, X, None)["constant_columns"].text
    assert (
        text
        == "One column has the same value in every row: column 1 (in the 20,000 of 100,000 rows that were looked at)."
    )


def test_many_columns_are_named_up_to_ten(X: Any) -> None:
    found = look(CLASSIFIER, np.hstack([X, np.ones((300, 30))]), None)["constant_columns"]
    assert found.text.endswith("column 16, column 17 and 20 more.")
    assert len(found.details["columns"]) == 30


class Strange:
    """Comparing, hashing or showing it would run code of the user's."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise AssertionError

    def __float__(self) -> float:
        raise AssertionError


def test_what_can_t_be_read_is_left_alone(X: Any, y: Any) -> None:
    strange = pd.DataFrame({"a": [Strange() for _ in range(30)], "x": np.arange(30.0)})
    labels = np.array([0, 1] * 15)
    assert look(CLASSIFIER, strange, labels) == {}
    assert look(CLASSIFIER, np.array([Strange() for _ in range(30)]).reshape(-1, 1), [Strange()] * 30) == {}
    for data in (
        scipy.sparse.csr_matrix((300, 3)),
        ["same text"] * 300,
        [{"a": 1}] * 300,
        None,
        iter([]),
        X[:, :, None],
    ):
        assert look(CLASSIFIER, data, y) == {}
    assert look(CLASSIFIER, np.ones((19, 3)), y[:19]) == {}  # too few rows to say anything
    assert look(CLASSIFIER, X, np.column_stack([y, y])) == {}


def test_a_part_that_fails_is_a_note_and_keeps_no_other_from_being_there(
    monkeypatch: pytest.MonkeyPatch, X: Any
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(_findings, "_duplicated_columns", broken)
    notes: list[str] = []
    X[:, 2] = 1
    found = findings(CLASSIFIER, X, None, {}, EVERYTHING, notes)
    assert [one.name for one in found] == ["constant_columns"]
    assert notes == ["finding duplicated_columns: RuntimeError: a bug"]


# -- target and result ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, pd.Series, list, lambda y: np.array(["no", "rare"])[y]])
def test_extreme_imbalance(X: Any, container: Any) -> None:
    y = np.zeros(300, dtype=int)
    y[7] = y[8] = 1
    found = look(CLASSIFIER, X, container(y))
    assert list(found) == ["class_imbalance"]
    assert "has 2 of 300 rows" in found["class_imbalance"].text
    assert found["class_imbalance"].details == {"rows": 300, "rarest": 2, "most_common": 298}
    y[:10] = 1
    assert look(CLASSIFIER, X, container(y)) == {}
    assert look(Ridge(), X, y.astype(float)) == {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("model", "stopped"),
    [
        (LogisticRegression(max_iter=2), True),
        (LogisticRegression(), False),
        (make_pipeline(StandardScaler(), LogisticRegression(max_iter=2)), True),
        (GridSearchCV(LogisticRegression(max_iter=2), {"C": [1.0]}), True),
        (LinearSVC(max_iter=1), True),
        (SVC(max_iter=2), True),
        (SVC(), False),
        (MLPClassifier(3, max_iter=2), True),
        (SGDClassifier(max_iter=2), True),
        (SGDClassifier(max_iter=2, tol=None), False),
        (HistGradientBoostingClassifier(max_iter=2), False),
        (GaussianMixture(3, max_iter=1), True),
        (GaussianMixture(1), False),
        (KMeans(3, max_iter=1, n_init=1), True),
    ],
    ids=str,
)
def test_not_converged(model: Any, stopped: bool, X: Any, y: Any) -> None:
    found = look(model.fit(X, y), X, y)
    assert list(found) == (["not_converged"] if stopped else [])
    if stopped:
        assert "stopped at max_iter=" in found["not_converged"].text


def test_convergence_warnings_stay_the_user_s(X: Any, y: Any) -> None:
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(max_iter=2).fit(X, y)


class Dial(BaseEstimator):
    """A search's estimator: its score is what the test wants it to be."""

    def __init__(self, a: Any = 0, b: Any = 0, curve: Any = None) -> None:
        self.a, self.b, self.curve = a, b, curve

    def fit(self, X: Any, y: Any = None) -> Dial:
        return self

    def score(self, X: Any, y: Any = None) -> float:
        return float(self.curve(self.a))


@pytest.mark.parametrize(
    ("curve", "tried", "edge"),
    [
        (lambda a: a, [1, 2, 3], "a=3 is the largest value tried"),
        (lambda a: -a, [0.1, 1.0, 10.0], "a=0.1 is the smallest value tried"),
        (lambda a: a, np.logspace(-2, 2, 5), "a=100.0 is the largest value tried"),
        (lambda a: -abs(a - 2), [1, 2, 3], ""),  # in the middle
        (lambda a: a, [1, 2], ""),  # two values have edges only
        (lambda a: 1, [2, 3, 5], ""),  # all the same
        (lambda a: -max(a, 3), [2, 3, 5], ""),  # another value does as well
        (lambda a: a, [0.0, 0.5, 1.0], ""),  # nothing beyond
        (lambda a: -a, [1, 2, 3], ""),
        (lambda a: -a, [0, 2, 3], ""),
        (lambda a: a, [0.1, 0.5, 0.9], "a=0.9 is the largest value tried"),
        (lambda a: len(str(a)), ["a", "bb", "ccc"], ""),
        (lambda a: 1 if a is None else 0, [1, 2, 3, None], ""),
        (lambda a: bool(a), [True, False], ""),
    ],
)
def test_best_on_edge_of_grid(curve: Any, tried: Any, edge: str, X: Any) -> None:
    for grid in ({"a": tried, "b": [1]}, [{"a": tried}, {"a": [tried[1]], "b": [5]}]):
        found = look(GridSearchCV(Dial(curve=curve), grid, cv=2).fit(X), X, None)
        assert list(found) == (["best_on_edge_of_grid"] if edge else [])
        if edge:
            assert found["best_on_edge_of_grid"].text == f"The best parameters are on the edge of the grid: {edge}."
            assert set(found["best_on_edge_of_grid"].details) == {"a"}
    drawn = RandomizedSearchCV(Dial(curve=curve), {"a": list(tried)}, n_iter=len(tried), cv=2).fit(X)
    assert list(look(drawn, X, None)) == (["best_on_edge_of_grid"] if edge else [])


def test_several_scores_use_the_one_that_chose(X: Any) -> None:
    scoring = {"up": lambda e, *_: float(e.a), "flat": lambda e, *_: 1.0}
    for refit, expected in (("up", ["best_on_edge_of_grid"]), ("flat", [])):
        search = GridSearchCV(Dial(), {"a": [1, 2, 3]}, scoring=scoring, refit=refit, cv=2).fit(X)
        assert list(look(search, X, None)) == expected


@pytest.mark.parametrize(
    ("training", "held_out", "found"),
    [
        (1.0, 0.5, True),
        (0.9, -0.4, True),
        (1.0, 0.85, False),
        (0.5, 0.9, False),
        (-3.0, -9.0, False),  # no scale is known
        (None, 0.5, False),
        (1.0, None, False),
        (1.0, float("nan"), False),
    ],
)
def test_overfit(training: Any, held_out: Any, found: bool, X: Any) -> None:
    one = overfit(training, held_out, "in cross-validation")
    assert (one is not None) == found
    if one is not None:
        assert one.text == f"The score is {training:.3f} on the training data and {held_out:.3f} in cross-validation."
    metrics = {k: v for k, v in (("training_score", training), ("best_cv_score", held_out)) if v is not None}
    assert list(look(CLASSIFIER, X, None, **metrics)) == (["overfit"] if found else [])


# -- muting and cost -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("muted", sorted(ALL))
def test_each_can_be_muted(muted: str, X: Any) -> None:
    y = np.zeros(300, dtype=int)
    y[[7, 8, 9]] = 1
    y[:3] = 1
    y[:3] = 0
    y[7] = 0
    X[:, 2], X[:, 3], X[:, 4] = 7.0, X[:, 1], y
    search = GridSearchCV(LogisticRegression(max_iter=1), {"C": [1e-3, 1e-2, 1e2]}, cv=2).fit(X, y)
    search.cv_results_["mean_test_score"] = np.array([0.1, 0.2, 0.3])
    search.best_index_, search.best_params_ = 2, {"C": 1e2}
    found = look(search, X, y, training_score=1.0, best_cv_score=0.3)
    assert set(found) == ALL
    assert set(look(search, X, y, Selection(unwanted=(muted,)), training_score=1.0, best_cv_score=0.3)) == ALL - {muted}
    assert set(look(search, X, y, Selection((muted,)), training_score=1.0, best_cv_score=0.3)) == {muted}


def test_the_cost_does_not_grow_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many values are read is what time goes into, and what can be told for certain on a busy machine."""
    read: list[int] = []
    original = _rows._numbers

    def counted(part: Any) -> Any:
        values = original(part)
        read.append(values.size)
        return values

    monkeypatch.setattr(_rows, "_numbers", counted)
    for shape in ((10_000, 50), (200_000, 50), (2_000, 3_000)):
        X = np.zeros(shape, dtype=np.float32)
        X[:, 1] = X[:, 2] = y = np.arange(shape[0]) % 2
        read.clear()
        look(CLASSIFIER, X, y)
        assert sum(read) < 900_000
