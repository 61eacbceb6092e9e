"""Input examples in MLflow's layout: one file to read back, one to send to a scoring server."""

from __future__ import annotations

import base64
import datetime
import json
import math
from pathlib import Path
from typing import Any

from fitbook.errors import ModelError, NotFound
from fitbook.models._infer import is_frame, is_polars, is_series, is_sparse
from fitbook.models._schema import NUMPY_NAME, DataType, Schema

EXAMPLE = "input_example.json"
SERVING_EXAMPLE = "serving_input_example.json"


def example_files(example: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Write an input example.

    Parameters
    ----------
    example : DataFrame, Series, array, sparse matrix, dict, list or scalar
        What ``predict`` takes; or a tuple of it and a dict of parameters.

    Returns
    -------
    files : dict of str to bytes
        By file name.
    info : dict
        What the MLmodel file says about them.

    Raises
    ------
    ModelError
        The example can't be written as JSON.
    """
    example, params = split_example(example)
    info: dict[str, Any] = {"artifact_path": EXAMPLE}
    try:
        content, serving = _content(example, info)
        if params is not None:
            info["params"] = "true"
            content = {"inputs": content, "params": params}
            serving = {**serving, "params": params}
        files = {EXAMPLE: _dumps(content)}
        if not is_sparse(example):  # a dense copy may be huge, and scoring servers take no sparse input
            info["serving_input_path"] = SERVING_EXAMPLE
            files[SERVING_EXAMPLE] = _dumps(serving)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The input example, a {type(example).__name__}, can't be written as JSON ({error}). Give a DataFrame, "
            "an array, or lists and dicts of plain values."
        ) from error
    return files, info


def split_example(example: Any) -> tuple[Any, dict[str, Any] | None]:
    """Tell an input example from the parameters that a tuple has beside it."""
    if isinstance(example, tuple) and len(example) == 2 and isinstance(example[1], dict):
        return example
    return example, None


def _content(example: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    if is_series(example):
        example = example.to_frame()
    if is_polars(example):
        columns = [example] if hasattr(example, "to_frame") else example.get_columns()
        rows = zip(*(column.to_list() for column in columns), strict=True)
        split = {"columns": [column.name for column in columns], "data": list(rows)}
        info |= {"type": "dataframe", "pandas_orient": "split"}
        return split, {"dataframe_split": split}
    if is_frame(example):
        default_names = example.columns.tolist() == list(range(example.shape[1]))
        split = {"data": example.to_numpy(dtype=object, na_value=None).tolist()}
        if not default_names:
            split = {"columns": example.columns.tolist(), **split}
        info |= {"type": "dataframe", "pandas_orient": "values" if default_names else "split"}
        return split, {"dataframe_split": split}
    if is_sparse(example):
        kind = "csc" if example.format == "csc" else "csr"
        matrix = example.asformat(kind)
        info["type"] = f"sparse_matrix_{kind}"
        content = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": matrix.shape}
        return content, {}
    is_arrays = isinstance(example, dict) and bool(example) and all(hasattr(v, "tolist") for v in example.values())
    info["type"] = "ndarray" if is_arrays or (hasattr(example, "tolist") and example.ndim > 0) else "json_object"
    return example, {"inputs": example}


def read_example(folder: Path, info: dict[str, Any], schema: Schema | None = None, *, with_params: bool = False) -> Any:
    """Read an input example from a model's folder.

    Parameters
    ----------
    folder : Path
    info : dict
        What the MLmodel file says about it.
    schema : Schema, optional
        The model's input: JSON knows only one kind of number, the schema says which it was.
    with_params : bool, default False
        Return a pair of the example and its parameters (a dict or None).

    Raises
    ------
    NotFound
        The file is not there.
    ModelError
        It is damaged, or of a kind that is not known.
    """
    file = folder / Path(str(info.get("artifact_path", EXAMPLE))).name
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise NotFound("input example", str(file)) from None
    except ValueError as error:
        raise ModelError(f"The input example {file} is damaged: {error}") from error
    params = None
    if info.get("params"):
        content, params = content["inputs"], content["params"]
    try:
        example = _typed(_read(content, str(info.get("type"))), schema)
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"The input example {file} is damaged: {error!r}") from error
    return (example, params) if with_params else example


def _read(content: Any, kind: str) -> Any:
    if kind == "json_object":
        return content
    if kind == "dataframe":
        import pandas as pd  # noqa: PLC0415

        return pd.DataFrame(content["data"], columns=content.get("columns"))
    if kind == "ndarray":
        import numpy as np  # noqa: PLC0415

        if isinstance(content, dict) and content.keys() == {"inputs"}:  # as MLflow 1 wrote it
            content = content["inputs"]
        return {k: np.asarray(v) for k, v in content.items()} if isinstance(content, dict) else np.asarray(content)
    if kind.startswith("sparse_matrix_"):
        from scipy.sparse import csc_matrix, csr_matrix  # noqa: PLC0415

        matrix = csc_matrix if kind.endswith("csc") else csr_matrix
        return matrix((content["data"], content["indices"], content["indptr"]), shape=tuple(content["shape"]))
    raise ModelError(f"The input example is of the kind {kind!r}, which is not known here.")


def _typed(example: Any, schema: Schema | None) -> Any:
    """Numbers with the type that the schema names."""
    if schema is None:
        return example
    specs = schema.input_dict()
    if is_frame(example):
        numeric = {name: NUMPY_NAME[DataType(str(s.type))] for name, s in specs.items() if str(s.type) in NUMPY_NAME}
        safe = [c for c in example.columns if c in numeric and not (numeric[c][0] in "ib" and example[c].isna().any())]
        return example.astype({c: numeric[c] for c in safe})
    if schema.is_tensor_spec() and isinstance(example, dict):
        return {name: value.astype(specs[name].type) if name in specs else value for name, value in example.items()}
    if schema.is_tensor_spec() and hasattr(example, "astype"):
        return example.astype(schema.inputs[0].type)
    return example


def _dumps(content: Any) -> bytes:
    return json.dumps(_jsonable(content)).encode()


def _jsonable(value: Any) -> Any:
    """Plain JSON data, as in MLflow: what is missing, NaN included, is null; infinities stay; bytes are base64."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(v) for v in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    raise TypeError(f"a {type(value).__name__} is no JSON value")
