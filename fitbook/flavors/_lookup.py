"""Flavors by name: the built-in ones, and those that installed distributions announce."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from fitbook.errors import ModelError, NotFound
from fitbook.flavors._base import Flavor
from fitbook.flavors._catboost import CatBoostFlavor
from fitbook.flavors._lightgbm import LightGBMFlavor
from fitbook.flavors._onnx import OnnxFlavor
from fitbook.flavors._python_model import PythonModelFlavor
from fitbook.flavors._pytorch import PyTorchFlavor
from fitbook.flavors._sklearn import SklearnFlavor
from fitbook.flavors._statsmodels import StatsmodelsFlavor
from fitbook.flavors._xgboost import XGBoostFlavor

GROUP = "fitbook.flavors"

_BUILT_IN: dict[str, Flavor] = {
    flavor.name: flavor
    for flavor in (
        *(SklearnFlavor(), PythonModelFlavor(), XGBoostFlavor(), LightGBMFlavor(), CatBoostFlavor()),
        *(StatsmodelsFlavor(), OnnxFlavor(), PyTorchFlavor()),
    )
}


def flavor_named(name: str) -> Flavor:
    """Find a flavor; nothing is imported that an installed distribution did not announce under this name.

    Parameters
    ----------
    name : str
        As the MLmodel file names it, e.g. ``"sklearn"``.

    Raises
    ------
    NotFound
        There is none.
    ModelError
        An entry point names it, and what it loads is no flavor.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    points = _announced()
    if name not in points:
        raise NotFound("flavor", name, known=flavor_names())
    found = points[name].load()
    flavor = found() if isinstance(found, type) else found
    if not isinstance(flavor, Flavor):
        raise ModelError(f"The entry point {points[name].value!r} of the group {GROUP!r} gives no flavor: {flavor!r}.")
    return flavor


def flavor_names() -> list[str]:
    """Names of all flavors: the built-in ones first."""
    return [*_BUILT_IN, *(name for name in sorted(_announced()) if name not in _BUILT_IN)]


@cache
def _announced() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
