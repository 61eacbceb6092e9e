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


@pytest.mark.parametrize("value", ["", "a", "ü 模型"])
def test_texts_may_be_asked_for(value: str) -> None:
    assert _validate.asked("tag key", value) == value


@pytest.mark.parametrize(
    ("value", "says"),
    [(0, "tag key 0 is of type int; give a string"), ("a\x00", r"has '\\x00', which no tag key"), ("\ud800", "ud800")],
)
def test_what_is_no_text_is_not_asked_for(value: Any, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        _validate.asked("tag key", value)


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


TOO_LONG = "é" * (_validate.MAX_TEXT // 2 + 1)


@pytest.mark.parametrize("value", ["", " ", "ü🙂\n\t\x01", 3, None, 1.5, [1], "x" * _validate.MAX_TEXT, TOO_LONG[1:]])
def test_texts(value: Any) -> None:
    assert _validate.text("tag", value) == str(value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a\x00b", r"The tag 'a\\x00b' has a NUL at character 2, .*escape it"),
        ("ü\ud800", r"'\\ud800', half of a surrogate pair, at character 2"),
        ("x" * (_validate.MAX_TEXT + 1), r"x….* 6,000,001 bytes; at most 6,000,000 .*artifact"),
        (TOO_LONG, "6,000,002 bytes"),
    ],
    ids=["nul", "surrogate", "long", "long in bytes"],
)
def test_what_is_no_text(value: str, says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        _validate.text("tag", value)
    safe = _validate.safe_text(value)
    assert _validate.text("tag", safe) == safe


def test_texts_of_few_characters() -> None:
    assert _validate.text("user id", "ü" * 5, 5) == "ü" * 5
    with pytest.raises(InvalidValue, match="user id 'üüüüüü' has 6 characters; at most 5"):
        _validate.text("user id", "ü" * 6, 5)


@given(value=st.text(st.characters(exclude_categories=())) | st.binary() | st.floats())
def test_a_safe_text_is_always_accepted_and_good_ones_stay(value: object) -> None:
    safe = _validate.safe_text(value)
    assert _validate.text("tag", safe) == safe
    try:
        accepted = _validate.text("tag", value)
    except InvalidValue:
        assert safe != value
    else:
        assert safe == accepted


def test_safe_texts_show_what_was_there() -> None:
    assert _validate.safe_text("a\x00b\udce4") == "a\\x00b\\udce4"
    assert _validate.safe_text(TOO_LONG).endswith("é…")


@pytest.mark.parametrize("value", ["a", "0" * 32, "m-1_B"])
def test_ids(value: str) -> None:
    assert _validate.identifier("run id", value) == value


@pytest.mark.parametrize("value", ["", "x" * 33, "-a", "a b", "a\n", "ä", "٣", "a/b", None, 3, b"a"])
def test_bad_ids(value: Any) -> None:
    with pytest.raises(InvalidValue, match="The run id .* is not 1 to 32 letters"):
        _validate.identifier("run id", value)
