import functools
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitbook.autolog.sklearn._params import MASK, MAX_TEXT, params, secrets_in, text


class Holder(BaseEstimator):
    def __init__(self, value=None, password=None, api_key=None, token_pattern=None, inner=None):
        self.value, self.password, self.api_key, self.token_pattern, self.inner = (
            value,
            password,
            api_key,
            token_pattern,
            inner,
        )

    def fit(self, X, y=None):
        return self


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


class Anonymous:
    pass


def shown(value):
    return params(Holder(value))["value"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("l2", "l2"),
        ("", ""),
        ("a\x00b\udce4", "a\\x00b\\udce4"),
        (None, "None"),
        (True, "True"),
        (0.1, "0.1"),
        (float("nan"), "nan"),
        (10**30, str(10**30)),
        (np.float64(0.1), "0.1"),
        (np.int32(3), "3"),
        (np.bool_(True), "True"),
        (["a", 1], "['a', 1]"),
        ((1,), "(1,)"),
        ({"b": 1, "a": (2, 3)}, "{'b': 1, 'a': (2, 3)}"),
        ({"z", "a"}, "{'a', 'z'}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (np.array([1.5, 2]), "array([1.5, 2.0], dtype=float64)"),
        (np.log, "<ufunc 'log'>"),
        (len, "len"),
        (int, "int"),
        (KFold(3), "KFold(n_splits=3, random_state=None, shuffle=False)"),
        (RBF(2.0), "RBF(length_scale=2)"),
        (LogisticRegression(C=2), "LogisticRegression"),
        ([("a", StandardScaler())], "[('a', StandardScaler)]"),
        (loguniform(1, 10), "loguniform(1, 10)"),
        (functools.partial(max, 1, key=abs), "functools.partial(max, 1, key=abs)"),
        (Unprintable(), "<unprintable Unprintable>"),
        ([Unprintable()], "[<unprintable Unprintable>]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values(value, expected):
    assert shown(value) == expected


def test_functions_are_named_not_addressed():
    assert shown(lambda x: x).endswith("test_functions_are_named_not_addressed.<locals>.<lambda>")
    assert shown(Anonymous()).endswith("Anonymous object>")
    assert shown(np.random.RandomState(0)) == "RandomState(MT19937)"


@pytest.mark.parametrize(
    "value",
    [np.arange(1000.0), pd.DataFrame({"a": range(1000)}), pd.Series(range(99)), scipy.sparse.eye(99, format="csr")],
    ids=lambda value: type(value).__name__,
)
def test_large_data_is_told_by_shape_and_digest(value):
    told = shown(value)
    assert len(told) < 120
    assert re.search(r"shape=\(\d+,.*digest=[0-9a-f]{16}", told)
    assert shown(value.copy()) == told


def test_cycles_end():
    loop = []
    loop.append(loop)
    assert shown(loop) == "[...]"


def test_deep_and_shallow():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    deep = params(pipeline)
    assert deep["logisticregression__C"] == "0.5"
    assert deep["steps"] == "[('standardscaler', StandardScaler), ('logisticregression', LogisticRegression)]"
    assert "logisticregression__C" not in params(pipeline, deep=False)


def test_secrets_are_masked_and_their_neighbours_are_not():
    inner = Holder({"secret": "s3", "plain": 1}, "hunter2", 1234, "[a-z]")
    found = params(Holder(inner=inner))
    assert found["inner__password"] == found["inner__api_key"] == MASK
    assert found["inner__value"] == f"{{'secret': '{MASK}', 'plain': 1}}".replace(f"'{MASK}'", MASK)
    assert found["inner__token_pattern"] == "[a-z]"
    assert found["password"] == "None"
    assert "token_pattern" in params(TfidfVectorizer())
    assert MASK not in params(TfidfVectorizer()).values()
    assert secrets_in(Holder(inner=inner)) == ["hunter2"]


def test_long_text_is_cut_with_length_and_digest():
    exact, longer = "x" * MAX_TEXT, "x" * 150_000
    assert shown(exact) == exact
    cut = shown(longer)
    assert cut.startswith(exact)
    assert re.search(r"… \[150,000 characters, sha256 [0-9a-f]{64}\]$", cut)


class Raises:
    def get_params(self, deep=True):
        raise KeyError("x")


class ReturnsList:
    def get_params(self, deep=True):
        return [1]


class OddKeys:
    def get_params(self, deep=True):
        return {1: "a", None: 2, ("t",): 3}


def test_hostile_get_params():
    assert params(Raises()) == {"get_params": "<unreadable: KeyError>"}
    assert params(ReturnsList()) == {"get_params": "<unreadable: returned list>"}
    assert params(OddKeys()) == {"1": "a", "None": "2", "('t',)": "3"}
    assert params(object()) == {"get_params": "<unreadable: AttributeError>"}
    assert secrets_in(Raises()) == []


def test_a_search_tells_its_distributions():
    search = RandomizedSearchCV(LogisticRegression(), {"C": loguniform(0.1, 10)})
    assert params(search)["param_distributions"] == "{'C': loguniform(0.1, 10)}"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)


@given(anything)
def test_every_value_has_a_text_that_repeats(value):
    assert isinstance(text(value), str)
    assert text(value) == text(value)


@given(st.lists(st.integers() | st.text().filter(lambda s: "\\" not in s)))
def test_plain_containers_look_as_in_python(value):
    assert text(value) == repr(value)
