"""Model URIs: text into a small typed value, and back with ``str``.

========================================  ================================================
``runs:/<run_id>/<path>``                 `RunUri`; ``runs:/latest/<path>``: the last run
``models:/<name>/<version>``              `VersionUri`
``models:/<name>/<Stage>``                `StageUri`, its newest version
``models:/<name>/latest``                 `LatestUri`, the highest version
``models:/<name>@<alias>``                `AliasUri`
``models:/<model_id>``                    `ModelIdUri`, ``m-`` and 32 hexadecimal digits
a path, ``file:<path>``, ``file:///…``    `PathUri`
``s3://<bucket>/<path>`` and the like     `RemoteUri`
========================================  ================================================

``runs:`` and ``models:`` URIs are read literally: nothing is percent-decoded, and there is no query or fragment.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fitbook.artifacts import REMOTE_SCHEMES, checked_location
from fitbook.errors import InvalidValue
from fitbook.registry import _rules

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):(.*)", re.DOTALL)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,255}")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")

_RUNS_FORMS = "runs:/<run_id>/<path>, runs:/latest/<path>"
_MODELS_FORMS = (
    "models:/<name>/<version>, models:/<name>/<stage>, models:/<name>/latest, models:/<name>@<alias>, "
    "models:/<model_id>"
)


@dataclass(frozen=True, slots=True)
class RunUri:
    """A folder among a run's artifacts; ``run_id`` None is the last run."""

    run_id: str | None
    path: str

    def __str__(self) -> str:
        return f"runs:/{self.run_id or _rules.LATEST}/{self.path}"


