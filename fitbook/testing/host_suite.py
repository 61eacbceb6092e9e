"""The promise to the host program as tests: scikit-learn behaves the same with autologging on, off, and on then off.

::

    class TestHost(HostSuite):
        '''That is all.'''
"""

from __future__ import annotations

import gc
import inspect
import pickle
import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cloudpickle
import numpy as np
import pytest
import sklearn
import sklearn.metrics
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators
from sklearn.utils.fixes import parse_version

from fitbook.autolog import autolog
from fitbook.autolog.sklearn import POINTS, Role
from fitbook.tracking._writer import writer

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples")
TABLE = (*METHODS, "score", "fit", "fit_predict", "fit_transform", "partial_fit", "inverse_transform", "classes_")
HOOKED = ("fit", "fit_predict", "fit_transform", *METHODS, "score")

# A few of each kind, for which everything that can be turned on is.
THOROUGH = ("RandomForestClassifier", "Pipeline-0", "GridSearchCV-0", "KMeans", "Ridge", "PCA", "SVC-0")

# Estimators that remember how long something took, or whose pickles differ from fit to fit for another reason. What
# differs is left out of the comparison, by attribute.
TIMES = ("cv_results_", "refit_time_", "_time_fit_at", "_time_predict_at")


class UnreadableData:
    """Data that fails when it is read, in code of the user's."""

    shape = (10, 2)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """Raise."""
        raise LookupError("this data can't be read", 42)

    def __len__(self) -> int:
        """Ten rows."""
        return 10


@dataclass(frozen=True)
class Case:
    """One way to make an estimator, and data that it takes."""

    name: str
    make: Callable[[], Any]
    data: tuple[Any, ...]

    def __str__(self) -> str:
        return self.name


def cases() -> list[Case]:
    """Every way in which scikit-learn's own tests construct each of its estimators."""
    found = []
    for name, cls in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # some are deprecated, and hooked nonetheless
            made = instances(cls)
        for number, estimator in enumerate(made):
            label = f"{name}-{number}" if len(made) > 1 else name
            found.append(Case(label, lambda e=estimator: clone(e), data_for(name, estimator)))  # type: ignore[misc]
    return found


def instances(cls: Any) -> list[Any]:
    """Make an estimator in every way in which scikit-learn's own tests do."""
    if cls.__name__ == "FrozenEstimator":
        X, y = np.arange(24.0).reshape(6, 4), [0, 1] * 3
        return [cls(LogisticRegression().fit(X, y))]
    if cls.__name__ == "SparseCoder":
        return [cls(np.eye(3))]  # scikit-learn 1.6 and 1.7 leave it out
    if parse_version(sklearn.__version__) >= parse_version("1.6"):
        from sklearn.utils._test_common.instance_generator import _construct_instances

        return list(_construct_instances(cls))
    from sklearn.utils.estimator_checks import _construct_instance, _set_checking_parameters

    # The older one leaves these out.
    model, grid = LogisticRegression(), {"C": [0.1, 1.0]}
    steps = [("scale", StandardScaler()), ("model", model)]
    composed: dict[str, list[Callable[[], Any]]] = {
        "Pipeline": [lambda: cls(steps), lambda: cls(steps[:1])],
        "FeatureUnion": [lambda: cls(steps[:1])],
        "ColumnTransformer": [lambda: cls([("scale", StandardScaler(), [0, 1])])],
        "SVC": [cls, lambda: cls(probability=True)],
        "RandomizedSearchCV": [lambda: cls(model, grid, n_iter=2, random_state=0)],
        "GridSearchCV": [lambda: cls(model, grid), lambda: cls(Ridge(), {"alpha": [0.1, 1.0]})],
        **{f"Halving{kind}": [lambda: cls(model, grid, random_state=0)] for kind in ("GridSearchCV", "RandomSearchCV")},
    }
    made = [make() for make in composed.get(cls.__name__, [lambda: _construct_instance(cls)])]
    for estimator in made:
        _set_checking_parameters(estimator)
    return made


