from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog.sklearn import _content
from fitbook.autolog.sklearn._resume import exact_digest, rows_key, search_digest, split_digest
from fitbook.entities import Run

GRID = {"C": [0.01, 0.1, 1.0]}


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The C of every split that is fitted, and not taken from the store."""
    found: list[float] = []
    original = LogisticRegression.fit

    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.append(self.C)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", fit)
    return found


@pytest.fixture
def resuming() -> Callable[[], None]:
    return lambda: fitbook.autolog(log_plots=False, resume_search=True)


def _search(**more: Any) -> GridSearchCV:
    options: dict[str, Any] = {"cv": 3, "return_train_score": True, "scoring": ["accuracy", "f1"], "refit": "f1"}
    return GridSearchCV(LogisticRegression(), **{"param_grid": GRID, **options, **more})


def _plain(results: Any) -> dict[str, Any]:
    return {name: np.asarray(values).tolist() for name, values in results.items()}


def test_a_second_run_fits_only_the_best_anew(data: Any, on: None, resuming: Any, fits: Any, runs: Any) -> None:
    first = _search().fit(*data)
    assert len(fits) == 10
    resuming()
    second = _search().fit(*data)
    assert fits[10:] == [second.best_params_["C"]]
    assert _plain(first.cv_results_) == _plain(second.cv_results_)
    assert {name: values.dtype for name, values in first.cv_results_.items() if name != "params"} == {
        name: values.dtype for name, values in second.cv_results_.items() if name != "params"
    }
    assert np.array_equal(first.predict(data[0]), second.predict(data[0]))
    parents = [run.info.run_id for run in runs() if "fitbook.search.digest" in run.data.tags]
    children = [run for run in runs() if run.data.tags.get("mlflow.parentRunId") == parents[1]]
    assert [run.data.tags.get("fitbook.splits_resumed") for run in runs() if run.info.run_id in parents] == [
        None,
        "9 of 9",
    ]
    assert len(children) == 3
    for child in children:
        assert {note["from"] for note in json.loads(child.data.tags["fitbook.splits"])} == {parents[0]}


def test_a_larger_grid_and_other_workers_take_what_is_there(data: Any, on: None, resuming: Any, fits: Any) -> None:
    _search().fit(*data)
    del fits[:]
    resuming()
    _search(param_grid={"C": [5.0, 0.1, 1.0]}, n_jobs=1).fit(*data)
    assert fits[:3] == [5.0] * 3
    assert len(fits) == 4


def test_after_an_interrupt_the_rest_is_fitted(data: Any, on: None, resuming: Any, fits: Any) -> None:
    calls, fit = iter(range(100)), LogisticRegression.fit

    def stopping(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LogisticRegression, "fit", stopping)
        with pytest.raises(KeyboardInterrupt):
            _search().fit(*data)
    assert len(fits) == 5
    resuming()
    resumed = _search().fit(*data)
    assert len(fits) == 9 + 1
    fitbook.autolog(disable=True)
    plain = _search().fit(*data)
    assert resumed.cv_results_["mean_test_f1"].tolist() == plain.cv_results_["mean_test_f1"].tolist()


CHANGED: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "other rows": ({}, lambda X: X[::-1]),
    "other splits": ({"cv": StratifiedKFold(3, shuffle=True, random_state=0)}, lambda X: X),
    "another score": ({"scoring": "roc_auc", "refit": True}, lambda X: X),
    "another estimator": ({"estimator": LogisticRegression(tol=1e-3)}, lambda X: X),
    "other parameters": ({"param_grid": {"C": [0.2, 0.3]}}, lambda X: X),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_not_the_same_is_fitted(data: Any, on: None, resuming: Any, fits: Any, name: str) -> None:
    X, y = data
    _search().fit(X, y)
    del fits[:]
    resuming()
    options, change = CHANGED[name]
    search = _search().set_params(**options)
    search.fit(change(X), y)
    assert len(fits) == 3 * len(search.cv_results_["params"]) + 1


def test_without_the_option_everything_is_fitted(data: Any, on: None, fits: Any) -> None:
    _search().fit(*data)
    _search().fit(*data)
    assert len(fits) == 20


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_failed_splits_are_tried_again(data: Any, on: None, resuming: Any) -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1, -1]}, cv=2)
    search.fit(*data)
    resuming()
    again = GridSearchCV(LogisticRegression(), {"C": [1, -1]}, cv=2).fit(*data)
    assert again.cv_results_["mean_fit_time"][0] == search.cv_results_["mean_fit_time"][0]
    assert again.cv_results_["mean_fit_time"][1] != search.cv_results_["mean_fit_time"][1]


def test_what_no_text_tells_is_not_resumed_and_that_is_said(data: Any, on: None, resuming: Any, fits: Any) -> None:
    def scoring(estimator: Any, X: Any, y: Any) -> float:
        return float(estimator.score(X, y))

    _search(scoring=scoring, refit=True).fit(*data)
    resuming()
    with pytest.warns(FitbookWarning, match="can't be resumed"):
        _search(scoring=scoring, refit=True).fit(*data)
    assert len(fits) == 20


def test_data_of_which_not_every_byte_was_read_is_not_resumed(
    data: Any, on: None, resuming: Any, fits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_content, "FULL_BYTES", data[0].nbytes - 1)
    _search().fit(*data)
    resuming()
    with pytest.warns(FitbookWarning, match="not every byte"):
        _search().fit(*data)
    assert len(fits) == 20


def test_no_part_of_a_search_is_told_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = np.arange(1000), np.arange(10)
    kwargs = {"fit_params": {"sample_weight": large}}
    search = {"estimator": LogisticRegression()}
    assert search_digest(search, kwargs, "data") is not None
    monkeypatch.setattr(_content, "FULL_BYTES", 1000)
    assert search_digest(search, kwargs, "data") is None
    assert exact_digest({"p": large}) == ""
    assert rows_key(split_digest(small, large)) == ""
    assert rows_key(split_digest(small, small)) != ""


def test_another_version_of_the_estimators_library_is_another_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    before = exact_digest({"p": LogisticRegression()})
    monkeypatch.setattr(sklearn, "__version__", "0.1")
    assert exact_digest({"p": LogisticRegression()}) != before


def test_what_a_killed_search_has_left_is_taken(
    data: Any, on: None, resuming: Any, fits: Any, runs: Callable[..., list[Run]], tmp_path: Path
) -> None:
    _search().fit(*data)
    # As if it had been killed before anything was moved.
    parent, *children = runs()
    [file] = tmp_path.rglob("fitbook.db")
    lines = [
        f"{child.info.run_id} fitbook.split.{child.data.tags['fitbook.candidate']}.{split} {json.dumps(note)}\n"
        for child in children
        for split, note in enumerate(json.loads(child.data.tags["fitbook.splits"]))
    ]
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("DELETE FROM runs WHERE parent_run_id IS NOT NULL")
    connection.close()
    Path(f"{file}-notes-{parent.info.run_id}").write_text("".join(lines))
    del fits[:]
    resuming()
    _search().fit(*data)
    assert len(fits) == 1


def test_a_broken_note_costs_no_more_than_itself(data: Any, on: None, resuming: Any, fits: Any, runs: Any) -> None:
    _search().fit(*data)
    parent, child, *_ = runs()
    client = fitbook.tracking.MlflowClient()
    for text in ("{", "1", "[1]"):
        client.set_tag(parent.info.run_id, f"fitbook.split.0.{len(text)}", text)
    client.set_tag(child.info.run_id, "fitbook.splits", "[")
    del fits[:]
    resuming()
    _search().fit(*data)
    assert len(fits) == 3 + 1


def test_notes_that_can_t_be_read_are_told_of(data: Any, on: None, resuming: Any, runs: Any, tmp_path: Path) -> None:
    _search().fit(*data)
    [file] = tmp_path.rglob("fitbook.db")
    Path(f"{file}-notes-{runs()[0].info.run_id}").mkdir()
    resuming()
    with pytest.warns(FitbookWarning, match="can't be read, and are fitted again"):
        _search().fit(*data)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ([1], (1,)),
        (np.arange(3), np.arange(4)),
        (np.float64(1), np.float32(1)),
        ({"a": 1}, {"a": 2}),
        (DecisionTreeClassifier(max_depth=1), DecisionTreeClassifier(max_depth=2)),
        (make_pipeline(StandardScaler()), make_pipeline(StandardScaler(with_mean=False))),
    ],
)
def test_what_differs_is_told_apart(one: Any, other: Any) -> None:
    assert "" != exact_digest({"p": one}) != exact_digest({"p": other}) != ""
    assert exact_digest({"p": one}) == exact_digest({"p": one})


@pytest.mark.parametrize("value", [lambda x: x, np.random.RandomState(0), object(), np.array([object()])])
def test_what_no_text_tells_has_no_digest(value: Any) -> None:
    assert exact_digest({"p": value}) == ""
