"""Findings in runs: tags, file and line; and what is noticed when a fitted model is evaluated."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

import fitbook
from fitbook.autolog.sklearn import _watch
from fitbook.entities import Run

Runs = Callable[[], list[Run]]
Files = Callable[[str], set[str]]
REAPPEARING = "fitbook.finding.train_rows_in_held_out"


@pytest.fixture
def X() -> Any:
    return np.random.default_rng(0).normal(size=(1000, 6))


@pytest.fixture
def y(X: Any) -> Any:
    return (X[:, 0] > 0).astype(int)


def written_in(run: Run) -> Any:
    return json.loads(Path(fitbook.Client().download_artifacts(run.info.run_id, "findings.json")).read_text())


def test_a_finding_is_a_tag_a_file_and_no_warning(X: Any, y: Any, on: None, runs: Runs) -> None:
    X[:, 2] = 1.0
    LogisticRegression().fit(X, y)
    (run,) = runs()
    text = "One column has the same value in every row: column 2."
    assert run.data.tags["fitbook.finding.constant_columns"] == text
    written = written_in(run)
    assert written == {"constant_columns": {"text": text, "columns": ["column 2"], "rows_looked_at": 1000}}


def test_no_finding_is_no_file(X: Any, y: Any, on: None, runs: Runs, files: Files) -> None:
    LogisticRegression().fit(X, y)
    assert "findings.json" not in files(runs()[0].info.run_id)


@pytest.mark.parametrize("findings", ["!constant_columns", "overfit", False])
def test_what_is_muted_is_neither(X: Any, y: Any, runs: Runs, files: Files, findings: Any) -> None:
    fitbook.autolog(log_plots=False, findings=findings)
    X[:, 2] = 1.0
    model = LogisticRegression().fit(X[:600], y[:600])
    if findings is False:
        model.score(X[400:], y[400:])
    (run,) = runs()
    assert not [tag for tag in run.data.tags if tag.startswith("fitbook.finding.")]
    assert "findings.json" not in files(run.info.run_id)


def test_a_line_is_told_once_and_only_where_somebody_watches(
    X: Any, y: Any, on: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    X[:, 2] = 1.0
    LogisticRegression().fit(X, y)
    assert capsys.readouterr() == ("", "")
    fitbook.autolog(log_plots=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for _ in range(2):
        LogisticRegression().fit(X, y)
    line = "fitbook: LogisticRegression: One column has the same value in every row: column 2.\n"
    assert capsys.readouterr() == ("", line)
    fitbook.autolog(log_plots=False, silent=True)
    LogisticRegression().fit(X, y)
    assert capsys.readouterr() == ("", "")
    fitbook.autolog(log_plots=False)
    monkeypatch.setattr(sys, "stderr", None)
    LogisticRegression().fit(X, y)


@pytest.mark.parametrize(
    "container",
    [np.asarray, pd.DataFrame, lambda X: X.tolist(), lambda X: pd.DataFrame(X).assign(t=[str(x) for x in X[:, 0]])],
)
def test_training_rows_among_the_rows_that_are_scored(X: Any, y: Any, on: None, runs: Runs, container: Any) -> None:
    data = container(X)
    part = (lambda a, b: data.iloc[a:b]) if isinstance(data, pd.DataFrame) else (lambda a, b: data[a:b])
    if isinstance(data, pd.DataFrame) and "t" in data:
        model = make_pipeline(_Numbers(), LogisticRegression())
    else:
        model = LogisticRegression()
    model.fit(part(0, 700), y[:700]).score(part(500, 1000), y[500:])
    text = runs()[0].data.tags[REAPPEARING]
    assert text.startswith("Of 500 scored rows, ")
    assert text.endswith(" are among those that the model was trained on.")
    if container in (np.asarray, pd.DataFrame):
        assert text.split()[4] == "200"


class _Numbers(CountVectorizer):
    """The numbers of a table that has texts, too."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        return self.transform(X)

    def transform(self, X: Any) -> Any:
        return X.drop(columns="t")


