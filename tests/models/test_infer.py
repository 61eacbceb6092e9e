import datetime
import decimal
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from fitbook.models._infer import Undescribable, params_of, schema_of


def _types(data):
    return [str(t) if isinstance(t, str) else t for t in schema_of(data).input_types()]


@pytest.mark.parametrize(
    ("array", "dtype", "shape"),
    [
        (np.zeros((3, 4)), "float64", (-1, 4)),
        (np.zeros(3, dtype="int32"), "int32", (-1,)),
        (np.zeros((2, 3, 4), dtype="float32"), "float32", (-1, 3, 4)),
        (np.array(["a", "bcd"]), "str", (-1,)),
        (np.array([["a", 1]], dtype=object), "object", (-1, 2)),
        (scipy.sparse.csr_matrix(np.eye(3)), "float64", (-1, 3)),
        (scipy.sparse.csc_array(np.eye(2, dtype="float32")), "float32", (-1, 2)),
    ],
)
def test_arrays(array, dtype, shape):
    (spec,) = schema_of(array).inputs
    assert (spec.type, spec.shape, spec.name) == (dtype, shape, None)


def test_sparse_data_is_never_made_dense():
    huge = scipy.sparse.csr_matrix(([1.0], ([0], [0])), shape=(10**7, 10**7))
    assert schema_of(huge).inputs[0].shape == (-1, 10**7)


@pytest.mark.parametrize(
    ("column", "kind", "required"),
    [
        (np.array([1, 2], dtype="int64"), "long", True),
        (np.array([1, 2], dtype="uint8"), "integer", True),
        (np.array([1, 2], dtype="uint32"), "long", True),
        (np.array([1, 2], dtype="uint64"), "any", True),
        (np.array([1, np.nan]), "double", False),
        (np.array([1, 2], dtype="float16"), "float", True),
        ([True, False], "boolean", True),
        (["a", "b"], "string", True),
        (pd.Series(["a", None], dtype=object), "string", False),
        (pd.Series(["a", None], dtype="string"), "string", False),
        (pd.Categorical(["a", "b"]), "string", True),
        (pd.Categorical([1, 2]), "long", True),
        (pd.array([1, None], dtype="Int64"), "long", False),
        (pd.array([True, None], dtype="boolean"), "boolean", False),
        (pd.to_datetime(["2020-01-01", None]), "datetime", False),
        (pd.to_datetime(["2020-01-01", "2021-01-01"], utc=True), "datetime", True),
        ([b"a", b"b"], "binary", True),
        (pd.arrays.SparseArray([0.0, 1.0]), "double", True),
        (pd.to_timedelta([1, 2]), "any", True),
        (pd.period_range("2020", periods=2, freq="Y"), "any", True),
        ([decimal.Decimal("1.5"), decimal.Decimal("2")], "any", True),
        (pd.Series([None, None], dtype=object), "any", False),
        (pd.Series([1, 2.5], dtype=object), "double", True),
        (pd.Series([1, "a"], dtype=object), "any", True),
        ([[1, 2], [3]], {"type": "array", "items": {"type": "long"}}, True),
        (
            [{"a": 1}, {"a": 2, "b": "x"}],
            {
                "type": "object",
                "properties": {"a": {"type": "long", "required": True}, "b": {"type": "string", "required": False}},
            },
            True,
        ),
    ],
)
def test_columns(column, kind, required):
    (spec,) = schema_of(pd.DataFrame({"x": column})).inputs
    assert (spec.type, spec.name, spec.required) == (kind, "x", required)


def test_a_column_without_a_type_does_not_spoil_the_others():
    frame = pd.DataFrame({"a": [1.0], "span": pd.to_timedelta([1])})
    assert _types(frame) == ["double", "any"]


def test_column_names_may_be_numbers_or_tuples():
    assert schema_of(pd.DataFrame(np.zeros((1, 2)))).input_names() == [0, 1]
    pairs = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    assert schema_of(pd.DataFrame(np.zeros((1, 2)), columns=pairs)).input_names() == [("a", "x"), ("a", "y")]


