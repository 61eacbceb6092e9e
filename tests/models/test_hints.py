import datetime
from typing import Any, Optional

import numpy as np
import pandas as pd
import pytest

from fitbook._log import FitbookWarning
from fitbook.errors import SchemaMismatch
from fitbook.flavors import PythonModel, flavor_named, load_pyfunc, write
from fitbook.models._hints import hints_of, instances, schema_of_hint
from fitbook.models._infer import Undescribable

PYTHON = flavor_named("python_function")


class Field:
    def __init__(self, annotation, required=True):
        self.annotation = annotation
        self.is_required = lambda: required


class Message:
    """What matters of a pydantic model."""

    model_fields = {"role": Field(str), "n": Field(Optional[int]), "tags": Field(list[str])}  # noqa: UP045

    @classmethod
    def model_validate(cls, content):
        self = cls()
        self.role = content["role"]
        return self


@pytest.mark.parametrize(
    ("hint", "json"),
    [
        (list[str], '{"type": "string"}'),
        (list[int], '{"type": "long"}'),
        (list[datetime.datetime], '{"type": "datetime"}'),
        (list[bytes], '{"type": "binary"}'),
        (list[dict[str, float]], '{"type": "map", "values": {"type": "double"}, "required": true}'),
        (list[list[float]], '{"type": "array", "items": {"type": "double"}, "required": true}'),
        (list[Any], '{"type": "any", "required": true}'),
        (list[int | str], '{"type": "any", "required": true}'),
        (
            list[Message],
            '{"type": "object", "properties": {"role": {"type": "string", "required": true}, "n": {"type": "long", '
            '"required": false}, "tags": {"type": "array", "items": {"type": "string"}, "required": true}}, "required": true}',
        ),
    ],
)
def test_hints_become_what_mlflow_makes_of_them(hint, json):
    assert schema_of_hint(hint).to_portable_json() == f"[{json}]"


@pytest.mark.parametrize("hint", [str, list, list[int | None], list[dict], list[object], None])
def test_other_hints_are_no_schema(hint):
    with pytest.raises(Undescribable, match="type hint"):
        schema_of_hint(hint)


def test_hints_that_can_not_be_read_are_none():
    def predict(model_input: "Gone") -> "Gone": ...  # noqa: F821

    assert hints_of(predict, 0) == (None, None)
    assert hints_of(len, 0) == (None, None)


class Lengths(PythonModel):
    def predict(self, model_input: list[str], params=None) -> list[int]:
        assert type(model_input) is list
        return [len(text) for text in model_input]


class Roles(PythonModel):
    def predict(self, context, model_input: list[Message]) -> list[str]:
        return [message.role for message in model_input]


def test_a_hinted_model_has_a_signature_and_gets_a_list(tmp_path):
    folder = write(PYTHON.snapshot(Lengths()), tmp_path / "model")
    model = load_pyfunc(folder)
    assert "is_signature_from_type_hint: true" in (folder / "MLmodel").read_text()
    assert model.metadata.signature.from_type_hints
    assert [str(part) for part in (model.metadata.signature.inputs, model.metadata.signature.outputs)] == [
        "string",
        "long",
    ]
    for data in (["a", "bc"], pd.Series(["a", "bc"]), pd.DataFrame({"x": ["a", "bc"]}), np.array(["a", "bc"])):
        assert model.predict(data) == [1, 2]


def test_other_instances_are_refused_by_their_place(tmp_path):
    model = load_pyfunc(write(PYTHON.snapshot(Lengths()), tmp_path / "model"))
    with pytest.raises(SchemaMismatch, match="list of string, and item 1 is 2"):
        model.predict(["a", 2])
    with pytest.raises(SchemaMismatch, match="list of string, and got a dict"):
        model.predict({"a": 1})


class Defaulted(Message):
    model_fields = {"role": Field(str), "n": Field(int, required=False)}


def test_fields_with_defaults_may_be_missing_and_what_is_wrong_is_named(tmp_path):
    class Model(PythonModel):
        def predict(self, model_input: list[Defaulted]):
            return [item.role for item in model_input]

    model = load_pyfunc(write(PYTHON.snapshot(Model()), tmp_path / "m"))
    assert model.predict([{"role": "a"}, {"role": "b", "n": 1}]) == ["a", "b"]
    for wrong, told in (
        ({"n": 1}, "'role' is missing"),
        ({"role": "a", "x": 1}, "'x' is not known"),
        ({"role": "a", "n": "q"}, "'n' must be long"),
    ):
        with pytest.raises(SchemaMismatch, match=rf"item 0 is .*: {told}\."):
            model.predict([wrong])


def test_pydantic_instances_are_built(tmp_path):
    rows = [{"role": "user", "n": 1, "tags": ["x"]}]
    assert load_pyfunc(write(PYTHON.snapshot(Roles()), tmp_path / "model")).predict(rows) == ["user"]
    assert instances(pd.DataFrame(rows), list[Message])[0].role == "user"


def test_a_hint_without_elements_is_told():
    def predict(rows: list):
        return rows

    with pytest.warns(FitbookWarning, match="type hint list is no list of instances"):
        assert PYTHON.snapshot(predict).signature is None
