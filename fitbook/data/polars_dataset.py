"""Data sets that are polars DataFrames."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.autolog.sklearn._fingerprint import fingerprint
from fitbook.data._dataset import Dataset, checked_columns
from fitbook.models import Schema

if TYPE_CHECKING:
    import polars as pl


class PolarsDataset(Dataset):
    """A polars DataFrame; see `from_polars` for the parameters, which are its attributes as well."""

    def __init__(
        self,
        df: pl.DataFrame,
        source: Any = None,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        checked_columns(df.columns, targets=targets, predictions=predictions)
        self.df, self.targets, self.predictions = df, targets, predictions
        super().__init__(source, name, digest)

    @cached_property
    def schema(self) -> Schema | None:
        """The columns and their types; None if they can't be described."""
        found = self._schema_json()
        return Schema.from_json(json.dumps(json.loads(found)["mlflow_colspec"])) if found else None

    @property
    def profile(self) -> dict[str, Any]:
        """Numbers of rows and of cells."""
        return {"num_rows": self.df.height, "num_elements": self.df.height * self.df.width}

    def _parts(self) -> list[Any]:
        return [self.df]

    def _schema_json(self) -> str | None:
        return fingerprint(self.df).schema_json


def from_polars(
    df: pl.DataFrame,
    source: str | Path | Any = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PolarsDataset:
    """Describe a polars DataFrame; parameters as for `from_pandas`."""
    return PolarsDataset(df, source, targets, name, digest, predictions)