@dataclass(frozen=True, slots=True)
class VersionUri:
    """One version of a registered model."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class StageUri:
    """The newest version of a registered model in a stage."""

    name: str
    stage: str

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.stage}"


@dataclass(frozen=True, slots=True)
class LatestUri:
    """The highest version of a registered model, in whatever stage."""

    name: str

    def __str__(self) -> str:
        return f"models:/{self.name}/{_rules.LATEST}"


@dataclass(frozen=True, slots=True)
class AliasUri:
    """The version of a registered model that an alias points at."""

    name: str
    alias: str

    def __str__(self) -> str:
        return f"models:/{self.name}@{self.alias}"


@dataclass(frozen=True, slots=True)
class ModelIdUri:
    """A model that a run logged, registered or not."""

    model_id: str

    def __str__(self) -> str:
        return f"models:/{self.model_id}"


@dataclass(frozen=True, slots=True)
class PathUri:
    """A folder on this machine."""

    path: Path

    def __str__(self) -> str:
        return self.path.absolute().as_uri()


@dataclass(frozen=True, slots=True)
class RemoteUri:
    """A folder in object storage."""

    location: str

    def __str__(self) -> str:
        return self.location


RegisteredUri = VersionUri | StageUri | LatestUri | AliasUri
ModelUri = RunUri | RegisteredUri | ModelIdUri | PathUri | RemoteUri


def parse(uri: str | os.PathLike[str]) -> ModelUri:
    """Read a model URI.

    Parameters
    ----------
    uri : str or path
        One of the forms above. Scheme and stages in any case.

    Returns
    -------
    RunUri, VersionUri, StageUri, LatestUri, AliasUri, ModelIdUri, PathUri or RemoteUri

    Raises
    ------
    InvalidValue
        It has none of the forms; the message lists them.
    """
    if isinstance(uri, os.PathLike):
        return PathUri(Path(uri))
    if not isinstance(uri, str) or not uri.strip():
        raise InvalidValue(
            f"{uri!r} is not a model URI: give text in one of the forms {_RUNS_FORMS}, {_MODELS_FORMS} or a path."
        )
    found = _SCHEME.fullmatch(uri)
    if not found:
        return _local(uri, uri)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "runs":
        return _runs(uri, rest)
    if scheme == "models":
        return _models(uri, rest)
    if scheme == "file":
        return _file(uri, rest)
    if scheme in REMOTE_SCHEMES:
        return RemoteUri(checked_location(uri))
    raise _refused(
        uri,
        f"models can't be read from {scheme!r} URIs",
        f"{_RUNS_FORMS}, {_MODELS_FORMS}, file:<path>, s3://<bucket>/<path> and the like, or a path such as ./{uri[:80]}",
    )


def _runs(uri: str, rest: str) -> RunUri:
    run_id, *path = _segments(uri, rest, _RUNS_FORMS)
    if not path:
        raise _refused(uri, "the path of the model within the run is missing", _RUNS_FORMS)
    if not _RUN_ID.fullmatch(run_id):
        raise _refused(uri, f"{run_id!r} is not a run id", _RUNS_FORMS)
    return RunUri(None if run_id == _rules.LATEST else run_id, "/".join(path))


def _models(uri: str, rest: str) -> RegisteredUri | ModelIdUri:
    name, *more = _segments(uri, rest, _MODELS_FORMS)
    if len(more) > 1:
        raise _refused(uri, "it has more than two parts", _MODELS_FORMS)
    try:
        if more:
            return _with_suffix(uri, _rules.model_name(name), more[0])
        if _MODEL_ID.fullmatch(name):
            return ModelIdUri(name)
        head, at, alias = name.rpartition("@")
        if at:
            return AliasUri(_rules.model_name(head), _rules.alias(alias))
    except InvalidValue as error:
        raise _refused(uri, str(error).rstrip("."), _MODELS_FORMS) from None
    raise _refused(uri, "it doesn't say which version ('latest' is the highest)", _MODELS_FORMS)


def _with_suffix(uri: str, name: str, suffix: str) -> RegisteredUri:
    if suffix.lower() == _rules.LATEST:
        return LatestUri(name)
    if suffix.isdigit():
        return VersionUri(name, _rules.version(suffix))
    try:
        return StageUri(name, _rules.stage(suffix))
    except InvalidValue:
        stages = ", ".join(_rules.STAGES)
        reason = f"{suffix!r} is neither a version nor a stage ({stages}); an alias is written {name}@{suffix}"
        raise _refused(uri, reason, _MODELS_FORMS) from None


def _segments(uri: str, rest: str, forms: str) -> list[str]:
    if not rest.startswith("/") or rest.startswith("//"):
        raise _refused(uri, "one '/' must follow the colon", forms)
    for bad in "\\?#":
        if bad in rest:
            raise _refused(uri, f"it contains {bad!r}", forms)
    if not _rules.storable(rest):
        raise _refused(uri, "it contains control characters", forms)
    segments = rest[1:].split("/")
    if any(part.strip() in ("", ".", "..") for part in segments):
        raise _refused(uri, "a part of it is empty, '.' or '..'", forms)
    return segments


def _file(uri: str, rest: str) -> PathUri:
    forms = "file:<path>, file:///<absolute path>"
    parts = urlsplit(f"file:{rest}")
    if parts.netloc not in ("", "localhost"):
        raise _refused(uri, f"{parts.netloc!r} is another machine", forms)
    if "?" in rest or "#" in rest:
        raise _refused(uri, "it contains '?' or '#'; write them as %3F and %23", forms)
    # urlsplit drops tabs and line breaks silently, so they must not get that far.
    if not _rules.storable(rest) or not parts.path:
        raise _refused(uri, "its path is empty or contains control characters", forms)
    path = unquote(parts.path)
    # file:///C:/models is C:/models where drives exist.
    if os.name == "nt" and re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return _local(uri, path)


def _local(uri: str, path: str) -> PathUri:
    if "\0" in path:
        raise _refused(uri, "it contains a NUL character", "a path")
    return PathUri(Path(path))


def _refused(uri: str, reason: str, forms: str) -> InvalidValue:
    shown, reason = (text if len(text) <= 300 else text[:300] + "…" for text in (uri, reason))
    return InvalidValue(f"{shown!r} is not a model URI: {reason}. Accepted: {forms}.")
