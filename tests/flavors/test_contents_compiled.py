"""Every name on the list that is compiled has a check, or stands here with the reason why it needs none."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

from fitbook.flavors._allowed import RENAMED, RENAMED_MODULES, allowed
from fitbook.flavors._contents import AT_THE_END, CALLS, STATES

IS_NEWEST = Version(version("scikit-learn")) >= Version("1.9")
CHECKED = {*CALLS, *STATES, *AT_THE_END}

HARMLESS = {
    "Python's own types and functions make nothing but themselves, of arguments whose types they ask for": """
        builtins bool; builtins bytes; builtins complex; builtins dict; builtins float; builtins int; builtins len;
        builtins list; builtins object; builtins set; builtins slice; builtins sorted; builtins str; builtins tuple;
        datetime date; datetime datetime; datetime timedelta; datetime timezone; functools partial""",
    "numpy's types of numbers and arrays are named as a dtype or as what a checked function makes": """
        numpy float64; numpy int64; numpy ndarray""",
    "numpy's functions look at the shapes of what they get": """
        numpy mean; numpy median; numpy nan_to_num; numpy std; numpy sum""",
    "numpy's ufuncs, of which older versions have not all": """
        numpy bitwise_count; numpy matvec; numpy vecdot; numpy vecmat""",
    "Python code, of older versions of scikit-learn": """
        sklearn.compose._column_transformer _RemainderColsList""",
    "generators are made with a state of their own, which is replaced by one that is checked": """
        numpy.random._mt19937 MT19937; numpy.random._pcg64 PCG64; numpy.random._philox Philox;
        numpy.random._sfc64 SFC64""",
    "a seed is Python's numbers and an array that is gone through with bounds": """
        numpy.random.bit_generator SeedSequence; numpy.random.bit_generator __pyx_unpickle_SeedSequence""",
    "losses have declared numbers only, and Cython asks whether what it fills is a subclass": """
        sklearn._loss._loss CyAbsoluteError; sklearn._loss._loss CyExponentialLoss; sklearn._loss._loss CyHalfBinomialLoss;
        sklearn._loss._loss CyHalfGammaLoss; sklearn._loss._loss CyHalfMultinomialLoss;
        sklearn._loss._loss CyHalfPoissonLoss; sklearn._loss._loss CyHalfSquaredError;
        sklearn._loss._loss CyHalfTweedieLoss; sklearn._loss._loss CyHalfTweedieLossIdentity;
        sklearn._loss._loss CyHuberLoss; sklearn._loss._loss CyPinballLoss;
        sklearn._loss._loss __pyx_unpickle_CyAbsoluteError; sklearn._loss._loss __pyx_unpickle_CyExponentialLoss;
        sklearn._loss._loss __pyx_unpickle_CyHalfBinomialLoss; sklearn._loss._loss __pyx_unpickle_CyHalfGammaLoss;
        sklearn._loss._loss __pyx_unpickle_CyHalfMultinomialLoss; sklearn._loss._loss __pyx_unpickle_CyHalfPoissonLoss;
        sklearn._loss._loss __pyx_unpickle_CyHalfSquaredError; sklearn._loss._loss __pyx_unpickle_CyHalfTweedieLoss;
        sklearn._loss._loss __pyx_unpickle_CyHalfTweedieLossIdentity; sklearn._loss._loss __pyx_unpickle_CyHuberLoss;
        sklearn._loss._loss __pyx_unpickle_CyPinballLoss;
        sklearn.linear_model._sgd_fast EpsilonInsensitive; sklearn.linear_model._sgd_fast Hinge;
        sklearn.linear_model._sgd_fast Huber; sklearn.linear_model._sgd_fast Log;
        sklearn.linear_model._sgd_fast ModifiedHuber; sklearn.linear_model._sgd_fast SquaredHinge""",
    "classes that only a checked function fills; called by themselves, their constructors look at what they get": """
        sklearn.neighbors._kd_tree KDTree; sklearn.neighbors._ball_tree BallTree; sklearn.metrics._dist_metrics *""",
    "pandas' numbers: made of a few numbers, each converted with a look at its range": """
        pandas Interval; pandas NA; pandas Period; pandas._libs.interval Interval; pandas._libs.missing NA;
        pandas._libs.tslibs.nattype __nat_unpickle; pandas._libs.tslibs.nattype _nat_unpickle;
        pandas._libs.tslibs.offsets MonthEnd; pandas._libs.tslibs.period Period;
        pandas._libs.tslibs.timedeltas _timedelta_unpickle; pandas._libs.tslibs.timestamps _unpickle_timestamp""",
    "a block by itself keeps what it gets; the table that it becomes part of is checked": """
        pandas._libs.internals _unpickle_block""",
}
HARMLESS_NAMES = {name.strip() for names in HARMLESS.values() for name in names.split(";")}


def _name(listed: str) -> str:
    module, name = listed.split(" ")
    return " ".join(RENAMED.get((module, name), (RENAMED_MODULES.get(module, module), name)))


def _is_compiled(listed: str) -> bool:
    """Whether a name is of compiled code; what older libraries had counts as such, for nobody can know."""
    module, name = listed.split(" ")
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        module = module.replace("numpy.core.", "numpy._core.")
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return IS_NEWEST
    if isinstance(found, type):
        heap = bool(found.__flags__ & (1 << 9))
        file = getattr(importlib.import_module(found.__module__), "__file__", None) or ".so"
        return not heap or not file.endswith(".py")
    return not inspect.isfunction(found) and not isinstance(found, np.ufunc)


def _is_harmless(name: str) -> bool:
    return name in HARMLESS_NAMES or f"{name.split(' ')[0]} *" in HARMLESS_NAMES


@pytest.mark.filterwarnings("ignore")
def test_what_is_compiled_is_checked_or_harmless() -> None:
    names = {_name(name) for name in allowed()["any"]}
    open_ = {name for name in names - CHECKED if not _is_harmless(name) and _is_compiled(name)}
    assert not open_, "neither a check in _contents.py nor a reason here"


def test_what_makes_objects_of_any_class_is_checked() -> None:
    for name in ("copyreg _reconstructor", "copyreg __newobj__", "builtins getattr", "builtins type"):
        assert name not in allowed()["any"] or name in CALLS
    for name in allowed()["call"]:
        assert name in CHECKED or not name.endswith((" newObj", " _new_Index", " _reconstruct", " _mareconstruct")), (
            name
        )


def test_no_check_and_no_reason_is_left_over() -> None:
    names = {_name(name) for name in allowed()["any"]}
    kept = {name.partition(" ")[0] for name in names}
    assert not CHECKED - names
    assert not {name for name in HARMLESS_NAMES - names if not (name.endswith(" *") and name[:-2] in kept)}
