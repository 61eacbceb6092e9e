from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.base import BaseEstimator

import fitbook
from fitbook.entities import Run

Runs = Callable[[], list[Run]]


class Counted(UserWarning):
    made = 0

    def __str__(self) -> str:
        type(self).made += 1
        return "made"


class Warns(BaseEstimator):
    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def fit(self, X: Any, y: Any = None) -> Warns:
        warnings.warn("first", UserWarning, stacklevel=1)
        warnings.warn("first", UserWarning, stacklevel=1)
        warnings.warn("second", RuntimeWarning, stacklevel=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("not to be seen", UserWarning, stacklevel=1)
        if self.fails:
            raise ValueError("in the end")
        return self

    def predict(self, X: Any) -> Any:
        warnings.warn("of predicting", UserWarning, stacklevel=1)
        return [0] * len(X)


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_fit_warns_of_is_noted_and_shown_as_before(on: None, runs: Runs, fails: bool) -> None:
    def shown() -> list[tuple[str, str, int]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            filters = list(warnings.filters)
            for _ in range(2):
                try:
                    Warns(fails).fit([[1]])
                except ValueError:
                    assert fails
            fitbook.flush()  # work in the background has a filter of its own
            assert warnings.filters == filters
        return [(str(warning.message), warning.filename, warning.lineno) for warning in caught]

    with_us = shown()
    found = runs()
    fitbook.autolog(disable=True)
    assert shown() == with_us
    assert [run.info.status for run in found] == ["FAILED" if fails else "FINISHED"] * 2
    assert found[0].data.tags["fitbook.warnings"] == "UserWarning: first\nRuntimeWarning: second"


def test_a_warning_that_is_an_error_is_the_run_s_error(on: None, runs: Runs) -> None:
    with pytest.raises(UserWarning, match="first"):
        Warns().fit([[1]])
    (run,) = runs()
    assert run.data.tags["fitbook.error"] == "UserWarning: first"


def test_no_code_of_the_user_s_is_called_once_more(runs: Runs) -> None:
    class Counts(Warns):
        def fit(self, X: Any, y: Any = None) -> Counts:
            warnings.warn(Counted("given"), stacklevel=1)
            return self

    def made() -> int:
        before = Counted.made
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            Counts().fit([[1]])
        return Counted.made - before

    expected = made()
    fitbook.autolog()
    assert made() == expected
    assert runs()[0].data.tags["fitbook.warnings"] == "Counted: given"


def test_an_error_of_who_shows_warnings_has_no_frame_of_ours(on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*args: Any) -> None:
        raise KeyError("the user's")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", refuses)
        with pytest.raises(KeyError) as raised:
            Warns().fit([[1]])
    assert not [entry for entry in raised.traceback if "fitbook, like" in str(entry.path)]
