from __future__ import annotations

import importlib
import inspect

import pytest
import sklearn.metrics
from sklearn.base import BaseEstimator
from sklearn.utils import all_estimators

import fitbook
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog.sklearn import _points
from fitbook.autolog.sklearn._points import METRICS, POINTS, HookPoint, Role

# Public functions of sklearn.metrics that are no hook points, and why.
NOT_HOOKED = {
    "check_scoring": "makes a scorer",
    "get_scorer": "looks a scorer up",
    "get_scorer_names": "lists scorers",
    "make_scorer": "makes a scorer",
    "pairwise_distances": "compares samples, not predictions",
    "pairwise_distances_argmin": "compares samples, not predictions",
    "pairwise_distances_argmin_min": "compares samples, not predictions",
    "pairwise_distances_chunked": "compares samples, not predictions",
    "pairwise_kernels": "compares samples, not predictions",
    "euclidean_distances": "compares samples, not predictions",
    "nan_euclidean_distances": "compares samples, not predictions",
    "consensus_score": "compares biclusters, not predictions",
    "silhouette_samples": "a value for each sample",
    "contingency_matrix": "an intermediate of clustering scores",
    "pair_confusion_matrix": "an intermediate of clustering scores",
}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.module}.{point.path}")
def test_every_hook_point_exists_and_is_hooked(point: HookPoint) -> None:
    patches = INTEGRATIONS["sklearn"].patches
    module = importlib.import_module(point.module)
    target = getattr(module, point.path, None)
    if target is None:
        assert point.since > INTEGRATIONS["sklearn"].version(), "gone from the installed version"
        return

    def hooked() -> bool:
        if point.role in (Role.METRIC, Role.FUNCTION):
            functions = (target, getattr(target, "__wrapped__", target))
            return any(patches.is_ours(cell.cell_contents) for f in functions for cell in f.__closure__ or ())
        if point.role is Role.STEPS:
            return patches.is_ours(vars(target)[_points.STEP_METHOD])
        if point.role is Role.SCORER:
            return patches.is_ours(vars(target)["__call__"])
        if point.role is Role.DISPLAY:
            return all(patches.is_ours(vars(target)[name]) for name in _points.DISPLAY_METHODS)
        if point.role in (Role.OUTPUT, Role.WARNING):
            return patches.is_ours(vars(module)[point.path])
        if point.role is Role.TASKS:
            return patches.is_ours(vars(target)["__call__"])
        return patches.is_ours(vars(target).get("__init_subclass__"))

    assert not hooked()
    fitbook.autolog()
    assert hooked()
    fitbook.autolog(disable=True)
    assert not hooked()


def test_every_public_score_is_hooked_or_has_a_reason_not_to_be() -> None:
    functions = {name for name in sklearn.metrics.__all__ if inspect.isfunction(getattr(sklearn.metrics, name))}
    assert functions - set(METRICS) == set(NOT_HOOKED) & functions
    assert not set(METRICS) & set(NOT_HOOKED)
    assert list(METRICS) == sorted(set(METRICS))


def test_every_estimator_s_methods_are_hooked() -> None:
    fitbook.autolog()
    patches = INTEGRATIONS["sklearn"].patches
    unhooked = []
    for name, cls in all_estimators():
        for method in _points.METHODS:
            owner = next((c for c in cls.__mro__ if method in vars(c)), None)
            is_method = owner is not None and not isinstance(
                vars(owner)[method], property
            )  # which hides an inherited one
            if is_method and not patches.is_ours(vars(owner)[method]):
                unhooked.append(f"{name}.{method}")
    assert unhooked == []


def test_classes_to_come_are_hooked_once_they_are_there() -> None:
    fitbook.autolog()
    patches = INTEGRATIONS["sklearn"].patches

    class New(BaseEstimator):
        def fit(self, X: object) -> New:
            return self

    class Newer(New):
        def fit(self, X: object) -> New:
            return super().fit(X)

    assert patches.is_ours(vars(New)["fit"])
    assert patches.is_ours(vars(Newer)["fit"])
    fitbook.autolog(disable=True)
    assert not patches.is_ours(vars(New)["fit"])

    class Late(BaseEstimator):
        def fit(self, X: object) -> Late:
            return self

    assert not patches.is_ours(vars(Late)["fit"])


def test_each_point_says_what_it_is_for() -> None:
    assert all(role.value for role in Role)
    assert len(set(POINTS)) == len(POINTS)
