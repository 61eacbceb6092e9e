"""Data sets described: by a digest that is the same for equal data, in MLflow's form, read back as they were noted."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fitbook
from fitbook.data import from_numpy, from_pandas, from_polars
from fitbook.errors import InvalidValue

FRAME = {"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5], "d": pd.to_datetime(["2020-01-01", "2021-01-01"])}


def test_a_pandas_frame_is_described_as_mlflow_does() -> None:
    data = from_pandas(pd.DataFrame(FRAME), source="/tmp/x.csv", targets="c", name="n")
    described = data.to_dict()
    digest = described.pop("digest")
    # What MLflow 3.17.2 says of the same frame.
    assert described == {
        "name": "n",
        "source": '{"uri": "/tmp/x.csv"}',
        "source_type": "local",
        "schema": '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}, {"type": "string", "name": "b", '
        '"required": false}, {"type": "double", "name": "c", "required": true}, {"type": "datetime", "name": "d", '
        '"required": true}]}',
        "profile": '{"num_rows": 2, "num_elements": 8}',
    }
    assert digest == data.digest
    assert (data.targets, data.predictions, list(data.df)) == ("c", None, list("abcd"))
    assert json.loads(data.to_json()) == data.to_dict()
    assert data.schema is not None
    assert data.schema.input_names() == list("abcd")


def test_arrays_are_described_as_mlflow_does() -> None:
    data = from_numpy(np.zeros((3, 2)), targets=np.zeros(3))
    tensor = '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": %s}}]'
    described = data.to_dict()
    assert json.loads(str(described["schema"])) == {
        "mlflow_tensorspec": {"features": tensor % "[-1, 2]", "targets": tensor % "[-1]"}
    }
    assert described["profile"] == (
        '{"features_shape": [3, 2], "features_size": 6, "features_nbytes": 48, "targets_shape": [3], "targets_size": 3, '
        '"targets_nbytes": 24}'
    )
    assert (data.name, described["source_type"]) == ("dataset", "code")


def test_dictionaries_of_arrays() -> None:
    data = from_numpy({"b": np.zeros(3), "a": np.zeros((3, 2))})
    assert data.profile["features_shape"] == {"b": [3], "a": [3, 2]}
    assert data.schema is not None
    assert json.loads(str(data.to_dict()["schema"]))["mlflow_tensorspec"]["targets"] is None
    assert data.digest == from_numpy({"a": np.zeros((3, 2)), "b": np.zeros(3)}).digest
    assert data.digest != from_numpy({"a": np.zeros((3, 2)), "c": np.zeros(3)}).digest
    assert data.digest != from_numpy({"a": np.zeros((3, 2))}, targets={"b": np.zeros(3)}).digest


def test_a_polars_frame() -> None:
    data = from_polars(pl.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}), name="p", predictions="c")
    assert data.profile == {"num_rows": 2, "num_elements": 6}
    assert data.schema is not None
    assert [(c["name"], c["type"]) for c in data.schema.to_dict()] == [("a", "long"), ("b", "string"), ("c", "double")]
    assert data.predictions == "c"


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1), st.integers(0, 1000))
def test_equal_data_has_an_equal_digest_and_other_data_another(values: list[int], place: int) -> None:
    frame = pd.DataFrame({"a": values})
    changed = frame.copy()
    changed.iloc[place % len(values), 0] += 1
    assert from_pandas(frame).digest == from_pandas(frame.copy()).digest != from_pandas(changed).digest
    assert from_numpy(frame.to_numpy()).digest != from_numpy(changed.to_numpy()).digest
    assert from_numpy(frame.to_numpy()).digest != from_numpy(frame.to_numpy(), targets=frame.to_numpy()).digest


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        "import pandas as pd; from fitbook.data import from_pandas; "
        "print(from_pandas(pd.DataFrame({'a': [1, 2], 'b': ['x', None]})).digest)"
    )
    found = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert found == {from_pandas(pd.DataFrame({"a": [1, 2], "b": ["x", None]})).digest + "\n"}


@pytest.mark.parametrize("make", [from_pandas, lambda df, **more: from_polars(pl.from_pandas(df), **more)])
def test_columns_that_are_not_there_are_named(make: Any) -> None:
    for what in ("targets", "predictions"):
        with pytest.raises(InvalidValue, match=f"no column 'z' for {what}; it has 'a'"):
            make(pd.DataFrame({"a": [1]}), **{what: "z"})


@pytest.mark.parametrize("wrong", [[1, 2], {"a": [1]}, None, {"a": None}])
def test_what_is_no_array_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="features hold a .*; give a numpy array"):
        from_numpy(wrong)


def test_what_cannot_be_described_has_no_schema() -> None:
    data = from_pandas(pd.DataFrame(), digest="d")
    assert (data.schema, data.to_dict()["schema"], data.digest) == (None, None, "d")


def test_they_are_noted_and_read_back() -> None:
    data = from_pandas(pd.DataFrame({"a": [1]}), source="s3://bucket/x.csv", name="n")
    with fitbook.start_run() as run:
        fitbook.log_input(data, "train", {"k": "v"})
        fitbook.log_inputs([from_numpy(np.zeros(3)), from_polars(pl.DataFrame({"a": [1]}))], ["eval", None])
    used = {each.dataset.name: each for each in run.inputs.dataset_inputs}
    assert len(run.inputs.dataset_inputs) == 3
    assert used["n"].dataset == data._to_mlflow_entity()
    assert dict(used["n"].tags) == {"k": "v", "mlflow.data.context": "train"}
    assert [(tag.key, tag.value) for tag in used["n"].tags] == [("k", "v"), ("mlflow.data.context", "train")]
