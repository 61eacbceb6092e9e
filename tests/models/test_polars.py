import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fitbook._log import FitbookWarning
from fitbook.errors import SchemaMismatch
from fitbook.models import infer_signature
from fitbook.models._example import example_files

FRAME = pl.DataFrame(
    {
        "a": [1.5, 2.0],
        "n": [1, None],
        "s": ["x", None],
        "c": pl.Series(["u", "v"], dtype=pl.Categorical),
        "d": [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
        "b": [True, False],
        "span": [datetime.timedelta(1)] * 2,
    }
)


def test_columns_are_described():
    with pytest.warns(FitbookWarning, match="'span' will not be checked"):
        signature = infer_signature(FRAME)
    assert str(signature.inputs) == (
        "a: double, n: long (optional), s: string (optional), c: string, d: datetime, b: boolean, span: any"
    )
    assert str(infer_signature(FRAME["n"]).inputs) == "n: long (optional)"


def test_a_model_of_columns_takes_polars():
    signature = infer_signature(pd.DataFrame({"a": [1.0], "n": pd.array([1], dtype="Int64")}))
    found = signature.enforce(FRAME)
    assert list(found.columns) == ["a", "n"]
    assert found["a"].tolist() == [1.5, 2.0]
    assert found["n"].isna().tolist() == [False, True]
    with pytest.raises(SchemaMismatch, match="'a'"):
        signature.enforce(FRAME.drop("a"))
    with pytest.raises(SchemaMismatch, match="'n' needs long"):
        signature.enforce(FRAME.with_columns(n=pl.Series([1.5, 2.0])))


def test_a_model_of_arrays_takes_polars():
    signature = infer_signature(np.zeros((3, 2)))
    np.testing.assert_array_equal(signature.enforce(pl.DataFrame({"x": [1.0], "y": [2.0]})), [[1.0, 2.0]])


def test_an_example_has_pandas_layout():
    files, info = example_files(FRAME[["a", "s"]])
    assert files["input_example.json"] == b'{"columns": ["a", "s"], "data": [[1.5, "x"], [2.0, null]]}'
    assert (info["type"], info["pandas_orient"]) == ("dataframe", "split")
