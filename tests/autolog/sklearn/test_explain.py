from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

import fitbook
from fitbook.autolog._config import Config, Selection
from fitbook.autolog.sklearn._call import FitCall
from fitbook.autolog.sklearn._explain import explanation
from fitbook.entities import Run


class Mine(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Mine:
        return self


def told(estimator: Any = None, X: Any = None, **options: Any) -> str:
    call = FitCall(X, None, None)
    return explanation(Config(**options), estimator or LogisticRegression(), "fit", call, "sqlite:///x.db")


def test_once_for_each_class_on_standard_error(
    data: Any, runs: Callable[[], list[Run]], capsys: pytest.CaptureFixture[str]
) -> None:
    fitbook.autolog(explain=True, log_plots=False)
    LogisticRegression().fit(*data)
    first = capsys.readouterr()
    LogisticRegression().fit(*data)
    assert capsys.readouterr() == ("", "")
    KMeans(2).fit(data[0])
    second = capsys.readouterr()
    assert (first.out, second.out) == ("", "")
    assert first.err.startswith("fitbook: LogisticRegression.fit on numpy.ndarray of 0.0 MB is recorded in ")
    assert second.err.startswith("fitbook: KMeans.fit on")
    assert len(runs()) == 3
    fitbook.autolog(log_plots=False)
    LogisticRegression().fit(*data)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("X", "size"),
    [
        (np.zeros((1000, 1000)), "numpy.ndarray of 8.0 MB"),
        (pd.DataFrame(np.zeros((1000, 1000))), "pandas.DataFrame of 8.0 MB"),
        (scipy.sparse.random(1000, 1000, 0.5, format="csr", random_state=0), "scipy.sparse.csr of 6.0 MB"),
        ([[1.0]], "list is recorded"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_data(X: Any, size: str) -> None:
    assert size in told(X=X)


def test_costs_and_choices() -> None:
    text = told(X=np.zeros((1000, 1000)))
    assert "a fingerprint of the data, about 6 ms" in text
    assert "within 50 ms or 5% of the fit: training metrics of a classifier, on as many rows as" in text
    assert "in the background: tables, model, figures" in text
    assert "fitbook.overhead_ms" in text
    assert "(8 MB of it), about 6 ms" in told(X=np.zeros((1000, 10_000)))
    assert "however long it takes" in told(budget_ms=None)
    assert "if the budget allows for all rows" in told(sampling=False)
    assert "chosen by your patterns: metrics, findings" in told(metrics=Selection(("a",)), findings=Selection(()))
    bare = told(log_models=False, log_plots=False, log_datasets=False, findings=Selection(()))
    assert "snapshot" not in bare
    assert "findings, at" not in bare
    assert "in the background: tables\n" in bare
    assert "no training metrics" in told(Mine())


def test_passwords_of_stores_are_masked() -> None:
    text = explanation(Config(), KMeans(), "fit", FitCall(None, None, None), "postgresql://me:planted@host/db")
    assert "planted" not in text
