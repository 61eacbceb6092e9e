import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.errors import ModelError
from fitbook.models import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from fitbook.models._schema import array_of, object_of

_SCALARS = st.sampled_from(list(DataType))
_TYPES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        inner.map(array_of),
        st.dictionaries(st.text(min_size=1), st.tuples(inner, st.booleans()), min_size=1, max_size=3).map(object_of),
    ),
    max_leaves=5,
)
_NAMES = st.lists(st.one_of(st.text(min_size=1), st.integers()), min_size=1, max_size=5, unique=True)


@given(_NAMES, st.data())
def test_columns_survive_json(names, data):
    schema = Schema([ColSpec(data.draw(_TYPES), name, data.draw(st.booleans())) for name in names])
    assert Schema.from_json(schema.to_json()) == schema


@given(
    st.lists(st.integers(-1, 9), min_size=1, max_size=4), st.sampled_from(["float64", "int8", "str", "object", "bool"])
)
def test_tensors_survive_json(shape, dtype):
    schema = Schema([TensorSpec(dtype, shape)])
    assert Schema.from_json(schema.to_json()) == schema


def test_json_is_mlflows():
    columns = Schema([ColSpec("double", "a"), ColSpec(array_of(DataType.string), "b", required=False)])
    assert columns.to_json() == (
        '[{"type": "double", "name": "a", "required": true}, '
        '{"type": "array", "items": {"type": "string"}, "name": "b", "required": false}]'
    )
    assert columns.to_portable_json() == columns.to_json().replace(', "required": true', "")
    tensor = Schema([TensorSpec(np.dtype("float64"), (-1, 4))])
    assert tensor.to_json() == '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]'


def test_what_is_not_understood_of_a_nested_type_is_kept():
    text = '[{"type": "map", "values": {"type": "long"}, "name": "m", "required": true}]'
    assert Schema.from_json(text).to_json() == text


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "float32"])
def test_dtypes_may_be_given_in_any_form(dtype):
    assert TensorSpec(dtype, (-1,)).type == "float32"


def test_the_length_of_strings_is_no_part_of_a_tensors_type():
    assert TensorSpec(np.dtype("<U7"), (-1,)).type == "str"
    assert TensorSpec(np.dtype("S7"), (-1,)).type == "bytes"


def test_names_and_requirements():
    schema = Schema([ColSpec("long", "a"), ColSpec("long", "b", required=False)])
    assert schema.input_names() == ["a", "b"]
    assert schema.required_input_names() == ["a"]
    assert schema.input_types() == ["long", "long"]
    assert not schema.is_tensor_spec()
    assert schema.has_input_names()
    assert Schema([ColSpec("long"), ColSpec("long")]).input_names() == [0, 1]


@pytest.mark.parametrize(
    "specs",
    [
        [],
        [ColSpec("long", "a"), TensorSpec("int8", (-1,))],
        [ColSpec("long", "a"), ColSpec("long")],
        [ColSpec("long", "a"), ColSpec("long", "a")],
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(specs):
    with pytest.raises(ModelError):
        Schema(specs)


def test_an_unknown_column_type_is_refused_with_the_known_ones():
    with pytest.raises(ModelError, match="double"):
        ColSpec("decimal", "a")


@pytest.mark.parametrize("text", ["{", "[]", "[1]", '[{"name": "a"}]', '[{"type": "tensor", "name": "a"}]', "null"])
def test_malformed_json_is_a_model_error(text):
    with pytest.raises(ModelError):
        Schema.from_json(text)


def test_params_survive_json():
    schema = ParamSchema([ParamSpec("t", DataType.double, 0.5), ParamSpec("names", DataType.string, ["a"], (-1,))])
    assert ParamSchema.from_json(schema.to_json()) == schema
    assert '"shape": null' in schema.to_json()
    with pytest.raises(ModelError, match="parameter schema"):
        ParamSchema.from_json('[{"name": "a"}]')
