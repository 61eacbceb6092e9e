"""Loads that would never end or fill the memory, and names that are values where no model has them."""

from __future__ import annotations

import functools
import pickle
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import BisectingKMeans
from sklearn.cluster._birch import _CFSubcluster
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics._dist_metrics import newObj
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KDTree
from sklearn.preprocessing import FunctionTransformer

from fitbook.errors import UntrustedModel
from fitbook.flavors._trust import loads, trusting

X = np.random.RandomState(0).uniform(size=(30, 3))
MODULUS = 2**61 - 1


class By:
    """Pickled as a call of what it is given, with a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def refused(value: Any, match: str) -> None:
    with pytest.raises(UntrustedModel, match=match):
        loads(value if isinstance(value, bytes) else pickle.dumps(value), source="there")


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (range(10**15), "far too long"),
        (By(deque, (range(9), 0)), "container|range"),
        (By(deque, (b"abc",)), "container"),
        (By(deque, ((), None, 1)), "container"),
        (By(Counter, (range(9),)), "counter|range"),
        (By(OrderedDict, ([(1, 2)],)), "container"),
        (By(defaultdict, (list, {1: 2})), "container"),
        (By(complex, (range(9),)), "with a range"),
        (By(slice, ([range(9)],)), "with a range"),
        ([By(Counter, (words,)) for words in [{f"word{n}": n for n in range(20_000)}] for _ in range(200)], "so often"),
    ],
    ids=["range", "deque", "bytes", "three", "Counter", "OrderedDict", "defaultdict", "complex", "slice", "again"],
)
def test_a_few_bytes_do_not_become_many(value: Any, match: str) -> None:
    refused(value, match)


def test_containers_and_ranges_of_models_are_loaded() -> None:
    for value in (
        *(deque([1, 2], maxlen=3), deque([1]), Counter("aab"), OrderedDict(a=1), defaultdict(list, a=[1])),
        {"depth": range(1, 20)},
    ):
        assert loads(pickle.dumps(value), source="here") == value
    search = GridSearchCV(Ridge(), {"alpha": range(1, 4)}, cv=3).fit(X, X[:, 0])
    assert loads(pickle.dumps(search), source="here") is not None


def _integers(*numbers: int) -> bytes:
    return b"".join(b"\x8a\x0a" + number.to_bytes(10, "little", signed=True) for number in numbers)


COLLIDING = [MODULUS * n for n in range(1, 1500)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04}(" + b"".join(_integers(n) + b"N" for n in COLLIDING) + b"u.",
        b"\x80\x04(" + _integers(*COLLIDING) + b"\x91.",
        b"\x80\x04\x8f(" + _integers(*COLLIDING) + b"\x90.",
        b"\x80\x04}" + b"".join(_integers(n) + b"Ns" for n in COLLIDING) + b".",
        b"\x80\x04ccollections\nOrderedDict\n)R(" + b"".join(_integers(n) + b"N" for n in COLLIDING) + b"u.",
        b"\x80\x04}(" + b"".join(_integers(n, n) + b"\x86N" for n in range(2**33, 2**33 + 1500)) + b"u.",
        b"\x80\x04}(" + b"".join(b"(" + _integers(n) + b"\x91N" for n in COLLIDING) + b"u.",
        b"\x80\x04}(" + b"".join(b"G" + struct.pack(">d", n) + b"\x85N" for n in range(1500)) + b"u.",
        b"\x80\x04}(" + b"".join(b"\x8b\x28\0\0\0" + n.to_bytes(40, "little") + b"N" for n in COLLIDING) + b"u.",
        pickle.dumps({complex(n, n): n for n in range(1500)}),
    ],
    ids=["dict", "frozenset", "set", "one by one", "ordered", "tuples", "sets", "floats", "long", "complex"],
)
def test_thousands_of_keys_of_one_hash_are_refused(data: bytes) -> None:
    refused(data, "could all have one hash")


def test_keys_of_models_are_loaded() -> None:
    for value in (
        {n + 2**40: n for n in range(3000)},
        {(f"a{n}", n): n for n in range(3000)},
        {np.int64(n): n for n in range(1500)},
        {n / 7 for n in range(3000)},
        {MODULUS * n: n for n in range(100)},
    ):
        assert loads(pickle.dumps(value), source="here") == value


def test_what_may_be_called_is_no_value_for_that() -> None:
    model = LinearRegression().fit(X, X[:, 0])
    for function in (getattr, slice, range, bytearray):
        refused(functools.partial(function, model), f"builtins.{function.__name__}")
        refused(FunctionTransformer(func=function), f"builtins.{function.__name__}")
        refused([{"a": (function,)}], f"builtins.{function.__name__}")
        refused(function, f"builtins.{function.__name__}")
        with trusting([f"builtins.{function.__name__}"]):
            assert loads(pickle.dumps(function), source="here") is function


def test_the_loops_of_k_means_belong_to_one_estimator() -> None:
    model = BisectingKMeans(2, random_state=0).fit(X)
    assert loads(pickle.dumps(model), source="here") is not None
    loop = model._kmeans_single
    for value in (FunctionTransformer(func=loop), functools.partial(loop, X), [model, loop]):
        refused(value, "_kmeans_single_lloyd on")


def test_an_object_is_built_and_filled_as_its_class_says() -> None:
    refused(By(newObj, (KDTree,)), "it builds an object by what is there for others")
    refused(By(newObj, (type(KDTree(X).__getstate__()[11]),)), "never filled")
    part = _CFSubcluster(linear_sum=X[0])
    made = pickle.dumps(part, protocol=4)
    # Of a pair of states the second is set attribute by attribute: the class, too.
    refused(made[:-2] + b"}X\x09\0\0\0__class__K\x01s\x86b.", "another state than those have")
    refused(made[:-1] + b"X\x01\0\0\0aK\x01s.", "puts items into")


@pytest.mark.parametrize("name", ["predict", "_decision_function", "_parameter_constraints", "__class__", "get_params"])
def test_a_state_hides_no_method_of_its_class(name: str) -> None:
    model = LinearRegression().fit(X, X[:, 0])
    model.__dict__[name] = np.sum
    refused(model, "hides what its class has")
