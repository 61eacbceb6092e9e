"""Data sets that are pandas DataFrames."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.data._dataset import Dataset, checked_columns
from fitbook.models import Schema, describe_signature

if TYPE_CHECKING:
    import pandas as pd


class PandasDataset(Dataset):
    """A DataFrame; see `from_pandas` for the parameters, which are its attributes as well."""

    def __init__(
        self,
        df: pd.DataFrame,
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
        signature, _ = describe_signature(self.df)
        return signature.inputs if signature else None

    @property
    def profile(self) -> dict[str, Any]:
        """Numbers of rows and of cells."""
        return {"num_rows": len(self.df), "num_elements": int(self.df.size)}

    def _parts(self) -> list[Any]:
        return [self.df]

    def _schema_json(self) -> str | None:
        return json.dumps({"mlflow_colspec": self.schema.to_dict()}) if self.schema else None


def from_pandas(
    df: pd.DataFrame,
    source: str | Path | Any = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PandasDataset:
    """Describe a pandas DataFrame.

    Parameters
    ----------
    df : DataFrame
        The data.
    source : str, Path or DatasetSource, optional
        Where it comes from: a path, URI or web address; the program that is running if not given.
    targets, predictions : str, optional
        Columns that hold these.
    name : str, optional
        ``"dataset"`` if not given.
    digest : str, optional
        Made of the content if not given.

    Raises
    ------
    InvalidValue
        There is no such column, or the source is none.
    """
    return PandasDataset(df, source, targets, name, digest, predictions)
