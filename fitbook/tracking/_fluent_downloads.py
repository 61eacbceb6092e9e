"""The module-level verbs that read files, of runs, of models, and at any other URI: ``fitbook.artifacts`` in MLflow's terms."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.artifacts import Artifacts, open_artifacts
from fitbook.entities import FileInfo
from fitbook.errors import InvalidValue
from fitbook.tracking._backend import open_backend
from fitbook.tracking._client import Client
from fitbook.tracking._client_files import copied, download
from fitbook.tracking._models import local_folder
from fitbook.tracking._run import RunHandle

if TYPE_CHECKING:
    from PIL import Image as pillow

_FORMS = "runs:/<run_id>/<path>, models:/<name>/<version>/<path>, a path, or a URI such as s3://bucket/path"


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | Path | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Give a file or folder as a local path.

    Parameters
    ----------
    artifact_uri : str, optional
        ``runs:/<run_id>/<path>``, ``models:/<name>/<version, stage or latest>/<path>``, ``models:/<name>@<alias>/<path>``,
        a local path, or a URI of object storage.
    run_id, artifact_path : str, optional
        A run, and the path of the file or folder in it, instead of a URI; all files if there is no path.
    dst_path : str or Path, optional
        A folder to copy to. If not given, what is local already is given as it is: to be read only.
    tracking_uri : str, optional
        The store; the current one if not given.
    registry_uri : str, optional
        MLflow's; the registry is where the runs are.

    Raises
    ------
    NotFound
        There is no such file.
    InvalidValue
        Both or neither of a URI and a run were given, or the URI is of no known form.
    """
    place, path = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    if isinstance(place, RunHandle):
        return download(place, path, dst_path)
    return copied(place.local_path(path), dst_path, whole=path == "")


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """List what is directly inside a folder, given as for `download_artifacts`; paths are relative to the run."""
    place, path = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    return place.list_artifacts(path) if isinstance(place, RunHandle) else place.list(path)


def load_text(artifact_uri: str) -> str:
    """Read a file, given as for `download_artifacts`, as UTF-8 text."""
    try:
        return _content(artifact_uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue(
            f"The file {artifact_uri!r} is not UTF-8; read the path that download_artifacts() gives with its encoding."
        ) from error


def load_dict(artifact_uri: str) -> Any:
    """Read a JSON file, given as for `download_artifacts`, or YAML if it is called ``.yml`` or ``.yaml``."""
    text = load_text(artifact_uri)
    try:
        if not artifact_uri.endswith((".yml", ".yaml")):
            return json.loads(text)
    except ValueError as error:
        raise InvalidValue(f"The file {artifact_uri!r} is not JSON: {error}.") from error
    import yaml  # noqa: PLC0415

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidValue(f"The file {artifact_uri!r} is not plain YAML: {error}.") from error


def load_image(artifact_uri: str) -> pillow.Image:
    """Read an image file, given as for `download_artifacts`, as a ``PIL.Image.Image``."""
    from PIL import Image as pillow  # noqa: PLC0415

    try:
        image = pillow.open(io.BytesIO(_content(artifact_uri)))
        image.load()
    except OSError as error:
        raise InvalidValue(f"The file {artifact_uri!r} is no image: {error}.") from error
    return image


def _content(artifact_uri: str) -> bytes:
    return Path(download_artifacts(artifact_uri)).read_bytes()


def _place(
    artifact_uri: str | None, run_id: str | None, artifact_path: str | None, tracking_uri: str | None
) -> tuple[RunHandle | Artifacts, str]:
    if (artifact_uri is None) == (run_id is None):
        raise InvalidValue("Give either artifact_uri=… or run_id=…, and not both.")
    backend = open_backend(Client(tracking_uri).tracking_uri)
    if run_id is not None:
        return RunHandle(backend, run_id), artifact_path or ""
    if artifact_path:
        raise InvalidValue("artifact_path goes with run_id; write it at the end of artifact_uri.")
    uri = str(artifact_uri).rstrip("/")
    if uri.startswith("runs:"):
        head, _, path = uri.removeprefix("runs:/").partition("/")
        if not uri.startswith("runs:/") or not head:
            raise InvalidValue(f"The artifact URI {artifact_uri!r} is of no known form: {_FORMS}.")
        return RunHandle(backend, head), path
    if uri.startswith("models:"):
        return _in_model(uri)
    return _anywhere(uri)


def _in_model(uri: str) -> tuple[Artifacts, str]:
    parts = uri.removeprefix("models:/").split("/")
    # The name alone says which version if it has an alias or is an id; else the next part does.
    head = 1 if "@" in parts[0] or parts[0].startswith("m-") else 2
    return open_artifacts(local_folder("models:/" + "/".join(parts[:head]))), "/".join(parts[head:])


def _anywhere(uri: str) -> tuple[Artifacts, str]:
    folder, slash, name = uri.rpartition("/")
    if not uri:
        raise InvalidValue(f"The artifact URI is empty: {_FORMS}.")
    if not slash:
        return open_artifacts("."), name
    if folder.endswith(":/"):  # a whole bucket
        return open_artifacts(uri), ""
    at_the_top = folder in ("", "file:", "file://")
    return open_artifacts(f"{folder}/" if at_the_top else folder), name
