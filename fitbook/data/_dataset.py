"""What all data sets have in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from fitbook import entities
from fitbook.autolog.sklearn._content import Content
from fitbook.data._source import resolved
from fitbook.errors import InvalidValue


class Dataset(ABC):
    """A data set that is in memory, described for a run's record.

    Parameters
    ----------
    source : str, Path or DatasetSource, optional
        Where it comes from; the program that is running if not given.
    name : str, optional
        ``"dataset"`` if not given.
    digest : str, optional
        16 hexadecimal digits over the content if not given: the same for equal data in every process, and read in
        milliseconds, since of large data evenly spaced blocks are read.

    Attributes
    ----------
    source : DatasetSource
    name, digest : str
    """

    def __init__(self, source: Any = None, name: str | None = None, digest: str | None = None) -> None:
        self.source = resolved(source)
        self.name = "dataset" if name is None else name
        self.digest = self._digest() if digest is None else digest

    @property
    @abstractmethod
    def schema(self) -> Any:
        """Columns or tensors and their types; None if they can't be described."""

    @property
    @abstractmethod
    def profile(self) -> dict[str, Any]:
        """How large it is."""

    @abstractmethod
    def _parts(self) -> list[Any]:
        """What the digest is made over."""

    @abstractmethod
    def _schema_json(self) -> str | None:
        """The schema as the record keeps it."""

    def to_dict(self) -> dict[str, str | None]:
        """Give what a run's record keeps, in MLflow's form."""
        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": self.source._get_source_type(),
            "schema": self._schema_json(),
            "profile": json.dumps(self.profile),
        }

    def to_json(self) -> str:
        """Give what a run's record keeps, as JSON."""
        return json.dumps(self.to_dict())

    def _to_mlflow_entity(self) -> entities.Dataset:
        return entities.Dataset(**self.to_dict())  # type: ignore[arg-type]

    def _get_source_type(self) -> str:
        return str(self.source._get_source_type())

    def _digest(self) -> str:
        content = Content()
        for part in self._parts():
            content.label("part")
            for key, value in sorted(part.items()) if isinstance(part, dict) else [("", part)]:
                content.label(key)
                content.add(value)
        return content.digest()


def checked_columns(columns: Any, **named: str | None) -> None:
    """Raise `InvalidValue` if a column that was named is not among the columns."""
    known = list(columns)
    for what, name in named.items():
        if name is not None and name not in known:
            shown = ", ".join(map(repr, known[:10])) + (" …" if len(known) > 10 else "")
            raise InvalidValue(f"The data has no column {name!r} for {what}; it has {shown}.")
