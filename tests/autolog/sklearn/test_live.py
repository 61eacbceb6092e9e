"""Searches while they go on: what is noted where, and that a search is none the wiser."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    ParameterGrid,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook._journal import Journal
from fitbook.autolog._guard import swallowed
from fitbook.autolog.sklearn import _fit, _live
from fitbook.autolog.sklearn._live import LiveSearch
from fitbook.entities import Run

GRID = {"C": [0.01, 0.1, 1.0, 10.0]}
DEPTHS = {"max_depth": [1, 2, 3, 4]}


class Theirs(BaseSearchCV):  # type: ignore[misc]
    """A search as other libraries have them: a few candidates, and then others that depend on how these did."""

    def __init__(self, estimator: Any, first: Any, second: Any, cv: Any = None, n_jobs: Any = None) -> None:
        super().__init__(estimator=estimator, cv=cv, n_jobs=n_jobs)
        self.first, self.second = first, second

    def _run_search(self, evaluate_candidates: Any) -> None:
        evaluate_candidates(ParameterGrid(self.first))
        evaluate_candidates(ParameterGrid(self.second))


SEARCHES: dict[str, Callable[[Any], Any]] = {
    "grid": lambda n_jobs: GridSearchCV(LogisticRegression(), GRID, cv=3, n_jobs=n_jobs, return_train_score=True),
    "random": lambda n_jobs: RandomizedSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": np.logspace(-2, 2, 30)},
        n_iter=4,
        cv=2,
        random_state=np.random.RandomState(0),
        n_jobs=n_jobs,
    ),
    "halving": lambda n_jobs: HalvingGridSearchCV(
        DecisionTreeClassifier(random_state=0), DEPTHS, cv=2, min_resources=20, random_state=0, n_jobs=n_jobs
    ),
    "halving random": lambda n_jobs: HalvingRandomSearchCV(
        DecisionTreeClassifier(random_state=0), DEPTHS, cv=2, min_resources=20, random_state=0, n_jobs=n_jobs
    ),
    "several scores": lambda n_jobs: GridSearchCV(
        LogisticRegression(), GRID, cv=2, scoring=["accuracy", "f1"], refit="f1", n_jobs=n_jobs
    ),
    "failures": lambda n_jobs: GridSearchCV(
        LogisticRegression(), {"C": [1, -1]}, cv=StratifiedKFold(2, shuffle=True), error_score=0.25, n_jobs=n_jobs
    ),
    "theirs": lambda n_jobs: Theirs(LogisticRegression(), {"C": [0.1, 1]}, {"C": [10]}, cv=2, n_jobs=n_jobs),
}


def _without_times(results: Any) -> dict[str, Any]:
    return {name: np.asarray(values).tolist() for name, values in results.items() if "_time" not in name}


def _children(runs: Callable[..., list[Run]]) -> list[Run]:
    children = [run for run in runs() if "fitbook.candidate" in run.data.tags]
    return sorted(children, key=lambda run: int(run.data.tags["fitbook.candidate"]))


def _splits(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run.data.tags["fitbook.splits"])
    return found


def _journals(folder: Path) -> list[Path]:
    return list(folder.rglob("*-notes-*"))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_same_and_every_split_of_it_is_noted(data: Any, runs: Any, tmp_path: Path, name: str) -> None:
    def fitted() -> tuple[Any, list[str], Any]:
        np.random.seed(3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search = SEARCHES[name](None).fit(*data)
        return search, [str(warning.message) for warning in caught], pickle.dumps(np.random.get_state())

    plain, warned, state = fitted()
    fitbook.autolog(log_plots=False)
    search, warned_on, state_on = fitted()
    assert (warned, state) == (warned_on, state_on)
    assert _without_times(plain.cv_results_) == _without_times(search.cv_results_)
    assert vars(plain).keys() == vars(search).keys()
    children = _children(runs)
    assert len(children) == len(search.cv_results_["params"])
    for index, child in enumerate(children):
        noted = _splits(child)
        assert len(noted) == search.n_splits_
        assert {(note["host"], note["pid"]) for note in noted} == {(os.uname().nodename, os.getpid())}
        assert child.info.start_time == min(note["start"] for note in noted)
        assert child.info.end_time == max(note["end"] for note in noted)
        for metric in ("score", "accuracy", "f1"):
            if f"mean_test_{metric}" in search.cv_results_:
                scores = [note["test"][metric] if metric != "score" else note["test"] for note in noted]
                assert scores == [search.cv_results_[f"split{i}_test_{metric}"][index] for i in range(len(noted))]
        assert [note["fit"] for note in noted] == pytest.approx(
            [search.cv_results_["mean_fit_time"][index]] * len(noted), abs=1
        )
    assert not _journals(tmp_path)
    assert not any(thread.name == "fitbook-search" for thread in threading.enumerate())
    assert not any(key.startswith("fitbook.split.") for run in runs() for key in run.data.tags)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_in_threads_and_processes(data: Any, on: None, runs: Any, tmp_path: Path, backend: str) -> None:
    with joblib.parallel_config(backend=backend):  # joblib 1.3.0 does not heed a number of jobs that is given here
        search = SEARCHES["halving"](2).fit(*data)
    children = _children(runs)
    assert len(children) == len(search.cv_results_["params"]) > 4
    assert all(None not in _splits(child) for child in children)
    pids = {note["pid"] for child in children for note in _splits(child)}
    assert (os.getpid() in pids) == (backend == "threading")
    assert {child.info.status for child in children} == {"FINISHED"}
    assert not _journals(tmp_path)


def test_workers_load_little_of_fitbook_and_their_errors_are_the_user_s(script: Any, tmp_path: Path) -> None:
    done = script(
        """