def data_for(name: str, estimator: Any) -> tuple[Any, ...]:
    """Small data that an estimator takes."""
    rng = np.random.RandomState(0)
    X, y = rng.uniform(1, 2, (30, 4)), np.tile([0, 1], 15)
    X[y == 1] += 0.7
    texts = [f"word{i % 7} other{i % 3} more" for i in range(30)]
    special: dict[str, tuple[Any, ...]] = {
        "CountVectorizer": (texts, y),
        "TfidfVectorizer": (texts, y),
        "DictVectorizer": ([{"a": i % 3, "b": str(i % 2)} for i in range(30)], y),
        "LabelBinarizer": (y,),
        "LabelEncoder": (y,),
        "MultiLabelBinarizer": ([(i % 3, 3) for i in range(30)],),
        "IsotonicRegression": (X[:, 0].copy(), X.sum(axis=1)),
        "GammaRegressor": (X, X.sum(axis=1)),
        "SparseCoder": (X[:, :3].copy(), y),
        "KernelCenterer": (X @ X.T, y),
    }
    if name in special:
        return special[name]
    if "precomputed" in (getattr(estimator, "kernel", None), getattr(estimator, "metric", None)):
        return X @ X.T, y
    if name.startswith(("MultiTask", "MultiOutput")) or name in ("ClassifierChain", "RegressorChain"):
        return X, np.column_stack([y, rng.permutation(y)])
    return X, y


def observe(case: Case, captured: Callable[[], Any]) -> dict[str, Any]:
    """Everything that a user's program can see of one estimator: made, fitted, asked, pickled, and given bad data."""
    np.random.seed(3)
    random.seed(3)
    seen: dict[str, Any] = {}
    data = tuple(_copied(part) for part in case.data)
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        estimator = case.make()
        seen["before fit"] = _outside(estimator)
        seen["fit returns the estimator"] = estimator.fit(*data) is estimator
        seen["after fit"] = _outside(estimator)
        seen["state"] = _state_bytes(estimator)
        seen["attributes"] = list(vars(estimator))
        seen["bound method"] = pickle.dumps(case.make().fit), cloudpickle.dumps(type(estimator))
        seen["clone"] = repr(clone(estimator).get_params())
        for name in METHODS:
            seen[name] = _outcome(lambda name=name: getattr(estimator, name)(data[0]))  # type: ignore[misc]
        seen["score"] = _outcome(lambda: estimator.score(*data))
        for name in ("fit_predict", "fit_transform"):
            seen[name] = _outcome(lambda name=name: getattr(clone(estimator), name)(*data))  # type: ignore[misc]
        for what, bad in (("text", [["bad", "input"]] * 10), ("unreadable", UnreadableData()), ("nothing", None)):
            seen[f"fit of {what}"] = _outcome(lambda bad=bad: case.make().fit(bad, *data[1:]))  # type: ignore[misc]
        seen["fit without arguments"] = _outcome(lambda: case.make().fit())
    writer.flush()
    seen["warnings"] = [(w.category, str(w.message), w.filename, w.lineno) for w in raised]
    seen["filters kept"] = warnings.filters == filters
    seen["global random numbers"] = (pickle.dumps(np.random.get_state()), random.getstate())
    seen["settings"] = (np.geterr(), sklearn.get_config())
    seen["data"] = [_state_of_data(part) for part in data]
    seen["output"] = captured()
    return seen


def _copied(part: Any) -> Any:
    return part.copy() if isinstance(part, np.ndarray) else part


def _outside(estimator: Any) -> tuple[Any, ...]:
    table = [hasattr(estimator, name) for name in TABLE]
    public = [name for name in dir(estimator) if not name.startswith("__")]  # pickling leaves __slotnames__ behind
    return table, repr(estimator), repr(estimator.get_params()), public


def _state_bytes(estimator: Any) -> bytes:
    """The pickle, made independent of the clock."""
    state = pickle.dumps(estimator)
    if not any(name.encode() in state for name in TIMES):
        return state
    copy = pickle.loads(state)
    results = getattr(copy, "cv_results_", {})
    for name in [name for name in results if "_time" in name]:
        results[name] = np.zeros_like(results[name])
    for name in TIMES[1:]:
        vars(copy).pop(name, None)
    return pickle.dumps(copy)


def _outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call returns, as bytes, or raises, with the way there."""
    try:
        result = call()
    except Exception as error:
        frames = [(frame.name, frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        causes = (type(error.__cause__), type(error.__context__), error.__suppress_context__)
        return type(error), str(error), repr(error.args), causes, frames
    return type(result), _state_bytes(result)


def _state_of_data(part: Any) -> Any:
    return (part.tobytes(), str(part.flags)) if isinstance(part, np.ndarray) else repr(part)


def hooked_classes() -> list[type]:
    """Every class of scikit-learn's that may be touched, those that nobody is meant to see included."""
    all_estimators()
    found: dict[type, None] = {}
    waiting: list[type] = [BaseEstimator]
    while waiting:
        cls = waiting.pop()
        for other in (*cls.__mro__, *cls.__subclasses__()):
            if other not in found and other.__module__.startswith(("sklearn.", "joblib.")):
                found[other] = None
                waiting.append(other)
    return list(found)


