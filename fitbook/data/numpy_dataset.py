"""Data sets that are numpy arrays, or dictionaries of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.data._dataset import Dataset
from fitbook.errors import InvalidValue
from fitbook.models import Schema, describe_signature

if TYPE_CHECKING:
    import numpy as np

    Arrays = np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class TensorDatasetSchema:
    """The schemas of features and targets."""

    features: Schema
    targets: Schema | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give what a run's record keeps: JSON within JSON, as in MLflow."""
        targets = self.targets.to_json() if self.targets else None
        return {"mlflow_tensorspec": {"features": self.features.to_json(), "targets": targets}}


class NumpyDataset(Dataset):
    """Arrays; see `from_numpy` for the parameters, which are its attributes as well."""

    def __init__(
        self,
        features: Arrays,
        source: Any = None,
        targets: Arrays | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        for what, given in (("features", features), ("targets", targets)):
            for value in given.values() if isinstance(given, dict) else [given]:
                if not (hasattr(value, "shape") and hasattr(value, "nbytes")) and not (
                    what == "targets" and value is None
                ):
                    raise InvalidValue(
                        f"The {what} hold a {type(value).__name__}; give a numpy array, or a dict of them."
                    )
        self.features, self.targets = features, targets
        super().__init__(source, name, digest)

    @cached_property
    def schema(self) -> TensorDatasetSchema | None:
        """Types and shapes, rows left open; None if they can't be described."""
        features, targets = (describe_signature(data)[0] for data in (self.features, self.targets))
        if features is None or features.inputs is None:
            return None
        return TensorDatasetSchema(features.inputs, targets.inputs if targets else None)

    @property
    def profile(self) -> dict[str, Any]:
        """Shape, number of values and bytes, of features and of targets if there are any."""
        parts = {"features": self.features} | ({} if self.targets is None else {"targets": self.targets})
        return {
            f"{part}_{name}": {key: _number(array, name) for key, array in data.items()}
            if isinstance(data, dict)
            else _number(data, name)
            for part, data in parts.items()
            for name in ("shape", "size", "nbytes")
        }

    def _parts(self) -> list[Any]:
        return [self.features] if self.targets is None else [self.features, self.targets]

    def _schema_json(self) -> str | None:
        return json.dumps(self.schema.to_dict()) if self.schema else None


def from_numpy(
    features: Arrays,
    source: str | Path | Any = None,
    targets: Arrays | None = None,
    name: str | None = None,
    digest: str | None = None,
) -> NumpyDataset:
    """Describe numpy arrays.

    Parameters
    ----------
    features, targets : ndarray or dict of ndarray
        The data; targets if there are any.
    source, name, digest
        As for `from_pandas`.

    Raises
    ------
    InvalidValue
        They are no arrays, or the source is none.
    """
    return NumpyDataset(features, source, targets, name, digest)


def _number(array: Any, name: str) -> Any:
    value = getattr(array, name)
    return [int(n) for n in value] if isinstance(value, tuple) else int(value)
