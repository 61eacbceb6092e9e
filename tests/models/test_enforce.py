import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fitbook.errors import SchemaMismatch
from fitbook.models import ColSpec, Schema, infer_signature, read_example
from fitbook.models._enforce import enforce_params, enforce_schema
from fitbook.models._example import example_files
from fitbook.models._infer import params_of, schema_of

FRAME = pd.DataFrame({"a": [1.0, 2.0], "n": [1, 2], "s": ["x", "y"]})
MATRIX = np.arange(8.0).reshape(2, 4)


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        MATRIX,
        MATRIX.astype("float32"),
        scipy.sparse.csr_matrix(MATRIX),
        pd.Series(["a", "b"], name="text"),
        ["a", "b"],
        [[1, 2], [3]],
        "text",
        1.5,
        np.array(["a", "bcd"]),
        np.array([["a", 1]], dtype=object),
        pd.DataFrame(MATRIX),
        pd.DataFrame({"c": pd.Categorical(["u", "v"]), "d": pd.to_datetime(["2020", "2021"], format="%Y")}),
        pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "o": pd.Series(["x", None], dtype=object)}),
        pd.DataFrame({"by": [b"a"], "l": [[1]], "t": pd.to_timedelta([1]), "k": [{"z": 1}]}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_the_data_that_a_schema_came_from_is_returned_itself(data):
    assert enforce_schema(data, schema_of(data)) is data


def test_columns_are_ordered_and_unknown_ones_left_out():
    messy = FRAME.assign(extra=0)[["extra", "s", "n", "a"]]
    pd.testing.assert_frame_equal(enforce_schema(messy, schema_of(FRAME)), FRAME)


def test_missing_columns_are_named_with_what_came():
    with pytest.raises(SchemaMismatch, match=r"lacks the columns 'a', 's'.*'other'"):
        enforce_schema(pd.DataFrame({"n": [1], "other": [2]}), schema_of(FRAME))


def test_optional_columns_may_be_missing():
    schema = Schema([ColSpec("double", "a"), ColSpec("double", "b", required=False)])
    assert enforce_schema(pd.DataFrame({"a": [1.0]}), schema).columns.tolist() == ["a"]


def test_integers_become_floats_where_floats_are_wanted():
    integers = FRAME.astype({"a": "int64"})
    before = integers.copy()
    pd.testing.assert_frame_equal(enforce_schema(integers, schema_of(FRAME)), FRAME)
    pd.testing.assert_frame_equal(integers, before)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["x"], "double"),
        ([1.5], "long"),
        ([2.0], "long"),
        ([1.5], "float"),
        ([1.5], "string"),
        ([2**40], "integer"),
        ([2**60], "double"),
        ([True], "string"),
        ([1], "boolean"),
        (["no date"], "datetime"),
        ([1.5], "datetime"),
        (pd.Series([1, "x"], dtype=object), "array"),
        (pd.Series(["x"], dtype=object), "double"),
        (pd.Categorical(["x"]), "double"),
    ],
)
def test_a_cast_that_would_change_values_is_refused_by_name(column, kind):
    wanted = {"type": "array", "items": {"type": "long"}} if kind == "array" else kind
    with pytest.raises(SchemaMismatch, match="'here'"):
        enforce_schema(pd.DataFrame({"here": column}), Schema([ColSpec(wanted, "here")]))


def test_the_message_says_what_was_expected_and_what_came():
    with pytest.raises(SchemaMismatch, match=r"The column 'a' needs double, and (came as str|got string)"):
        enforce_schema(FRAME.assign(a="x"), schema_of(FRAME))


def test_missing_values_in_an_integer_column_are_explained():
    with pytest.raises(SchemaMismatch, match="Missing values turn integers into floats"):
        enforce_schema(FRAME.assign(n=[1, np.nan]), schema_of(FRAME))


@pytest.mark.parametrize(
    "data",
    [
        FRAME.to_numpy(),
        FRAME.to_dict("list"),
        FRAME.to_dict("records"),
        FRAME.to_numpy().tolist(),
        {"a": np.array([1.0, 2.0]), "n": np.array([1, 2]), "s": np.array(["x", "y"])},
    ],
    ids=["array", "dict of lists", "list of dicts", "list of lists", "dict of arrays"],
)
def test_other_tables_become_a_frame_with_the_models_columns(data):
    came = enforce_schema(data, schema_of(FRAME))
    pd.testing.assert_frame_equal(came.astype({"s": "str"}), FRAME)