def _metric_functions() -> dict[str, Any]:
    names = [point.path for point in POINTS if point.role is Role.METRIC and hasattr(sklearn.metrics, point.path)]
    return {name: getattr(sklearn.metrics, name) for name in names}


def _described(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in HOOKED:
        method = inspect.getattr_static(cls, name, None)
        method = getattr(method, "fn", method)
        if inspect.isfunction(method):
            facts = (method.__name__, method.__qualname__, method.__module__, method.__doc__, method.__annotations__)
            found[name] = (*facts, inspect.signature(method), inspect.getsource(method))
    return found


class HostSuite:
    """What autologging must never change."""

    @pytest.fixture(autouse=True)
    def _off_again(self) -> Iterator[None]:
        yield
        autolog(disable=True)

    @pytest.mark.parametrize("case", cases(), ids=str)
    def test_every_estimator_behaves_the_same(self, case: Case, capfd: pytest.CaptureFixture[str]) -> None:
        off = observe(case, capfd.readouterr)
        autolog(log_plots=False)
        self._compare(off, observe(case, capfd.readouterr))
        autolog(disable=True)
        self._compare(off, observe(case, capfd.readouterr))

    @pytest.mark.parametrize("case", [case for case in cases() if case.name in THOROUGH], ids=str)
    def test_with_everything_on(self, case: Case, capfd: pytest.CaptureFixture[str]) -> None:
        off = observe(case, capfd.readouterr)
        autolog(log_input_examples=True, registered_model_name="host", extra_tags={"a": "b"})
        self._compare(off, observe(case, capfd.readouterr))

    def _compare(self, off: dict[str, Any], on: dict[str, Any]) -> None:
        different = [name for name in off if off[name] != on[name]]
        assert {name: on[name] for name in different} == {name: off[name] for name in different}

    def test_no_estimator_is_left_out(self) -> None:
        names = {case.name.partition("-")[0] for case in cases()}
        assert names == {name for name, _ in all_estimators()}
        assert {case.name for case in cases()} >= set(THOROUGH)

    def test_most_estimators_do_fit_here(self) -> None:
        # The comparison would hold as well if every call failed.
        unfit = []
        for case in cases():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    case.make().fit(*case.data)
                except Exception as error:
                    unfit.append((case.name, repr(error)))
        assert unfit == []

    def test_off_again_classes_are_as_before_to_the_last_object(self) -> None:
        gc.collect()
        classes = hooked_classes()
        before = {cls: list(vars(cls).items()) for cls in classes}
        cells = {name: [c.cell_contents for c in f.__closure__ or ()] for name, f in _metric_functions().items()}
        autolog()
        autolog()
        changed = [cls for cls in classes if not _identical(before[cls], vars(cls))]
        assert len(changed) > 150, "nothing was hooked, so this test tells nothing"
        autolog(disable=True)
        assert [cls for cls in classes if not _identical(before[cls], vars(cls))] == []
        for name, function in _metric_functions().items():
            assert all(a.cell_contents is b for a, b in zip(function.__closure__ or (), cells[name], strict=True)), name

    def test_methods_look_the_same(self) -> None:
        off = {cls: _described(cls) for cls in hooked_classes()}
        autolog()
        assert {cls: _described(cls) for cls in off} == off

    def test_methods_are_one_object_each_and_can_be_pickled(self) -> None:
        autolog()
        for name, cls in all_estimators():
            for method in HOOKED:
                # What available_if guards is a new function at each look, by scikit-learn's own doing.
                found = getattr(cls, method, None)
                if inspect.isfunction(inspect.getattr_static(cls, method, None)):
                    assert found is getattr(cls, method), f"{name}.{method}"
                    if found.__qualname__ == f"{name}.{method}" and found is vars(cls).get(method):
                        assert pickle.loads(pickle.dumps(found)) is found

    def test_metric_functions_are_the_same_objects(self) -> None:
        off = _metric_functions()
        autolog()
        for name, function in _metric_functions().items():
            assert function is off[name]
            assert pickle.loads(pickle.dumps(function)) is function


def _identical(before: list[tuple[str, Any]], after: Any) -> bool:
    return len(before) == len(after) and all(
        name == other and value is found for (name, value), (other, found) in zip(before, after.items(), strict=True)
    )
