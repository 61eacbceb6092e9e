import datetime
import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from fitbook.errors import ModelError, NotFound
from fitbook.models import infer_signature, read_example
from fitbook.models._example import example_files

FRAME = pd.DataFrame({"a": [1.5, np.nan], "s": ["x", "y"], "n": [1, 2]})


def _round_trip(example, folder, schema=None, **options):
    files, info = example_files(example)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return read_example(folder, info, schema, **options)


def test_a_frame_is_written_in_mlflows_layout():
    files, info = example_files(FRAME)
    assert info == {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    split = {"columns": ["a", "s", "n"], "data": [[1.5, "x", 1], [None, "y", 2]]}
    assert json.loads(files["input_example.json"]) == split
    assert json.loads(files["serving_input_example.json"]) == {"dataframe_split": split}


def test_an_array_is_written_in_mlflows_layout():
    files, info = example_files(np.array([[1.0, np.nan]]))
    assert info["type"] == "ndarray"
    assert json.loads(files["input_example.json"]) == [[1.0, None]]
    assert json.loads(files["serving_input_example.json"]) == {"inputs": [[1.0, None]]}


def test_frames_come_back(tmp_path):
    pd.testing.assert_frame_equal(_round_trip(FRAME, tmp_path), FRAME)
    numbers = pd.DataFrame(np.eye(2))
    pd.testing.assert_frame_equal(_round_trip(numbers, tmp_path), numbers)


def test_the_signature_gives_numbers_their_type_back(tmp_path):
    frame = pd.DataFrame({"f": np.array([1, 2], dtype="float32"), "i": np.array([1, 2], dtype="int32")})
    pd.testing.assert_frame_equal(_round_trip(frame, tmp_path, infer_signature(frame).inputs), frame)
    array = np.array([[1.0, np.nan]], dtype="float32")
    back = _round_trip(array, tmp_path, infer_signature(array).inputs)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == "float32"


@pytest.mark.parametrize("example", [["a", "b"], {"a": [1, 2], "b": "x"}, "text", 1.5, [{"a": None}], []])
def test_plain_data_comes_back(example, tmp_path):
    assert _round_trip(example, tmp_path) == example


def test_a_dict_of_arrays_comes_back(tmp_path):
    back = _round_trip({"x": np.eye(2), "y": np.arange(2)}, tmp_path)
    np.testing.assert_array_equal(back["x"], np.eye(2))
    np.testing.assert_array_equal(back["y"], [0, 1])


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_sparse_examples_come_back_and_are_never_dense(form, tmp_path):
    huge = scipy.sparse.csr_matrix(([1.5], ([3], [4])), shape=(10**6, 10**6)).asformat(form)
    files, info = example_files(huge)
    assert list(files) == ["input_example.json"]
    assert "serving_input_path" not in info
    back = _round_trip(huge, tmp_path)
    assert back.shape == huge.shape
    assert back[3, 4] == 1.5


def test_infinities_come_back(tmp_path):
    example = np.array([[np.inf, -np.inf, 1.0]])
    np.testing.assert_array_equal(_round_trip(example, tmp_path), example)


def test_params_go_along(tmp_path):
    example, params = _round_trip((FRAME, {"t": 0.5}), tmp_path, with_params=True)
    assert params == {"t": 0.5}
    pd.testing.assert_frame_equal(example, FRAME)
    files, info = example_files((FRAME, {"t": 0.5}))
    assert info["params"] == "true"
    assert json.loads(files["serving_input_example.json"])["params"] == {"t": 0.5}


def test_dates_and_bytes_are_text():
    files, _ = example_files(pd.DataFrame({"d": [pd.Timestamp("2020-01-02"), None], "b": [b"\xff", b""]}))
    assert json.loads(files["input_example.json"])["data"] == [["2020-01-02T00:00:00", "/w=="], [None, ""]]
    files, _ = example_files(datetime.date(2020, 1, 2))
    assert json.loads(files["input_example.json"]) == "2020-01-02"


@pytest.mark.parametrize("example", [object(), [object()], {"a": {1, 2}}])
def test_what_json_can_not_hold_is_a_clear_error(example):
    with pytest.raises(ModelError, match="JSON"):
        example_files(example)


def test_missing_and_damaged_files_are_clear_errors(tmp_path):
    info = {"artifact_path": "input_example.json", "type": "dataframe"}
    with pytest.raises(NotFound):
        read_example(tmp_path, info)
    for damaged in ("{", "[]", "3"):
        (tmp_path / "input_example.json").write_text(damaged)
        with pytest.raises(ModelError):
            read_example(tmp_path, info)
    with pytest.raises(ModelError, match="'novel'"):
        read_example(tmp_path, {**info, "type": "novel"})


def test_the_file_is_looked_for_in_the_folder_only(tmp_path):
    (tmp_path / "secret.json").write_text("1")
    inner = tmp_path / "model"
    inner.mkdir()
    with pytest.raises(NotFound):
        read_example(inner, {"artifact_path": "../secret.json", "type": "json_object"})
