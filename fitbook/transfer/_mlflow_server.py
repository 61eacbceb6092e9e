"""A live MLflow server, by its REST protocol 2.0."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from fitbook.artifacts import checked
from fitbook.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    FileInfo,
    LifecycleStage,
    Metric,
    ModelVersion,
    RegisteredModel,
    RunDraft,
)
from fitbook.errors import FitbookError, NotFound, StoreUnavailable
from fitbook.transfer._http import Client
from fitbook.transfer._mlflow_db import infinite
from fitbook.transfer._places import PROXY, proxied_path
from fitbook.transfer._records import LoggedModelRecord, Problem, RegisteredModelRecord, RunRecord

_CONNECTIONS = 8
_POINTS_A_PAGE = 25_000
_RUNS_A_PAGE = 200


class ServerSource:
    """The record of a running server; see `Source`.

    Parameters
    ----------
    url : str
        Where it is.

    Raises
    ------
    StoreUnavailable
        It can't be reached, or is not an MLflow server.
    """

    def __init__(self, url: str) -> None:
        self._client = Client(url)
        self._folder = tempfile.TemporaryDirectory(prefix="fitbook-import-")
        self._pool = ThreadPoolExecutor(_CONNECTIONS, "fitbook-import")
        try:
            self._client.post("mlflow/experiments/search", {"max_results": 1})
        except NotFound:
            self.close()
            raise StoreUnavailable(
                f"{self._client.url} is not an MLflow server: it does not know the experiments of MLflow's REST protocol. "
                "Give the address at which MLflow's pages begin."
            ) from None
        except BaseException:
            self.close()
            raise

    def experiments(self) -> Iterator[Experiment | Problem]:
        """See `Source`."""
        asked = {"view_type": "ALL", "max_results": 1000, "order_by": ["creation_time ASC"]}
        for found in self._client.pages("mlflow/experiments/search", "experiments", asked, post=True):
            yield Experiment(
                experiment_id=str(found["experiment_id"]),
                name=str(found["name"]),
                artifact_location=str(found.get("artifact_location", "")),
                lifecycle_stage=str(found.get("lifecycle_stage", LifecycleStage.ACTIVE)),
                tags=_pairs(found),
                creation_time=_number(found.get("creation_time")),
                last_update_time=_number(found.get("last_update_time")),
            )

    def count_runs(self) -> int:
        """Not known: the protocol has no question for it."""
        return 0

    def runs(self, experiment: Experiment) -> Iterator[RunRecord | Problem]:
        """See `Source`."""
        models = self._logged_models(experiment.experiment_id)
        asked = {
            "experiment_ids": [experiment.experiment_id],
            "run_view_type": "ALL",
            "max_results": _RUNS_A_PAGE,
            "order_by": ["attributes.start_time ASC"],
        }
        found = self._client.pages("mlflow/runs/search", "runs", asked, post=True)
        while some := list(islice(found, _CONNECTIONS * 4)):
            wanted = [(run["info"], m["key"]) for run in some for m in run.get("data", {}).get("metrics", ())]
            points: dict[str, list[Metric]] = {run["info"]["run_id"]: [] for run in some}
            for (info, _), history in zip(wanted, self._pool.map(lambda w: self._history(*w), wanted), strict=True):
                points[info["run_id"]] += history
            for run in some:
                run_id = run["info"]["run_id"]
                yield self._run(run, points[run_id], models.get(run_id, []))

    def models(self) -> Iterator[RegisteredModelRecord | Problem]:
        """See `Source`."""
        for found in self._client.pages("mlflow/registered-models/search", "registered_models", {"max_results": 100}):
            name = str(found["name"])
            quoted = name.replace("'", "''")
            asked = {"filter": f"name='{quoted}'", "max_results": 1000}
            try:
                versions = list(self._client.pages("mlflow/model-versions/search", "model_versions", asked))
            except FitbookError as error:
                yield Problem("registered model", name, str(error))
                continue
            yield RegisteredModelRecord(
                RegisteredModel(
                    name=name,
                    creation_timestamp=_number(found.get("creation_timestamp")) or 0,
                    last_updated_timestamp=_number(found.get("last_updated_timestamp")) or 0,
                    description=str(found.get("description", "")),
                    tags=_pairs(found),
                    aliases={str(a["alias"]): int(a["version"]) for a in found.get("aliases", ())},
                ),
                tuple(sorted((_version(version) for version in versions), key=lambda version: version.version)),
            )

    def close(self) -> None:
        """See `Source`."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _history(self, info: dict[str, Any], key: str) -> list[Metric]:
        asked = {"run_id": info["run_id"], "metric_key": key, "max_results": _POINTS_A_PAGE}
        points = [
            Metric(key, infinite(float(p["value"])), int(p["timestamp"]), int(p.get("step", 0)))
            for p in self._client.pages("mlflow/metrics/get-history", "metrics", asked)
        ]
        return sorted(points, key=lambda p: (p.timestamp, p.step, p.value if p.value == p.value else 0.0))

    def _run(self, run: dict[str, Any], metrics: list[Metric], models: list[LoggedModelRecord]) -> RunRecord:
        info, data = run["info"], run.get("data", {})
        tags = _pairs(data)
        start, end = _number(info.get("start_time")) or 0, _number(info.get("end_time"))
        draft = RunDraft(
            experiment_id=str(info["experiment_id"]),
            run_id=str(info["run_id"]),
            run_name=str(info.get("run_name") or tags.get("mlflow.runName", "")),
            user_id=str(info.get("user_id") or tags.get("mlflow.user", "")),
            start_time=start,
            end_time=end,
            status=str(info.get("status", "RUNNING")),
            params={str(p["key"]): str(p.get("value", "")) for p in data.get("params", ())},
            tags=tags,
            metrics=metrics,
            datasets=[_dataset(used) for used in run.get("inputs", {}).get("dataset_inputs", ())],
            deleted_time=(end or start) if info.get("lifecycle_stage") == LifecycleStage.DELETED else None,
        )
        uri = str(info.get("artifact_uri", ""))
        return RunRecord(draft, uri, self._run_files(draft.run_id, uri), models)

    def _run_files(self, run_id: str, uri: str) -> ServerFiles:
        return ServerFiles(
            self._client,
            Path(self._folder.name),
            ("mlflow/artifacts/list", "path", {"run_id": run_id}),
            self._proxied(uri)
            or (lambda path: self._client.address("get-artifact", {"run_id": run_id, "path": path}, under="/")),
        )

    def _model_files(self, model_id: str, uri: str) -> ServerFiles:
        listing = f"mlflow/logged-models/{model_id}/artifacts/directories"
        file = f"mlflow/logged-models/{model_id}/artifacts/files"

        def address(path: str) -> str:
            return self._client.address(file, {"artifact_file_path": path}, under="/ajax-api/2.0/")

        folder = Path(self._folder.name)
        return ServerFiles(
            self._client, folder, (listing, "artifact_directory_path", {}), self._proxied(uri) or address
        )

    def _proxied(self, uri: str) -> Callable[[str], str] | None:
        """How to address files that the server hands on from its own store of artifacts; None for others."""
        root = proxied_path(uri)
        if root is None:
            return None
        return lambda path: self._client.address(f"{PROXY}/artifacts/{root}/{path}")

    def _logged_models(self, experiment_id: str) -> dict[str, list[LoggedModelRecord]]:
        asked = {
            "experiment_ids": [experiment_id],
            "max_results": 50,
            "order_by": [{"field_name": "creation_time", "ascending": True}],
        }
        found: dict[str, list[LoggedModelRecord]] = {}
        try:
            for model in self._client.pages("mlflow/logged-models/search", "models", asked, post=True):
                info = model["info"]
                model_id, uri = str(info["model_id"]), str(info["artifact_uri"])
                files = self._model_files(model_id, uri)
                created = _number(info.get("creation_timestamp_ms")) or 0
                record = LoggedModelRecord(model_id, str(info["name"]), created, uri, files)
                found.setdefault(str(info.get("source_run_id", "")), []).append(record)
        except NotFound:
            return {}  # MLflow 2 has none
        return found


