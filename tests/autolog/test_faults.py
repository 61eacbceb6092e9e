"""A store that is slow, locked, broken or gone costs the user one warning and a bounded delay, never the fit."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog import _record
from fitbook.autolog.sklearn import _fit
from fitbook.entities import Run
from fitbook.errors import StoreUnavailable

Runs = Callable[[], list[Run]]


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the write lock of a database, as another process would."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield lambda: connection.execute("ROLLBACK") and None  # type: ignore[func-returns-value]
    finally:
        connection.close()


@pytest.mark.parametrize("search", [False, True])
def test_a_locked_store_delays_the_fit_by_one_wait_and_loses_nothing(
    data: Any, tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, search: bool
) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "0.2")
    fitbook.autolog(log_plots=False)
    assert runs() == []
    model: Any = LogisticRegression(C=3)
    if search:
        model = GridSearchCV(model, {"C": [1, 2, 3]}, cv=2)
    waits: list[tuple[bool, float]] = []
    is_main = threading.main_thread().ident

    def noted(seconds: float) -> Any:
        waits.append((threading.get_ident() == is_main, seconds))
        return _fit_patience(seconds)

    monkeypatch.setattr(_fit, "patience", noted)
    with locked(tmp_path / "fitbook-runs" / "fitbook.db") as release:
        with pytest.warns(FitbookWarning, match="store is busy") as raised:
            assert model.fit(*data) is model
        assert len(raised) == 1
        assert {seconds for in_the_fit, seconds in waits if in_the_fit} == {0.2}
        release()
    found = runs()
    assert {run.info.status for run in found} == {"FINISHED"}
    assert len(found) == (4 if search else 1)
    (top,) = (run for run in found if "mlflow.parentRunId" not in run.data.tags)
    assert top.data.params["estimator__C" if search else "C"] == "3"
    assert "training_score" in top.data.metrics
    assert fitbook.sklearn.load_model(f"runs:/{top.info.run_id}/model") is not None


_fit_patience = _fit.patience


def test_a_store_that_is_locked_for_a_while_gets_everything_when_it_is_free(
    data: Any, tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "0.2")
    fitbook.autolog(log_plots=False)
    runs()
    with locked(tmp_path / "fitbook-runs" / "fitbook.db") as release, pytest.warns(FitbookWarning, match="busy"):  # noqa: PT031
        timer = threading.Timer(3, release)
        timer.start()
        for C in (1, 2):
            LogisticRegression(C=C).fit(*data)
        found = runs()  # waits for the writes that are pending
        timer.join()
    assert [(run.data.params["C"], run.info.status) for run in found] == [("1", "FINISHED"), ("2", "FINISHED")]


@pytest.mark.swallows
@pytest.mark.parametrize("kind", ["corrupt", "a file is in the way", "unknown", "not a database"])
def test_a_store_that_can_t_be_used_costs_one_warning(data: Any, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "corrupt":
        place.mkdir()
        (place / "fitbook.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    elif kind == "a file is in the way":
        place.write_text("x")
    elif kind == "not a database":
        place.mkdir()
        (place / "fitbook.db").write_text("hello " * 1000)
    fitbook.autolog(log_plots=False)
    fitbook.set_tracking_uri("postgresql://nobody@127.0.0.1:9/none" if kind == "unknown" else place)
    model = LogisticRegression()
    with pytest.warns(FitbookWarning, match="beginning the record of a fit failed") as raised:  # noqa: PT031
        for _ in range(3):
            assert model.fit(*data) is model
    assert len(raised) == 1
    assert raised[0].filename == __file__


@pytest.mark.swallows
def test_what_belongs_to_a_run_that_can_t_be_written_is_left_out_without_a_further_word(
    data: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitbook.autolog(log_plots=False)
    assert runs() == []

    def broken(*args: Any) -> None:
        raise StoreUnavailable("this run can't be written")

    monkeypatch.setattr(_record.leases, "begin", broken)
    with pytest.warns(FitbookWarning, match="this run can't be written") as raised:  # noqa: PT031
        search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2).fit(*data)
        accuracy_score(data[1], search.predict(data[0]))
        fitbook.flush()
    assert len(raised) == 1
    assert runs() == [], "candidates without their search"


@pytest.mark.swallows
def test_a_run_ends_though_its_last_metric_can_t_be_written(
    data: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitbook.autolog(log_plots=False)
    log_batch = _record.RunHandle.log_batch

    def broken(self: Any, metrics: Any = (), *args: Any, **kwargs: Any) -> None:
        if any(metric.key == "fitbook.overhead_ms" for metric in metrics):
            raise StoreUnavailable("this metric can't be written")
        log_batch(self, metrics, *args, **kwargs)

    monkeypatch.setattr(_record.RunHandle, "log_batch", broken)
    with pytest.warns(FitbookWarning, match="this metric can't be written"):  # noqa: PT031
        LogisticRegression().fit(*data)
        found = runs()
    assert [run.info.status for run in found] == ["FINISHED"]


@pytest.mark.swallows
def test_a_store_that_vanishes_during_the_fit(data: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    fitbook.autolog(log_plots=False)
    assert runs() == []

    def gone(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is gone")

    store = fitbook.tracking._backend.current().store
    monkeypatch.setattr(store, "log_batch", gone)
    monkeypatch.setattr(store, "update_run", gone)
    with pytest.warns(FitbookWarning, match="the disk is gone"):  # noqa: PT031
        model = LogisticRegression().fit(*data)
        fitbook.flush()
    assert model.predict(data[0]).shape == (60,)


@pytest.mark.swallows
@pytest.mark.parametrize(
    "name",
    ["is_model", "params", "tags", "fingerprint", "training_report", "importances", "outline", "html"],
)
def test_a_bug_of_ours_never_reaches_the_user(
    data: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fitbook.autolog(log_plots=False)

    def broken(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(_fit._describe, name, broken)
    with pytest.warns(FitbookWarning, match="a bug"):  # noqa: PT031
        model = LogisticRegression().fit(*data)
        fitbook.flush()
    assert model.predict(data[0]).shape == (60,)
    assert {run.info.status for run in runs()} <= {"FINISHED"}


def test_an_unwritable_folder(data: Any, script: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = script(
        "import os, sys, fitbook\nfitbook.set_tracking_uri('/proc/nowhere')\nfitbook.autolog()\n"
        "from sklearn.linear_model import LinearRegression\n"
        "for _ in range(2): print(LinearRegression().fit([[1], [2]], [1, 2]).predict([[3]]).round(3))\n"
    )
    assert (done.returncode, done.stdout) == (0, "[3.]\n[3.]\n")
    assert done.stderr.count("FitbookWarning") == 1