import sys
import numpy as np
import fitbook
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

def loaded(estimator, X, y):
    if estimator.C == 3:
        raise LookupError("no score")
    return float("fitbook._journal" in sys.modules) + 2 * float("sqlalchemy" in sys.modules)

fitbook.autolog(log_plots=False, log_models=False)
X = np.arange(24.0).reshape(-1, 1)
for grid in ([1, 2], [3]):
    search = GridSearchCV(LogisticRegression(), {"C": grid}, cv=2, n_jobs=2, scoring=loaded, error_score="raise")
    search.fit(X, np.arange(24) % 2)
    print(search.cv_results_["mean_test_score"].tolist())
"""
    )
    assert done.stdout == "[1.0, 1.0]\n"
    assert "LookupError: no score" in done.stderr
    assert "fitbook/" not in done.stderr
    fitbook.set_tracking_uri(tmp_path / "fitbook-runs")
    splits = [json.loads(run.data.tags["fitbook.splits"]) for run in _all_children()]
    assert sorted(sum(map(bool, noted)) for noted in splits)[1:] == [2, 2]


def _all_children() -> list[Run]:
    found: Any = fitbook.search_runs(output_format="list")
    return [run for run in found if "fitbook.splits" in run.data.tags]


def test_failed_splits_say_why(data: Any, on: None, runs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SEARCHES["failures"](None).fit(*data)
    good, bad = _children(runs)
    assert [note.get("error") for note in _splits(good)] == [None, None]
    assert all("InvalidParameterError" in note["error"] for note in _splits(bad))
    assert bad.data.metrics["split0_test_score"] == 0.25


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[LiveSearch]:
    """Every search that is followed; its thread never wakes by itself."""
    found: list[LiveSearch] = []
    monkeypatch.setattr(_live, "_PAUSE", 1e6)
    begin = LiveSearch._begin

    def noted(self: LiveSearch, kwargs: Any) -> None:
        found.append(self)
        begin(self, kwargs)

    monkeypatch.setattr(LiveSearch, "_begin", noted)
    return found


class Looking(LogisticRegression):  # type: ignore[misc]
    """Lets a test look around before each fit."""

    look: Callable[[], None]

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        type(self).look()
        return super().fit(*args, **kwargs)


def test_candidates_are_runs_while_the_search_goes_on(data: Any, on: None, runs: Any, followed: Any) -> None:
    seen: list[list[tuple[str, int, bool]]] = []

    def look() -> None:
        if followed[0].observer() is None:
            return  # this is the refit
        followed[0]._look(move=True)
        store = followed[0].record.backend.store
        found = store.search_runs(["0"], "tags.`fitbook.candidate` LIKE '%'", order_by=["attributes.start_time ASC"])
        seen.append(
            [
                (run.info.status, sum(map(bool, _splits(run))), "mean_test_score" in run.data.metrics)
                for run in sorted(found, key=lambda run: int(run.data.tags["fitbook.candidate"]))
            ]
        )

    Looking.look = staticmethod(look)
    GridSearchCV(Looking(), {"C": [0.1, 1]}, cv=3).fit(*data)
    done = ("FINISHED", 3, True)
    # One that is not complete waits until it is looked for the second time.
    assert seen == [[], [], [("RUNNING", 2, False)], [done], [done], [done, ("RUNNING", 2, False)]]
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_an_interrupted_search_keeps_what_was_finished(data: Any, on: None, runs: Any, followed: Any) -> None:
    fits = iter(range(100))

    def look() -> None:
        if next(fits) == 5:
            raise KeyboardInterrupt

    Looking.look = staticmethod(look)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(Looking(), {"C": [0.1, 1, 2]}, cv=3).fit(*data)
    children = _children(runs)
    assert [child.info.status for child in children] == ["FINISHED", "KILLED"]
    assert [[bool(note) for note in _splits(child)] for child in children] == [[True] * 3, [True, True, False]]


def test_a_search_that_was_taken_for_dead_goes_on_and_leaves_nothing(
    data: Any, on: None, runs: Any, followed: Any, tmp_path: Path
) -> None:
    seen: list[tuple[str, list[bool]]] = []

    def look() -> None:
        if len(seen) < 2 and followed and followed[0].children.done == 0 and list(_noted(tmp_path)):
            run = followed[0].record.run
            [file] = tmp_path.rglob("fitbook.db")
            with sqlite3.connect(file) as connection:
                connection.execute("UPDATE runs SET lease_until = 1 WHERE status = 'RUNNING'")
            connection.close()
            store = followed[0].record.backend.store
            found = store.get_run(run.run_id)
            notes = [key for key in found.data.tags if key.startswith("fitbook.split.0.")]
            seen.append((found.info.status, [path.exists() for path in _journals(tmp_path)] + [bool(notes)]))
            store.renew_leases([run.run_id], 60)

    Looking.look = staticmethod(look)
    GridSearchCV(Looking(), {"C": [0.1, 1]}, cv=3).fit(*data)
    assert seen == [("FAILED", [True, True])] * 2
    assert all(None not in _splits(child) for child in _children(runs))
    assert not any(key.startswith("fitbook.split.") for run in runs() for key in run.data.tags)
    assert not _journals(tmp_path)


def _noted(folder: Path) -> list[str]:
    return [line for path in _journals(folder) for line in path.read_text().split("\n") if '"test"' in line]


def test_what_the_search_tells_is_kept_even_if_notes_can_t_be_read(
    data: Any, on: None, runs: Any, followed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Journal) -> list[Any]:
        raise OSError("no more files")

    monkeypatch.setattr(Journal, "read", unreadable)
    GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    assert len(_children(runs)) == 4
    [parent] = [run for run in runs() if "fitbook.dropped" in run.data.tags]
    assert "no more files" in parent.data.tags["fitbook.dropped"]


def test_a_line_that_can_t_be_removed_does_not_keep_a_failure_from_being_recorded(
    data: Any, on: None, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> None:
        raise BrokenPipeError("the terminal is gone")

    def look() -> None:
        raise LookupError("the user's")

    monkeypatch.setattr(_live.Progress, "close", broken)
    Looking.look = staticmethod(look)
    with pytest.raises(LookupError, match="the user's"):
        GridSearchCV(Looking(), GRID, cv=2, error_score="raise").fit(*data)
    [parent] = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FAILED"
    assert "the user's" in parent.data.tags["fitbook.error"]
    assert any("terminal" in str(error) for _, error in swallowed)
    swallowed.clear()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_inside_another_record_is_a_part_of_that(data: Any, on: None, runs: Any, n_jobs: Any) -> None:
    search = GridSearchCV(LogisticRegression(), GRID, cv=2)
    nested = GridSearchCV(search, {"estimator__fit_intercept": [True, False]}, cv=2, n_jobs=n_jobs).fit(*data)
    assert len(_children(runs)) == len(nested.cv_results_["params"]) == 2
    cross_val_score(search, *data, cv=2)
    assert len(_children(runs)) == 2


def test_a_store_that_is_no_file_is_written_to_as_well(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitbook.set_tracking_uri("sqlite://")
    fitbook.autolog(log_plots=False)
    GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    found: Any = fitbook.search_runs(output_format="list")
    assert len(found) == 5
    assert all(None not in _splits(run) for run in found if "fitbook.candidate" in run.data.tags)
    assert not any(key.startswith("fitbook.split.") for run in found for key in run.data.tags)
    fitbook.set_tracking_uri(tmp_path)


def test_the_thread_is_not_there_during_a_fork_and_goes_on(data: Any, on: None, runs: Any, followed: Any) -> None:
    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "fitbook-search"]

    seen: list[tuple[list[str], str]] = []

    def look() -> None:
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.write(write, f"{names()} {len(_live._followed)}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        seen.append((names(), os.read(read, 100).decode()))
        os.close(read)
        os.close(write)

    Looking.look = staticmethod(look)
    GridSearchCV(Looking(), {"C": [1]}, cv=2).fit(*data)
    assert seen == [(["fitbook-search"], "[] 0")] * 3
    assert names() == []


def test_the_thread_goes_on_after_forks_at_the_same_time(data: Any, on: None, runs: Any, followed: Any) -> None:
    alive: list[bool] = []

    def look() -> None:
        for hook in (_live._before_fork, _live._before_fork, _live._after_fork, _live._after_fork):
            hook()
        alive.append(followed[0]._thread is not None and followed[0]._thread.is_alive())

    Looking.look = staticmethod(look)
    GridSearchCV(Looking(), {"C": [1]}, cv=2, refit=False).fit(*data)
    assert alive == [True] * 2


def test_many_candidates_are_completed_after_the_fit(data: Any, on: None, runs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(_fit, "_MANY", 1)
    search = GridSearchCV(LogisticRegression(), GRID, cv=2).fit(*data)
    children = _children(runs)
    assert [child.data.metrics["rank_test_score"] for child in children] == search.cv_results_[
        "rank_test_score"
    ].tolist()
    assert all(None not in _splits(child) for child in children)


def test_of_many_candidates_the_best_stay_and_the_others_are_in_the_bin(data: Any, runs: Any, followed: Any) -> None:
    fitbook.autolog(log_plots=False, max_tuning_runs=1)
    Looking.look = staticmethod(lambda: followed[0]._look(move=True))
    search = GridSearchCV(Looking(), GRID, cv=2).fit(*data)
    [child] = _children(runs)
    assert child.data.tags["fitbook.candidate"] == str(search.best_index_)
    binned: Any = fitbook.search_runs(run_view_type=2, output_format="list")
    assert {run.data.tags["fitbook.candidate"] for run in binned} <= {"0", "1", "2", "3"} - {str(search.best_index_)}
    assert len(binned) >= 2
    assert {run.info.status for run in binned} == {"FINISHED"}
