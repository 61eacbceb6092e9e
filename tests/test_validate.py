from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook import _validate
from fitbook.errors import InvalidValue


@pytest.mark.parametrize("key", ["a", "a b", "a/b/c", "a.b", "ü_1-2", "模型", "a:b", " a", "x" * 250, "..a", "a..b"])
def test_good_keys(key: str) -> None:
    assert _validate.key("metric", key) == key


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (3, "metric key 3 is a int; give a string"),
        ("", "empty; give it a name"),
        ("x" * 251, "has 251 characters; at most 250"),
        ("a*b=c", r"contains '\*='; letters, digits"),
        ("a\n", "contains"),
        ("a/../b", "not a plain path"),
    ],
)
def test_bad_keys_say_what_is_wrong(key: Any, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        _validate.key("metric", key)


@given(value=st.one_of(st.text(max_size=400), st.integers(), st.none(), st.tuples(st.text())))
def test_a_safe_key_is_always_accepted_and_good_ones_stay(value: object) -> None:
    made = _validate.safe_key(value)
    assert _validate.key("parameter", made) == made
    assert _validate.safe_key(made) == made


@given(key=st.text(max_size=260))
def test_what_is_accepted_is_safe_already(key: str) -> None:
    try:
        _validate.key("parameter", key)
    except InvalidValue:
        return
    assert _validate.safe_key(key) == key


@pytest.mark.parametrize(
    ("given", "step"),
    [(None, 0), (3, 3), (3.0, 3), (-1, -1), (True, 1), (np.int64(2**62 + 1), 2**62 + 1), (np.float32(2), 2)],
)
def test_steps(given: Any, step: int) -> None:
    assert _validate.step(given) == step
    assert type(_validate.step(given)) is int


@pytest.mark.parametrize("wrong", [1.5, math.nan, math.inf, "1", 2**63, 10**400, [1], 1j])
def test_bad_steps(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="step .* is not a whole number"):
        _validate.step(wrong)


def test_timestamps() -> None:
    assert _validate.timestamp(1.7e12 + 0.7) == 1_700_000_000_000
    for wrong in ("now", None, math.inf, 2**63):
        with pytest.raises(InvalidValue, match="timestamp"):
            _validate.timestamp(wrong)


@pytest.mark.parametrize(
    ("given", "number"), [(1, 1.0), (True, 1.0), (Fraction(1, 2), 0.5), (np.float32(0.5), 0.5), (np.array([2]), 2.0)]
)
def test_metric_values(given: Any, number: float) -> None:
    assert _validate.metric_value("m", given) == number
    assert type(_validate.metric_value("m", given)) is float


@pytest.mark.parametrize(
    "wrong", ["1", None, 1j, [1.0], np.array([1.0, 2.0]), np.array(["x"]), Decimal("1.5"), 10**400]
)
def test_what_is_no_metric_value(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="'m' got"):
        _validate.metric_value("m", wrong)


@pytest.mark.parametrize("name", ["a", "a/b:c", "größe 模型", "x" * 256])
def test_names(name: str) -> None:
    assert _validate.name("run", name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [(None, "NoneType"), (" ", "empty"), ("x" * 257, "257 characters"), ("a\tb", "control"), ("\ud800", "Unicode")],
)
def test_bad_names(name: Any, says: str) -> None:
    with pytest.raises(InvalidValue, match=f"run name.*{says}"):
        _validate.name("run", name)


def test_names_without_slashes() -> None:
    for name in ("a/b", "a:b"):
        with pytest.raises(InvalidValue, match="model URIs"):
            _validate.name("model", name, slashes=False)


def test_one_of_a_few() -> None:
    assert _validate.one_of("status", "A", ("A", "B")) == "A"
    for wrong in ("a", None, ["A"]):
        with pytest.raises(InvalidValue, match="The status .* is none of A, B"):
            _validate.one_of("status", wrong, ("A", "B"))
