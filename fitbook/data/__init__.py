"""Data sets of runs: what was used, described by name, digest, source, schema and profile; see `fitbook.log_input`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fitbook._absent import advice
from fitbook.data._dataset import Dataset
from fitbook.data._source import (
    CodeDatasetSource,
    DatasetSource,
    HTTPDatasetSource,
    UriDatasetSource,
    get_dataset_source_from_json,
    get_source,
)
from fitbook.data.numpy_dataset import NumpyDataset, from_numpy
from fitbook.data.pandas_dataset import PandasDataset, from_pandas
from fitbook.data.polars_dataset import PolarsDataset, from_polars

__all__ = [
    "CodeDatasetSource",
    "Dataset",
    "DatasetSource",
    "HTTPDatasetSource",
    "NumpyDataset",
    "PandasDataset",
    "PolarsDataset",
    "UriDatasetSource",
    "from_numpy",
    "from_pandas",
    "from_polars",
    "get_dataset_source_from_json",
    "get_source",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise AttributeError(advice("module 'fitbook.data'", name))