def test_a_model_that_was_trained_on_everything(X: Any, y: Any, on: None, runs: Runs) -> None:
    model = LogisticRegression().fit(X, y)
    model.predict(X[700:])  # a look at some rows is no mistake
    assert REAPPEARING not in runs()[0].data.tags
    model.score(X[700:], y[700:])
    assert runs()[0].data.tags[REAPPEARING].startswith("Of 300 scored rows, 300 are")


def test_texts_and_predictions(on: None, runs: Runs) -> None:
    texts = [f"word{i} and thing{i % 7}" for i in range(200)]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts[:150], [0, 1] * 75)
    model.predict(texts[100:])
    assert runs()[0].data.tags[REAPPEARING].startswith("Of 100 predicted rows, 50 are")


def test_large_data_is_estimated(on: None, runs: Runs) -> None:
    X = np.random.default_rng(0).normal(size=(60_000, 20))
    y = (X[:, 0] > 0).astype(int)
    LogisticRegression().fit(X[:45_000], y[:45_000]).score(X[30_000:], y[30_000:])
    text = runs()[0].data.tags[REAPPEARING]
    assert text.startswith("Of 30,000 scored rows, about ")
    assert 10_000 < int(text.split()[5].replace(",", "")) < 20_000


def test_what_is_no_mistake(X: Any, y: Any, on: None, runs: Runs) -> None:
    model = LogisticRegression().fit(X[:700], y[:700])
    model.score(X[:700], y[:700])  # the training score
    model.predict(X)  # everything, for a column of predictions
    model.predict(X[:50])  # a look
    accuracy_score(y[700:], model.predict(X[700:]))
    few = np.random.default_rng(0).integers(0, 3, (1000, 3)).astype(float)
    discrete = LogisticRegression().fit(few[:700], y[:700])
    discrete.score(few[700:], y[700:])
    # A handful of rows that are there twice.
    LogisticRegression().fit(X[:700], y[:700]).score(np.vstack([X[700:], X[:4]]), np.append(y[700:], y[:4]))
    assert [REAPPEARING in run.data.tags for run in runs()] == [False] * 3


def test_a_score_far_below_that_of_the_training_data(runs: Runs) -> None:
    fitbook.autolog(log_plots=False, log_models=False, budget_ms=None)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.normal(size=200)
    model = RandomForestRegressor(10, random_state=0).fit(X[:150], y[:150])
    model.score(X[:150], y[:150])
    assert "fitbook.finding.overfit" not in runs()[0].data.tags
    model.score(X[150:], y[150:])
    assert "on data that was scored later" in runs()[0].data.tags["fitbook.finding.overfit"]
    # What was found first is still there.
    model.score(X[100:], y[100:])
    (run,) = runs()
    written = written_in(run)
    assert set(written) == {"overfit", "train_rows_in_held_out"}


def test_after_ten_evaluations_nobody_looks_any_more(X: Any, y: Any, on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    hashes = _watch.hashes
    model = LogisticRegression().fit(X[:700], y[:700])
    monkeypatch.setattr(_watch, "hashes", lambda rows: looks.append(rows.n_rows) or hashes(rows))
    for _ in range(30):
        model.predict(X[700:])
    assert looks == [300] * 10


def test_single_rows_are_not_looked_at(X: Any, y: Any, on: None, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression().fit(X[:700], y[:700])
    with monkeypatch.context() as patch:
        patch.setattr(_watch, "hashes", lambda rows: pytest.fail("looked at"))
        for i in range(30):
            model.predict(X[i : i + 1])
    model.predict(X[500:])  # and they did not use up the looks
    assert REAPPEARING in runs()[0].data.tags


def test_a_run_that_is_gone_is_nobody_s_trouble(X: Any, y: Any, on: None, runs: Runs) -> None:
    model = LogisticRegression().fit(X[:700], y[:700])
    fitbook.delete_run(runs()[0].info.run_id)
    model.predict(X[500:])
    fitbook.flush()


def test_no_more_is_remembered_than_of_some_runs(X: Any, y: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fitbook.autolog(log_plots=False, log_models=False)
    monkeypatch.setattr(_watch, "_MAX_WATCHED", 2)
    for _ in range(3):
        LogisticRegression().fit(X[:50], y[:50])
    assert len(_watch._watched) == 2
