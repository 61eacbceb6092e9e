"""Data sets as a run's record holds them, from whatever describes one: fitbook's own, or MLflow's objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fitbook.entities import Dataset, DatasetInput
from fitbook.errors import InvalidValue

CONTEXT = "mlflow.data.context"


def dataset_input(dataset: Any, context: str | None = None, tags: Mapping[str, Any] | None = None) -> DatasetInput:
    """Describe the use of a data set.

    Parameters
    ----------
    dataset : object
        A `Dataset`, what has its attributes, or what has a ``to_dict()`` that gives them.
    context : str, optional
        For what it was used.
    tags : mapping, optional
        More tags.

    Raises
    ------
    InvalidValue
        The object does not describe a data set.
    """
    noted = {str(key): str(value) for key, value in (tags or {}).items()}
    if context is not None:
        noted[CONTEXT] = str(context)
    return DatasetInput(dataset if isinstance(dataset, Dataset) else _entity(dataset), noted)


def as_input(used: Any) -> DatasetInput:
    """Give a `DatasetInput`, made from MLflow's of that name if need be.

    Raises
    ------
    InvalidValue
        It is neither.
    """
    if isinstance(used, DatasetInput):
        return used
    if not (hasattr(used, "dataset") and hasattr(used, "tags")):
        raise InvalidValue(f"log_inputs got a {type(used).__name__}; give DatasetInput(dataset, tags).")
    tags = used.tags if isinstance(used.tags, Mapping) else {tag.key: tag.value for tag in used.tags}
    return dataset_input(used.dataset, tags=tags)


def _entity(dataset: Any) -> Dataset:
    names = ("name", "digest", "source_type", "source", "schema", "profile")
    described = None if isinstance(dataset, type) else getattr(dataset, "to_dict", None)
    found = described() if callable(described) else {name: getattr(dataset, name, None) for name in names}
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), str) for name in ("name", "digest")):
        raise InvalidValue(
            f"A {type(dataset).__name__} is no data set; make one of it with fitbook.data.from_pandas(), from_numpy() or "
            "from_polars()."
        )
    texts = {name: _text(found.get(name)) for name in names}
    return Dataset(
        str(found["name"]),
        str(found["digest"]),
        texts["source_type"] or "code",
        texts["source"] or "{}",
        texts["schema"],
        texts["profile"],
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)