def test_a_series_keeps_its_name():
    assert schema_of(pd.Series([1.0], name="q")).input_names() == ["q"]
    assert not schema_of(pd.Series([1.0])).has_input_names()


@pytest.mark.parametrize(
    ("data", "kinds", "names"),
    [
        (["a", "b"], ["string"], []),
        ([], ["string"], []),
        ([1, None], ["long"], []),
        ([1, 2.5], ["double"], []),
        ([[1, 2], [3, 4]], [{"type": "array", "items": {"type": "long"}}], []),
        ([(1, 2)], [{"type": "array", "items": {"type": "long"}}], []),
        ([{"a": 1, "b": [1.5]}, {"a": 2}], ["long", {"type": "array", "items": {"type": "double"}}], ["a", "b"]),
        (
            {"a": [1, 2], "b": "x", "c": None},
            [{"type": "array", "items": {"type": "long"}}, "string", "any"],
            list("abc"),
        ),
        ({"a": np.zeros(2), "b": np.zeros((2, 3))}, ["float64", "float64"], ["a", "b"]),
        ("text", ["string"], []),
        (1.5, ["double"], []),
        (True, ["boolean"], []),
        (b"x", ["binary"], []),
        (datetime.date(2020, 1, 1), ["datetime"], []),
        (np.float32(1), ["float"], []),
    ],
)
def test_plain_python_data(data, kinds, names):
    schema = schema_of(data)
    assert _types(data) == kinds
    assert (schema.input_names() if schema.has_input_names() else []) == names


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (range(3), "range"),
        (object(), "object"),
        (np.array(3.0), "shape"),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "dtype"),
        (pd.DataFrame(np.zeros((1, 2)), columns=["a", "a"]), "two columns 'a'"),
        (pd.DataFrame(), "no columns"),
        ([1, "a"], "common type"),
        ({1: 2}, "strings"),
        ([{1: 2}], "string keys"),
    ],
)
def test_what_has_no_schema_says_why(data, word):
    with pytest.raises(Undescribable, match=word):
        schema_of(data)


def test_only_a_sample_of_objects_is_looked_at():
    values = ["a"] * 50_000
    values[1] = 3
    assert _types(pd.DataFrame({"x": pd.Series(values, dtype=object)})) == ["string"]
    assert _types(values) == ["string"]


@pytest.mark.parametrize("wrap", [lambda a: a, pd.DataFrame, scipy.sparse.csr_matrix])
def test_large_data_is_not_copied(wrap):
    data = wrap(np.ones((100_000, 10)))
    tracemalloc.start()
    try:
        schema_of(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_data_stays_untouched():
    frame = pd.DataFrame({"a": [1, 2], "o": pd.Series(["x", None], dtype=object), "c": pd.Categorical(["u", "v"])})
    before = frame.copy(deep=True)
    schema_of(frame)
    pd.testing.assert_frame_equal(frame, before)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_any_plain_value_is_described_or_refused_politely(value):
    try:
        schema = schema_of(value)
    except Undescribable:
        return
    assert type(schema).from_json(schema.to_json()) == schema


def test_params():
    schema = params_of({"a": 1, "b": (1.5, 2), "c": "x", "d": True, "e": datetime.datetime(2020, 1, 1), "g": {"z": 1}})
    assert [(p.name, p.type if isinstance(p.type, str) else p.type["type"], p.shape) for p in schema] == [
        ("a", "long", None),
        ("b", "double", (-1,)),
        ("c", "string", None),
        ("d", "boolean", None),
        ("e", "datetime", None),
        ("g", "object", None),
    ]
    assert '"default": "2020-01-01T00:00:00"' in schema.to_json()


@pytest.mark.parametrize("default", [None, b"x", object(), [[1]], [1, "a"]])
def test_a_default_without_a_type_is_named(default):
    with pytest.raises(Undescribable, match="'odd'"):
        params_of({"odd": default})
