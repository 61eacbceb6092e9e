import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fitbook.errors import SchemaMismatch
from fitbook.models import Schema, TensorSpec
from fitbook.models._enforce_arrays import enforce_arrays, lossless
from fitbook.models._infer import schema_of

MATRIX = np.arange(8.0).reshape(2, 4)
_NUMBERS = ["bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]


def test_frames_and_lists_become_arrays_for_a_tensor_schema():
    schema = schema_of(MATRIX)
    for data in (pd.DataFrame(MATRIX, columns=list("abcd")), MATRIX.tolist(), MATRIX.astype(object)):
        came = enforce_arrays(data, schema)
        assert type(came) is np.ndarray
        np.testing.assert_array_equal(came, MATRIX)
        assert came.dtype == float


def test_sparse_input_stays_sparse():
    came = enforce_arrays(scipy.sparse.csc_matrix(MATRIX.astype(int)), schema_of(MATRIX))
    assert scipy.sparse.issparse(came)
    assert came.dtype == float


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (MATRIX[0], r"shape \(any, 4\).*reshape"),
        (MATRIX[:, :3], r"shape \(any, 4\), and came with \(2, 3\)"),
        (MATRIX.astype(str), "dtype float64"),
        (MATRIX.astype(complex), "complex"),
        ([[1, 2], [3]], "none"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(data, word):
    with pytest.raises(SchemaMismatch, match=word):
        enforce_arrays(data, schema_of(MATRIX))


def test_named_tensors_come_in_a_dict():
    schema = schema_of({"x": MATRIX, "y": MATRIX[0]})
    came = enforce_arrays({"x": MATRIX, "y": [1, 2, 3, 4], "z": 0}, schema)
    assert list(came) == ["x", "y"]
    with pytest.raises(SchemaMismatch, match="lacks 'y'"):
        enforce_arrays({"x": MATRIX}, schema)
    with pytest.raises(SchemaMismatch, match="dict of arrays"):
        enforce_arrays(MATRIX, schema)


@given(st.sampled_from(_NUMBERS), st.sampled_from(_NUMBERS), st.data())
def test_what_is_called_lossless_keeps_every_value(came, wanted, data):
    values = data.draw(npst.arrays(came, st.integers(0, 4)))
    if lossless(values, np.dtype(wanted)):
        np.testing.assert_array_equal(values.astype(wanted).astype(came), values)


def test_a_tensor_of_objects_takes_anything():
    odd = np.array([{"a": 1}, None], dtype=object)
    assert enforce_arrays(odd, Schema([TensorSpec("object", (-1,))])) is odd