class ServerFiles:
    """The files of one run or model behind a server; see `Files`.

    Parameters
    ----------
    client : Client
        Reaches the server.
    folder : Path
        Takes the files that are downloaded; each is there until the next one is.
    listing : tuple
        What lists a folder: the path to ask, the name under which it takes the folder, and what it takes besides.
    address : callable
        Gives the address of a file.
    """

    def __init__(
        self, client: Client, folder: Path, listing: tuple[str, str, dict[str, str]], address: Callable[[str], str]
    ) -> None:
        self._client, self._folder, self._listing, self._address = client, folder, listing, address

    def find(self, path: str = "") -> list[FileInfo]:
        """See `Files`."""
        question, name, more = self._listing
        asked = {**more, name: path} if path else dict(more)
        try:
            listed = list(self._client.pages(question, "files", asked))
        except NotFound:
            return []
        found: list[FileInfo] = []
        for item in listed:
            below = str(item["path"])
            if not item.get("is_dir"):
                found.append(FileInfo(below, False, int(item.get("file_size") or 0)))
            elif len(below) > len(path):  # or a server that is wrong would be asked for ever
                found += self.find(below)
        return found

    def local_path(self, path: str = "") -> Path:
        """See `Files`."""
        file = self._folder / "file"
        self._client.download(self._address(checked(path)), file)
        return file


def _pairs(thing: dict[str, Any]) -> dict[str, str]:
    return {str(tag["key"]): str(tag.get("value", "")) for tag in thing.get("tags", ())}


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _dataset(used: dict[str, Any]) -> DatasetInput:
    data = used["dataset"]
    return DatasetInput(
        Dataset(
            name=str(data["name"]),
            digest=str(data["digest"]),
            source_type=str(data.get("source_type", "")),
            source=str(data.get("source", "")),
            schema=data.get("schema"),
            profile=data.get("profile"),
        ),
        _pairs(used),
    )


def _version(found: dict[str, Any]) -> ModelVersion:
    created = _number(found.get("creation_timestamp")) or 0
    return ModelVersion(
        name=str(found["name"]),
        version=int(found["version"]),
        creation_timestamp=created,
        last_updated_timestamp=_number(found.get("last_updated_timestamp")) or created,
        current_stage=str(found.get("current_stage") or "None"),
        description=str(found.get("description", "")),
        source=str(found.get("source", "")),
        run_id=str(found.get("run_id", "")),
        status=str(found.get("status") or "READY"),
        tags=_pairs(found),
        model_id=found.get("model_id"),
    )
