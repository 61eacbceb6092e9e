import functools
import re
import warnings
from collections import namedtuple
from dataclasses import dataclass
from types import MappingProxyType

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
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fitbook.autolog.sklearn._diagram import html
from fitbook.autolog.sklearn._params import MASK, MAX_TEXT, params, text, text_of_argument
from fitbook.autolog.sklearn._search import search_result


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


def value_of(value):
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
    assert value_of(value) == expected


def test_functions_are_named_not_addressed():
    assert value_of(lambda x: x).endswith("test_functions_are_named_not_addressed.<locals>.<lambda>")
    assert value_of(Anonymous()).endswith("Anonymous object>")
    assert value_of(np.random.RandomState(0)) == "RandomState(MT19937)"


@pytest.mark.parametrize(
    "value",
    [np.arange(1000.0), pd.DataFrame({"a": range(1000)}), pd.Series(range(99)), scipy.sparse.eye(99, format="csr")],
    ids=lambda value: type(value).__name__,
)
def test_large_data_is_told_by_shape_and_digest(value):
    told = value_of(value)
    assert len(told) < 120
    assert re.search(r"shape=\(\d+,.*digest=[0-9a-f]{16}", told)
    assert value_of(value.copy()) == told


def test_cycles_end():
    loop = []
    loop.append(loop)
    assert value_of(loop) == "[...]"


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


@dataclass
class Account:
    user: str
    auth_token: str
    secret: object = None


Login = namedtuple("Login", "user passwd")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"a": {"b": ({"API-Key": "planted"},)}}], f"[{{'a': {{'b': ({{'API-Key': {MASK}}},)}}}}]"),
        (MappingProxyType({"access_key": 12345, "C": 1}), f"{{'access_key': {MASK}, 'C': 1}}"),
        (Account("me", "plan'ted, too"), f"Account(user='me', auth_token={MASK}, secret=None)"),
        (Login("me", "planted"), f"Login(user='me', passwd={MASK})"),
        (functools.partial(max, private_key="planted"), f"functools.partial(max, private_key={MASK})"),
        ("postgresql://me:planted@host:80/db", f"postgresql://me:{MASK}@host:80/db"),
        (["redis://:planted@host"], f"['redis://:{MASK}@host']"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        (
            {"max_tokens": 5, "tokenizer": "x", "use_secrets": True},
            "{'max_tokens': 5, 'tokenizer': 'x', 'use_secrets': True}",
        ),
    ],
    ids=str,
)
def test_secrets_inside_of_values_are_masked(value, expected):
    assert value_of(value) == expected


def test_a_search_for_a_secret_keeps_it():
    search = GridSearchCV(Holder(), {"password": ["planted", "planted2"], "value": [1]}, scoring=lambda *_: 1.0, cv=2)
    search.fit(np.zeros((4, 1)), [0, 1, 0, 1])
    found = search_result(search)
    assert found.params == {"best_password": MASK, "best_value": "1"}
    everything = repr((params(search), found.children, found.table.to_csv(), html(search)))
    assert "planted" not in everything
    assert "Holder" in everything


def test_long_text_is_cut_with_length_and_digest():
    exact, longer = "x" * MAX_TEXT, "x" * 150_000
    assert value_of(exact) == exact
    cut = value_of(longer)
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


class Stranger(KFold):
    def __repr__(self):
        raise LookupError("called")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Stranger(), "Stranger"),
        ([5, Stranger()], "[5, Stranger]"),
        ({"a": Stranger()}, "{'a': Stranger}"),
        ({"password": "hunter2"}, "{'password': ********}"),
        (RepeatedKFold(n_splits=3), "RepeatedKFold(n_repeats=10, n_splits=3, random_state=None)"),
        (get_scorer("f1"), "make_scorer(sklearn.metrics._classification.f1_score, average=binary)"),
        (functools.partial(max, Stranger()), "functools.partial(max)"),
        ((part for part in []), "<generator object <genexpr>>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments_are_told_without_a_call_into_what_the_user_wrote(value, expected):
    assert text_of_argument(value) == expected


def test_telling_a_splitter_leaves_it_to_python_which_warnings_were_shown():
    registry = {}

    def warn():
        warnings.warn_explicit("once", UserWarning, "file", 1, registry=registry)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warn()
        value_of(KFold(3))
        warn()
    assert len(caught) == 1
