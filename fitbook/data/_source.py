"""Where a data set comes from: a program, a file or folder, or a web address."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from fitbook.errors import InvalidValue, NotFound
from fitbook.tracking import download_artifacts
from fitbook.tracking._context import context_tags


class DatasetSource(ABC):
    """Where a data set comes from.

    Attributes
    ----------
    source_type : str
        ``"code"``, ``"http"``, ``"local"``, or the scheme of a URI.
    """

    source_type: str

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Give what a run's record keeps."""

    @abstractmethod
    def load(self, dst_path: str | Path | None = None) -> str:
        """Give the data as a local file or folder; downloads it, into ``dst_path`` if given, where it is elsewhere."""

    def to_json(self) -> str:
        """Give what a run's record keeps, as JSON."""
        return json.dumps(self.to_dict())

    def _get_source_type(self) -> str:
        return self.source_type  # MLflow's name for it, which its own code calls


class CodeDatasetSource(DatasetSource):
    """A program that made the data, by the tags that its runs get."""

    source_type = "code"

    def __init__(self, tags: Mapping[str, str]) -> None:
        self.tags = dict(tags)

    def to_dict(self) -> dict[str, Any]:
        """Give the program's tags."""
        return {"tags": self.tags}

    def load(self, dst_path: str | Path | None = None) -> str:
        """Raise `InvalidValue`: only the program can make the data again."""
        program = self.tags.get("mlflow.source.name", "a program")
        raise InvalidValue(f"The data was made by {program}; run it again, or give the data set source=… of a file.")


class UriDatasetSource(DatasetSource):
    """A file or folder, on this machine or in object storage."""

    def __init__(self, uri: str) -> None:
        scheme = urlsplit(uri).scheme if "://" in uri else ""
        self.uri, self.source_type = uri, "local" if scheme in ("", "file") else scheme

    def to_dict(self) -> dict[str, Any]:
        """Give the URI."""
        return {"uri": self.uri}

    def load(self, dst_path: str | Path | None = None) -> str:
        """Give the data as a local file or folder; see `DatasetSource.load`."""
        return download_artifacts(self.uri, dst_path=dst_path)


class HTTPDatasetSource(DatasetSource):
    """A file on the web."""

    source_type = "http"

    def __init__(self, url: str) -> None:
        self.url = url

    def to_dict(self) -> dict[str, Any]:
        """Give the address."""
        return {"url": self.url}

    def load(self, dst_path: str | Path | None = None) -> str:
        """Download the file; see `DatasetSource.load`."""
        folder = Path(tempfile.mkdtemp()) if dst_path is None else Path(dst_path)
        folder.mkdir(parents=True, exist_ok=True)
        # The last part of the address, as one plain name: "..", "" and the like are none.
        name = PurePosixPath(unquote(urlsplit(self.url).path)).name
        target = folder / (name if name not in ("", "..") else "dataset_source")
        try:
            with urllib.request.urlopen(self.url) as response, target.open("wb") as file:
                shutil.copyfileobj(response, file)
        except OSError as error:
            raise NotFound("data at", self.url, hint=f"It can't be downloaded: {error}.") from error
        return str(target)


def resolved(source: Any) -> Any:
    """Give the source that users mean: a path, a URI, a source, MLflow's, or None for the program that is running."""
    if source is None:
        return CodeDatasetSource({key: value for key, value in context_tags().items() if value})
    if isinstance(source, DatasetSource) or (hasattr(source, "to_json") and hasattr(source, "_get_source_type")):
        return source
    if not isinstance(source, (str, Path)) or not str(source):
        raise InvalidValue(f"The source {source!r} is a {type(source).__name__}; give a path, a URI or a web address.")
    if urlsplit(str(source)).scheme in ("http", "https"):
        return HTTPDatasetSource(str(source))
    return UriDatasetSource(str(source))


def get_dataset_source_from_json(source_json: str, source_type: str) -> DatasetSource:
    """Make the source again that a record holds as JSON and type.

    Raises
    ------
    InvalidValue
        It is not one that fitbook knows.
    """
    try:
        content = json.loads(source_json)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"The source {source_json!r} is not JSON: {error}.") from error
    if isinstance(content, dict):
        if isinstance(content.get("url"), str):
            return HTTPDatasetSource(content["url"])
        if isinstance(content.get("uri"), str):
            return UriDatasetSource(content["uri"])
        if source_type == "code":
            return CodeDatasetSource(content.get("tags") or {})
    raise InvalidValue(f"A source of type {source_type!r} with {source_json} is not known here.")


def get_source(dataset: Any) -> DatasetSource:
    """Tell where a data set comes from.

    Parameters
    ----------
    dataset : fitbook.data.Dataset, fitbook.entities.Dataset or fitbook.entities.DatasetInput
        For instance one of ``run.inputs.dataset_inputs``.
    """
    dataset = getattr(dataset, "dataset", dataset)
    source = getattr(dataset, "source", None)
    if source is None:
        raise InvalidValue(f"A {type(dataset).__name__} is no data set; give one of run.inputs.dataset_inputs.")
    return get_dataset_source_from_json(source, dataset.source_type) if isinstance(source, str) else source
