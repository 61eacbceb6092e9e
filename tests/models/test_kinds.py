"""Every kind of data that a signature is promised for: described, let pass as it came, refused by name where it is wrong."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from fitbook._log import FitbookWarning
from fitbook.errors import SchemaMismatch
from fitbook.models import infer_signature


def arrow(values, kind):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


def frame(**columns):
    return pd.DataFrame(columns)


WORDS = pa.array(["a", "b", None]).dictionary_encode()
DAYS = [datetime.datetime(2020, 1, 1), None]
LISTS = {"type": "array", "items": {"type": "long"}}
DICTS = {"type": "object", "properties": {"a": {"type": "long", "required": True}}}

# What comes in, how it is described, what does not fit, and what is said of it.
KINDS = {
    "numpy": (np.zeros((2, 3)), "float64", np.zeros((2, 4)), "shape"),
    "sparse": (scipy.sparse.csr_matrix(np.eye(3)), "float64", scipy.sparse.csr_matrix(np.eye(2)), "shape"),
    "several outputs": (np.zeros((2, 2, 2), "float32"), "float32", np.zeros((2, 2)), "shape"),
    "pandas": (frame(x=[1, 2]), "long", frame(x=[1.5, 2]), "'x' needs long, and float64"),
    "pandas, a column missing": (frame(x=[1], y=[2]), "long", frame(x=[1]), "lacks the column 'y'"),
    "nullable integers": (
        frame(x=pd.array([1, None], dtype="Int64")),
        "long",
        frame(x=pd.array([1.5, None], dtype="Float64")),
        "'x' needs long, and Float64",
    ),
    "nullable booleans": (
        frame(x=pd.array([True, None], dtype="boolean")),
        "boolean",
        frame(x=["yes", "no"]),
        "'x' needs boolean",
    ),
    "categories with nulls": (
        frame(x=pd.Categorical(["a", None, "b"])),
        "string",
        frame(x=pd.Categorical([1, 2])),
        "'x' needs string, and got long",
    ),
    "categories of numbers with nulls": (
        frame(x=pd.Categorical([1, None, 2])),
        "long",
        frame(x=pd.Categorical(["a"])),
        "'x' needs long, and got string",
    ),
    "strings": (frame(x=["a", "b"]), "string", frame(x=[1, 2]), "'x' needs string, and came as int64"),
    "dates": (frame(x=pd.to_datetime(DAYS)), "datetime", frame(x=[1, 2]), "'x' needs datetime, and came as int64"),
    "arrow integers": (
        frame(x=arrow([1, None], pa.int64())),
        "long",
        frame(x=arrow([1.5, None], pa.float64())),
        r"'x' needs long, and double\[pyarrow\]",
    ),
    "arrow floats": (frame(x=arrow([1.5, None], pa.float32())), "float", frame(x=["a"]), "'x' needs float"),
    "arrow booleans": (
        frame(x=arrow([True, None], pa.bool_())),
        "boolean",
        frame(x=arrow(["a"], pa.string())),
        r"'x' needs boolean, and came as string\[pyarrow\]",
    ),
    "arrow strings": (
        frame(x=arrow(["a", None], pa.string())),
        "string",
        frame(x=arrow([1], pa.int64())),
        r"'x' needs string, and came as int64\[pyarrow\]",
    ),
    "strings that arrow keeps": (
        frame(x=pd.array(["a", None], dtype="string[pyarrow]")),
        "string",
        frame(x=[1.5]),
        "'x' needs string",
    ),
    "arrow timestamps": (
        frame(x=arrow(DAYS, pa.timestamp("us", "UTC"))),
        "datetime",
        frame(x=arrow(["no day"], pa.string())),
        "'x' needs datetime, and its text",
    ),
    "arrow dates": (frame(x=arrow(DAYS, pa.date32())), "datetime", frame(x=[1]), "'x' needs datetime"),
    "arrow dictionaries": (
        frame(x=pd.Series(pd.arrays.ArrowExtensionArray(WORDS))),
        "string",
        frame(x=arrow([1], pa.int64())),
        "'x' needs string",
    ),
    "arrow bytes": (frame(x=arrow([b"a", None], pa.binary())), "binary", frame(x=[1]), "'x' needs binary"),
    "arrow lists": (
        frame(x=arrow([[1], [2, 3]], pa.list_(pa.int64()))),
        LISTS,
        frame(x=arrow([["a"]], pa.list_(pa.string()))),
        "'x' needs a list of long, and got a list of string",
    ),
    "arrow structs": (
        frame(x=arrow([{"a": 1}], pa.struct([("a", pa.int64())]))),
        DICTS,
        frame(x=arrow([{"b": 1}], pa.struct([("b", pa.int64())]))),
        "'x' needs a dict with the keys 'a'",
    ),
    "cells that are lists": (frame(x=[[1], [2, 3]]), LISTS, frame(x=[["a"]]), "'x' needs a list of long"),
    "cells that are dicts": (frame(x=[{"a": 1}]), DICTS, frame(x=[{"b": 1}]), "'x' needs a dict with the keys 'a'"),
    "a list": ([1, 2], "long", ["a"], "needs long, and got string"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_described_let_pass_and_held_to_it(kind):
    data, described, wrong, message = KINDS[kind]
    signature = infer_signature(data)
    assert signature is not None
    assert signature.inputs.input_types()[0] == described
    assert signature.enforce(data) is data
    with pytest.raises(SchemaMismatch, match=message):
        signature.enforce(wrong)


def test_dicts_become_tables():
    signature = infer_signature([{"x": 1, "y": "a"}])
    assert signature.inputs.input_types() == ["long", "string"]
    assert signature.enforce([{"y": "b", "x": 2}]).equals(frame(x=[2], y=["b"]))
    with pytest.raises(SchemaMismatch, match="lacks the column 'y'"):
        signature.enforce([{"x": 1}])


def test_polars_and_arrow_serve_a_model_that_was_fitted_to_pandas():
    plain = frame(x=[1, 2], s=["a", "b"], day=pd.to_datetime(["2020-01-01", "2020-01-02"]), f=[0.5, 1.5])
    signature = infer_signature(plain)
    through_arrow = plain.convert_dtypes(dtype_backend="pyarrow")
    assert signature.enforce(through_arrow) is through_arrow
    assert signature.enforce(pl.DataFrame(plain.to_dict("list"))).to_dict("list") == plain.to_dict("list")
    assert infer_signature(through_arrow).enforce(plain) is plain
    with pytest.raises(SchemaMismatch, match="'x' needs long"):
        signature.enforce(pl.DataFrame({**plain.to_dict("list"), "x": [0.5, 1.5]}))


def test_missing_integers_keep_their_place_where_integers_are_wanted():
    given = frame(x=arrow([1, None], pa.int64()))
    assert infer_signature(frame(x=np.array([1, 2], "int32"))).enforce(given) is given
    with pytest.raises(SchemaMismatch, match=r"int64\[pyarrow\] can't be cast"):
        infer_signature(frame(x=np.array([1, 2], "int32"))).enforce(frame(x=arrow([2**40, None], pa.int64())))


@pytest.mark.parametrize(
    "column",
    [
        pd.to_timedelta([1, 2]),
        np.array([1, 2], "uint64"),
        [decimal.Decimal(1), decimal.Decimal(2)],
        arrow([decimal.Decimal(1)] * 2, pa.decimal128(5, 2)),
        arrow([datetime.time(1)] * 2, pa.time64("us")),
        arrow([None, None], pa.null()),
        [1, "a"],
        [None, None],
    ],
)
def test_what_the_format_has_no_type_for_is_said_by_name(column):
    data = frame(known=[1.0, 2.0], odd=column)
    with pytest.warns(FitbookWarning, match="inputs: 'odd' will not be checked"):
        signature = infer_signature(data)
    assert signature.inputs.input_types() == ["double", "any"]
    assert signature.enforce(data) is data
