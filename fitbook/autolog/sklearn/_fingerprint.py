"""What data a fit saw: a digest of its content, its shape and its schema, within a few milliseconds.

Equal data has an equal digest in every process and on every machine of one byte order; the order of rows and columns
counts. Up to 16 MB every byte is read. Beyond that evenly spaced blocks are, and the fingerprint says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._content import Content, dtype_names, kind_of
from fitbook.autolog.sklearn._lazy import Lazy
from fitbook.entities import Dataset, DatasetInput

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")

_MAX_SCHEMA_COLUMNS = 2_000
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of a data set.

    Attributes
    ----------
    digest : str
        16 hexadecimal digits over content, types, shape and column names, or ``"unknown"``.
    n_rows, n_features : int or None
        None where the data does not tell. One-dimensional data has one feature.
    dtypes : tuple of str
        One for each column of a table, else one for the array.
    schema_json, profile_json : str or None
        In the layouts of MLflow's data sets.
    feature_names : tuple of str or None
        Column names of a table.
    sampled : bool
        Not every byte was read.
    kind : str
        Where the data's class comes from, e.g. ``"pandas.DataFrame"``.
    bytes_copied : int
        How much was copied in order to be read, a block at a time.
    """

    digest: str
    n_rows: int | None
    n_features: int | None
    dtypes: tuple[str, ...]
    schema_json: str | None
    profile_json: str | None
    feature_names: tuple[str, ...] | None
    sampled: bool
    kind: str
    bytes_copied: int = 0

    def tags(self) -> dict[str, str]:
        """What a run's tags tell of it: ``fitbook.data.…``."""
        tags = {"fitbook.data.digest": self.digest, "fitbook.data.kind": self.kind}
        if self.n_rows is not None:
            tags["fitbook.data.shape"] = f"{self.n_rows} x {self.n_features}"
        if self.dtypes:
            tags["fitbook.data.dtypes"] = ", ".join(sorted(set(self.dtypes)))
        if self.sampled:
            tags["fitbook.data.sampled"] = "true"
        return tags

    def datasets(self) -> list[DatasetInput]:
        """The data set as the input of a run that trains on it."""
        dataset = Dataset("dataset", self.digest, "code", "{}", self.schema_json, self.profile_json)
        return [DatasetInput(dataset, {"mlflow.data.context": "train"})]


def fingerprint(X: Any, y: Any = None) -> Fingerprint:
    """Fingerprint training data; neither is changed, copied as a whole, or made dense.

    Parameters
    ----------
    X : ndarray, DataFrame, Series, scipy sparse, polars DataFrame or list
        Anything else has the digest ``"unknown"``.
    y : array-like, optional
        The target; its content is part of the digest.
    """
    content = Content()
    try:
        content.add(X)
        if y is not None:
            content.label("target")
            content.add(y)
        digest = content.digest()
    except Exception:  # data that can't be read costs its digest, nothing else
        digest = UNKNOWN
    try:
        return replace(_described(X, y, digest, content.sampled), bytes_copied=content.bytes_copied)
    except Exception:
        return Fingerprint(digest, None, None, (), None, None, None, content.sampled, kind_of(X), content.bytes_copied)


def digest_of(value: Any) -> str:
    """The digest alone."""
    try:
        content = Content()
        content.add(value)
        return content.digest()
    except Exception:
        return UNKNOWN


def _described(X: Any, y: Any, digest: str, sampled: bool) -> Fingerprint:
    kind = kind_of(X)
    shape = _shape(X)
    names = dtypes = None
    if kind.endswith("DataFrame"):
        names, dtypes = tuple(str(c) for c in X.columns), dtype_names(X)
        schema: Any = {"mlflow_colspec": _colspec(X, dtypes, kind, sampled)}
    else:
        dtype = getattr(X, "dtype", None)
        dtypes = (str(dtype),) if dtype is not None else ()
        targets = _tensorspec(y)
        features = _tensorspec(X)
        schema = {"mlflow_tensorspec": {"features": features, "targets": targets}} if features else None
    profile: dict[str, Any] = {}
    if shape:
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        profile = {"num_rows": shape[0], "num_elements": size, "features_shape": list(shape), "features_size": size}
        if hasattr(X, "nbytes"):
            profile["features_nbytes"] = int(X.nbytes)
        if y is not None and _shape(y):
            profile["targets_shape"] = list(_shape(y))
    if sampled:
        profile["digest_sampled"] = True
    n_features = None if not shape else shape[1] if len(shape) > 1 else 1
    return Fingerprint(
        digest,
        shape[0] if shape else None,
        n_features,
        dtypes,
        json.dumps(schema) if schema else None,
        json.dumps(profile) if profile else None,
        names,
        sampled,
        kind,
    )


def _shape(data: Any) -> tuple[int, ...]:
    found = getattr(data, "shape", None)
    if isinstance(found, tuple):
        return tuple(int(n) for n in found)
    if isinstance(data, (list, tuple)):
        inner = data[0] if data else None
        wide = isinstance(inner, (list, tuple)) or getattr(inner, "ndim", 0) == 1
        return (len(data), len(inner)) if wide else (len(data),)  # type: ignore[arg-type]
    return ()


def _tensorspec(data: Any) -> str | None:
    """MLflow's schema of one tensor: JSON within JSON, rows left open."""
    dtype = getattr(data, "dtype", None)
    shape = _shape(data)
    if dtype is None or not shape or not isinstance(dtype, np.dtype):
        return None
    name = "str" if dtype.kind == "U" else "bytes" if dtype.kind == "S" else dtype.name
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": name, "shape": [-1, *shape[1:]]}}])


def _colspec(frame: Any, dtypes: tuple[str, ...], kind: str, sampled: bool) -> list[dict[str, Any]]:
    columns = list(frame.columns)[:_MAX_SCHEMA_COLUMNS]
    whole = None if sampled else frame.null_count().row(0) if kind.startswith("polars") else frame.isna().any().tolist()
    types = {dtype: _mlflow_type(dtype) for dtype in set(dtypes)}
    return [
        {"type": types[dtype], "name": str(name), "required": whole is not None and not whole[i]}
        for i, (name, dtype) in enumerate(zip(columns, dtypes, strict=False))
    ]


def _mlflow_type(dtype: str) -> str:
    name = dtype.lower()
    if name.startswith("bool"):
        return "boolean"
    if name.startswith(("datetime", "date")):
        return "datetime"
    if name in ("float64", "double"):
        return "double"
    if name.startswith("float"):
        return "float"
    if name in ("int8", "int16", "int32", "uint8", "uint16"):
        return "integer"
    if name.startswith(("int", "uint")):
        return "long"
    return "string"
