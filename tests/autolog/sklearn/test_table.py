import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.autolog.sklearn._table import Table


@given(st.lists(st.floats(), max_size=20))
def test_floats_survive_csv_exactly(values):
    read = list(csv.reader(io.StringIO(Table({"v": values}).to_csv())))[1:]
    back = [float(row[0]) for row in read]
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(values, back, strict=True))


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\x00")), st.integers()), max_size=10))
def test_text_survives_csv(rows):
    table = Table({"a,b": [r[0] for r in rows], 'q"': [r[1] for r in rows]})
    read = list(csv.reader(io.StringIO(table.to_csv(), newline="")))
    assert read == [["a,b", 'q"'], *([a, str(b)] for a, b in rows)]


def test_json_is_mlflows_split_layout():
    table = Table({"x": np.array([1, 2]), "y": [np.float64(0.5), float("nan")]})
    assert table.to_json() == '{"columns": ["x", "y"], "data": [[1, 0.5], [2, NaN]]}'
    assert json.loads(table.to_json())["columns"] == ["x", "y"]


def test_columns_are_of_one_length():
    with pytest.raises(ValueError, match="unequal"):
        Table({"a": [1], "b": [1, 2]})


def test_numpy_scalars_become_python_ones():
    table = Table({"a": np.arange(3), "b": [np.str_("x"), np.bool_(True), None]})
    assert [type(v) for v in table.columns["a"]] == [int] * 3
    assert table.columns["b"] == ["x", True, None]
    assert len(table) == 3
