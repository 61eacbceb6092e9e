import numpy as np
import pandas as pd
import pytest

from fitbook._log import FitbookWarning
from fitbook.errors import ModelError, SchemaMismatch
from fitbook.models import ModelSignature, describe_signature, infer_signature


def test_a_signature_survives_its_dict():
    signature = infer_signature(pd.DataFrame({"a": [1.0]}), np.array([1]), params={"t": 0.5})
    assert signature is not None
    assert ModelSignature.from_dict(signature.to_dict()) == signature
    assert signature.to_dict() == {
        "inputs": '[{"type": "double", "name": "a"}]',
        "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]',
        "params": '[{"name": "t", "default": 0.5, "shape": null, "type": "double"}]',
    }


def test_an_empty_signature_is_refused():
    with pytest.raises(ModelError, match="inputs"):
        ModelSignature()


def test_what_can_not_be_described_is_none_and_a_reason():
    signature, reason = describe_signature(object(), np.zeros(2))
    assert signature is None
    assert reason.startswith("inputs: ")
    assert describe_signature() == (None, "neither an input nor an output was given")


def test_an_output_that_can_not_be_described_is_left_out():
    signature, reason = describe_signature(np.zeros((2, 2)), object())
    assert signature is not None
    assert signature.outputs is None
    assert reason.startswith("outputs: ")


def test_data_that_fails_when_looked_at_is_a_reason_and_no_error():
    class Hostile(dict):
        def values(self):
            raise RuntimeError("no")

    signature, reason = describe_signature(Hostile(a=1))
    assert signature is None
    assert "RuntimeError" in reason


def test_the_public_function_warns_with_the_reason():
    with pytest.warns(FitbookWarning, match="two columns 'a'"):
        assert infer_signature(pd.DataFrame(np.zeros((1, 2)), columns=["a", "a"])) is None


def test_without_inputs_nothing_is_enforced():
    signature = infer_signature(None, np.zeros(2))
    assert signature is not None
    thing = object()
    assert signature.enforce(thing) is thing
    assert signature.enforce_params({"any": 1}) == {"any": 1}


def test_enforce_checks_data_and_params():
    signature = infer_signature(np.zeros((2, 2)), params={"k": 1})
    assert signature is not None
    assert signature.enforce([[1, 2]]).dtype == float
    with pytest.raises(SchemaMismatch):
        signature.enforce(np.zeros((2, 3)))
    with pytest.raises(SchemaMismatch):
        signature.enforce_params({"other": 1})


def test_it_reads_well():
    assert str(infer_signature(pd.DataFrame({"a": [1.0, None]}), np.zeros(1))) == (
        "inputs:  a: double (optional)\noutputs: float64 array of shape (-1,)\nparams:  None"
    )