def test_a_dict_of_scalars_is_one_row():
    came = enforce_schema({"a": 1.5, "n": 1, "s": "x"}, schema_of(FRAME))
    assert came.to_dict("records") == [{"a": 1.5, "n": 1, "s": "x"}]


def test_a_table_of_another_width_is_refused():
    with pytest.raises(SchemaMismatch, match="needs 3 columns .* has 4"):
        enforce_schema(MATRIX, schema_of(FRAME))
    with pytest.raises(SchemaMismatch, match="sparse"):
        enforce_schema(scipy.sparse.csr_matrix(MATRIX), schema_of(FRAME))


def test_text_is_read_as_dates_where_dates_are_wanted():
    schema = Schema([ColSpec("datetime", "d")])
    came = enforce_schema(pd.DataFrame({"d": ["2020-01-02"]}), schema)
    assert came["d"].tolist() == [pd.Timestamp("2020-01-02")]


def test_nullable_columns_fit_their_plain_types():
    data = pd.DataFrame({"n": pd.array([1, 2], dtype="Int64")})
    assert enforce_schema(data, Schema([ColSpec("long", "n")])) is data
    assert enforce_schema(data, Schema([ColSpec("double", "n")]))["n"].tolist() == [1, 2]


def test_a_series_serves_a_one_column_schema():
    texts = pd.Series(["a", "b"])
    assert enforce_schema(texts, Schema([ColSpec("string", "text")])) is texts
    with pytest.raises(SchemaMismatch, match="'text' needs string"):
        enforce_schema(pd.Series([1.5]), Schema([ColSpec("string", "text")]))


def test_several_columns_of_one_name_are_refused():
    twice = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["b", "a", "a"])
    with pytest.raises(SchemaMismatch, match="one name"):
        enforce_schema(twice, Schema([ColSpec("double", "a"), ColSpec("double", "b")]))


def test_a_list_of_another_type_is_refused():
    with pytest.raises(SchemaMismatch, match="needs string, and got long"):
        enforce_schema([1, 2], schema_of(["a"]))


def test_unnamed_columns_are_counted():
    schema = Schema([ColSpec("double"), ColSpec("double")])
    assert enforce_schema(np.zeros((3, 2)), schema).shape == (3, 2)
    with pytest.raises(SchemaMismatch, match="2 columns"):
        enforce_schema(pd.DataFrame(np.zeros((3, 1))), schema)


@given(npst.arrays("float64", st.tuples(st.integers(1, 4), st.integers(1, 4))))
def test_enforcing_twice_changes_nothing(array):
    frame = pd.DataFrame(array, columns=[f"c{i}" for i in range(array.shape[1])])
    schema = schema_of(frame)
    once = enforce_schema(array, schema)
    assert enforce_schema(once, schema) is once
    pd.testing.assert_frame_equal(once, frame)


def test_params_get_defaults_and_are_checked():
    schema = params_of({"t": 0.5, "names": ["a"], "k": 3})
    assert enforce_params(None, schema) == {"t": 0.5, "names": ["a"], "k": 3}
    assert enforce_params({"t": 1}, schema)["t"] == 1.0
    for wrong in ({"t": "x"}, {"k": 1.5}, {"names": "a"}, {"names": [1]}, {"nope": 1}):
        with pytest.raises(SchemaMismatch, match=repr(next(iter(wrong)))):
            enforce_params(wrong, schema)


@pytest.mark.parametrize(("dtype", "kind"), [("Int64", "long"), ("Int32", "integer")])
def test_integers_that_may_be_missing_may_come_as_floats(dtype, kind, tmp_path):
    data = pd.DataFrame({"n": pd.array([1, None, 3], dtype=dtype)})
    signature = infer_signature(data)
    assert str(signature.inputs) == f"n: {kind} (optional)"
    for came in ([1.0, None, 3.0], [1.0, 2.0, 3.0]):
        found = signature.enforce(pd.DataFrame({"n": came}))["n"]
        assert (found.dtype, found.isna().tolist()) == (dtype, [value is None for value in came])
    for wrong in (1.5, np.inf, 2.0**63):
        with pytest.raises(SchemaMismatch, match="'n' needs"):
            signature.enforce(pd.DataFrame({"n": [1.0, None, wrong]}))
    files, info = example_files(data)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    pd.testing.assert_frame_equal(signature.enforce(read_example(tmp_path, info, signature.inputs)), data)
