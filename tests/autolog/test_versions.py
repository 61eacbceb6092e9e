"""Versions: the bounds that fitbook declares, the oldest that it is tested with, and those that it does not know."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from packaging.requirements import Requirement
from packaging.version import Version
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog.sklearn._points import SINCE

ROOT = Path(fitbook.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    return {_name(line.partition("==")[0]): line.partition("==")[2] for line in lines if not line.startswith("#")}


def _bounds() -> Iterator[tuple[str, Version]]:
    """Every distribution that fitbook or its tests need, and from which version on."""
    extras = PROJECT["optional-dependencies"]
    for text in (*PROJECT["dependencies"], *extras["test"], *extras["postgresql"], *extras["mysql"], *extras["s3"]):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            (bound,) = [s.version for s in requirement.specifier if s.operator == ">="]
            yield _name(requirement.name), Version(bound)


TOOLS = {"hypothesis", "moto", "pytest", "pytest-timeout", "pytest-xdist"}  # no part of what is tested


@pytest.mark.parametrize(("name", "bound"), [pair for pair in sorted(set(_bounds())) if pair[0] not in TOOLS])
def test_the_oldest_versions_that_are_tested_are_those_that_are_declared(name: str, bound: Version) -> None:
    oldest = Version(_pinned("constraints-oldest.txt")[name])
    assert oldest >= bound
    # The first release of a series may be a later one: no smaller version was there, or it was withdrawn.
    assert oldest.release[:2] == (*bound.release, 0)[:2]


def test_scikit_learn_s_bounds_are_the_integration_s() -> None:
    (requirement,) = [Requirement(text) for text in PROJECT["dependencies"] if text.startswith("scikit-learn")]
    assert requirement == Requirement(INTEGRATIONS["sklearn"].requirement)


@pytest.fixture
def _version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: request.param if name == "scikit-learn" else real(name))


@pytest.mark.usefixtures("_version")
@pytest.mark.parametrize("_version", ["1.99.0", "1.10.dev0", "1.5rc1"], indirect=True)
def test_an_unknown_version_is_hooked_and_nothing_is_said(data: Any, runs: Any) -> None:
    fitbook.autolog()
    LinearRegression().fit(*data)
    assert len(runs()) == 1


@pytest.mark.usefixtures("_version")
@pytest.mark.parametrize("_version", ["1.4.2", "2.0"], indirect=True)
def test_a_version_that_is_not_supported_is_left_alone_and_named(data: Any, runs: Any) -> None:
    with pytest.warns(FitbookWarning, match=r"fitbook works with scikit-learn>=1.5,<2"):
        fitbook.autolog()
    LinearRegression().fit(*data)
    assert runs() == []


@pytest.mark.usefixtures("_version")
@pytest.mark.parametrize("_version", ["1.99.0"], indirect=True)
def test_what_a_newer_version_has_no_place_for_is_named_once_and_the_rest_is_hooked(
    data: Any, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sklearn.metrics, "brier_score_loss")
    monkeypatch.setattr(sklearn.metrics, "max_error", lambda y_true, y_pred: 0.0)  # checks nothing, so has no door
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fitbook.autolog()
        model = LinearRegression().fit(*data)
        sklearn.metrics.r2_score(data[1], model.predict(data[0]))
    (message,) = [str(one.message) for one in said if one.category is FitbookWarning]
    assert "sklearn.metrics" in message
    named = set(message.partition("not recorded are: ")[2].split(", "))
    assert named - set(SINCE) == {
        "brier_score_loss",
        "max_error",
    }  # the installed one may be older than it is said to be
    (run,) = runs()
    assert [key for key in run.data.metrics if key.startswith("r2_score")] != []


@pytest.mark.usefixtures("_version")
@pytest.mark.parametrize("_version", ["1.5.0"], indirect=True)
def test_what_an_older_version_never_had_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sklearn.metrics, "d2_brier_score", raising=False)
    monkeypatch.delattr(sklearn.metrics, "metric_at_thresholds", raising=False)
    fitbook.autolog()  # a warning would be an error here


class Compiled:
    """Stands for a function of an extension module: callable, but none of Python's own."""

    def __get__(self, instance: object, owner: type) -> Any:
        return lambda X, y=None: instance

    def __call__(self, instance: object, X: object, y: object = None) -> object:
        return instance


def test_a_fit_that_can_t_be_hooked_is_named(runs: Any) -> None:
    fitbook.autolog()
    with pytest.warns(FitbookWarning, match=r"Fast\.fit is no Python function, so its fits are not recorded"):

        class Fast(BaseEstimator):
            fit = Compiled()

    Fast().fit(np.eye(2))
    assert runs() == []
