"""A record such as MLflow keeps, written in each of its layouts: a folder ``mlruns``, its database, the answers of its server.

The layouts were compared with those that MLflow 2.22 and 3.17 write; ``make interop`` compares the imports of real ones.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from fitbook.registry import Registry, SqlRegistry
from fitbook.store import Store, open_store

START = 1_700_000_000_000
NUMBERS = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5}
MLMODEL = (
    "flavors:\n  sklearn:\n    pickled_model: model.pkl\nmodel_id: {id}\nutc_time_created: '2026-01-01 00:00:00'\n"
)


@dataclass
class TheirRun:
    """A run of theirs; ``metrics`` are lists of (timestamp, value, step)."""

    run_id: str
    experiment: str = "1"
    name: str = "run"
    user: str = "ada"
    status: str = "FINISHED"
    start: int = START
    end: int | None = START + 1000
    deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float, int]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)

    @property
    def all_tags(self) -> dict[str, str]:
        return {**self.tags, "mlflow.runName": self.name}


@dataclass
class TheirVersion:
    number: int
    source: str
    run_id: str = ""
    stage: str = "None"
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def created(self) -> int:
        return START + 100 + self.number


@dataclass
class TheirModel:
    name: str
    versions: list[TheirVersion]
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


@dataclass
class Theirs:
    """All that they have kept; experiments are (id, name, deleted, tags)."""

    experiments: list[tuple[str, str, bool, dict[str, str]]]
    runs: list[TheirRun]
    models: list[TheirModel] = field(default_factory=list)


def _id(number: int) -> str:
    return f"{number:032x}"


def _example() -> Theirs:
    parent = TheirRun(
        _id(1),
        name="Größe 模型",
        params={"lr": "0.1", "a/b": "x" * 7000, "empty": "", "ключ": "日本\nzwei"},
        metrics={
            "loss": [(START, 1.0, 0), (START + 1, 0.5, 1), (START + 2, 0.25, 2)],
            "val/f1": [(START, math.nan, 0)],
            "up": [(START, math.inf, 0), (START + 1, -math.inf, -5)],
            "same": [(START, 1.0, 0), (START, 3.0, 0), (START, 2.0, 0)],
        },
        tags={"mlflow.note.content": "a **note**", "k": "v\nw", "mlflow.user": "ada"},
        datasets=[("wine", "d1", "train"), ("wine", "d2", "eval")],
        files={"plots/ü.txt": b"u", "raw.bin": bytes(range(256)) * 500, "empty": b""},
        models={"m-" + _id(7): "model"},
    )
    child = TheirRun(_id(2), tags={"mlflow.parentRunId": _id(1)}, metrics={"loss": [(START, 2.0, 0)]}, start=START + 5)
    flat = TheirRun(
        _id(3),
        name="of MLflow 2",
        status="FAILED",
        files={"model/MLmodel": MLMODEL.format(id="m-" + _id(8)).encode(), "model/model.pkl": b"pickle"},
        start=START + 7,
    )
    return Theirs(
        experiments=[("0", "Default", False, {}), ("1", "exp ünï", False, {"team": "a"}), ("2", "gone", True, {})],
        runs=[
            parent,
            child,
            flat,
            TheirRun(_id(4), status="RUNNING", end=None, metrics={"loss": [(START, 1.0, 0)]}, start=START + 9),
            TheirRun(_id(5), deleted=True, params={"p": "1"}, start=START + 11),
            TheirRun(_id(6), experiment="2", deleted=True, params={"p": "2"}),
        ],
        models=[
            TheirModel(
                "churn",
                [
                    TheirVersion(1, "models:/m-" + _id(7), _id(1), "Production", tags={"a": "ü"}),
                    TheirVersion(2, "", stage="Deleted_Internal"),
                    TheirVersion(3, f"runs:/{_id(3)}/model", _id(3), description="the third"),
                    TheirVersion(4, "", stage="Deleted_Internal"),
                ],
                "about",
                {"t": "u"},
                {"champion": 3},
            )
        ],
    )


# -- a folder mlruns -----------------------------------------------------------------------------------------------------


def _write_text(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def _write_meta(folder: Path, **content: Any) -> None:
    _write_text(folder / "meta.yaml", yaml.safe_dump(content, allow_unicode=True))


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _model_files(model_id: str) -> dict[str, bytes]:
    return {"MLmodel": MLMODEL.format(id=model_id).encode(), "model.pkl": b"the pickle of " + model_id.encode()}


def write_mlruns(theirs: Theirs, root: Path) -> Path:
    """Write MLflow's file store."""
    places = {}
    for number, name, deleted, tags in theirs.experiments:
        folder = root / ".trash" / number if deleted else root / number
        places[number] = folder
        stage = "deleted" if deleted else "active"
        times = {"creation_time": START + int(number), "last_update_time": START + 50}
        location = (root / number).as_uri()
        _write_meta(folder, experiment_id=number, name=name, lifecycle_stage=stage, artifact_location=location, **times)
        for key, value in tags.items():
            _write_text(folder / "tags" / key, value)
    for run in theirs.runs:
        _write_run(run, root, places[run.experiment])
    for model in theirs.models:
        _write_model(model, root / "models" / model.name)
    return root


def _write_run(run: TheirRun, root: Path, experiment: Path) -> None:
    folder = experiment / run.run_id
    _write_meta(
        folder,
        run_id=run.run_id,
        run_name=run.name,
        experiment_id=run.experiment,
        artifact_uri=(root / run.experiment / run.run_id / "artifacts").as_uri(),
        start_time=run.start,
        end_time=run.end,
        status=NUMBERS[run.status],
        lifecycle_stage="deleted" if run.deleted else "active",
        user_id=run.user,
        **({"deleted_time": START + 77} if run.deleted else {}),
    )
    for key, value in run.params.items():
        _write_text(folder / "params" / key, value)
    for key, value in run.all_tags.items():
        _write_text(folder / "tags" / key, value)
    for key, points in run.metrics.items():
        _write_text(folder / "metrics" / key, "".join(f"{time} {value} {step}\n" for time, value, step in points))
    for name, digest, context in run.datasets:
        data = hashlib.md5(f"{name}{digest}".encode()).hexdigest()
        _write_meta(experiment / "datasets" / data, **_dataset(name, digest))
        tags = {"mlflow.data.context": context}
        _write_meta(
            folder / "inputs" / digest, source_type="DATASET", source_id=data, destination_type="RUN", tags=tags
        )
    _write_files(folder / "artifacts", run.files)
    for model_id, name in run.models.items():
        place = experiment / "models" / model_id
        meta = {"model_id": model_id, "name": name, "source_run_id": run.run_id, "creation_timestamp": START}
        _write_meta(place, **meta, artifact_location=(place / "artifacts").as_uri())
        _write_files(place / "artifacts", _model_files(model_id))


def _dataset(name: str, digest: str) -> dict[str, Any]:
    return {
        "name": name,
        "digest": digest,
        "source_type": "local",
        "source": "{}",
        "schema": None,
        "profile": '{"n": 1}',
    }


def _write_model(model: TheirModel, folder: Path) -> None:
    times = {"creation_timestamp": START, "last_updated_timestamp": START + 1}
    _write_meta(folder, name=model.name, description=model.description, aliases={}, **times)
    for key, value in model.tags.items():
        _write_text(folder / "tags" / key, value)
    for alias, number in model.aliases.items():
        _write_text(folder / "aliases" / alias, str(number))
    for version in model.versions:
        place = folder / f"version-{version.number}"
        _write_meta(
            place,
            name=model.name,
            version=version.number,
            source=version.source,
            run_id=version.run_id,
            current_stage=version.stage,
            description=version.description,
            creation_timestamp=version.created,
            last_updated_timestamp=version.created,
            status="READY",
        )
        for key, value in version.tags.items():
            _write_text(place / "tags" / key, value)


# -- a database ----------------------------------------------------------------------------------------------------------

# What MLflow 3 has added to 2 is in brackets.
_TABLES = """
experiments: experiment_id INTEGER PRIMARY KEY, name, artifact_location, lifecycle_stage, creation_time, last_update_time
  [, workspace NOT NULL DEFAULT 'default']
experiment_tags: key, value, experiment_id INTEGER
runs: run_uuid PRIMARY KEY, name, source_type, source_name, entry_point_name, user_id, status, start_time INTEGER,
  end_time INTEGER, source_version, lifecycle_stage, artifact_uri, experiment_id INTEGER, deleted_time INTEGER
params: key, value, run_uuid
tags: key, value, run_uuid
metrics: key, value FLOAT NOT NULL, timestamp INTEGER, run_uuid, step INTEGER, is_nan BOOLEAN
latest_metrics: key, value FLOAT, timestamp INTEGER, step INTEGER, is_nan BOOLEAN, run_uuid
datasets: dataset_uuid, experiment_id INTEGER, name, digest, dataset_source_type, dataset_source, dataset_schema,
  dataset_profile
inputs: input_uuid, source_type, source_id, destination_type, destination_id [, step INTEGER DEFAULT 0]
input_tags: input_uuid, name, value
[logged_models: model_id, experiment_id INTEGER, name, artifact_location, creation_timestamp_ms INTEGER,
  last_updated_timestamp_ms INTEGER, status INTEGER, lifecycle_stage, model_type, source_run_id]
registered_models: name, creation_time INTEGER, last_updated_time INTEGER, description
  [, workspace NOT NULL DEFAULT 'default']
registered_model_tags: key, value, name [, workspace NOT NULL DEFAULT 'default']
registered_model_aliases: alias, version INTEGER, name [, workspace NOT NULL DEFAULT 'default']
model_versions: name, version INTEGER, creation_time INTEGER, last_updated_time INTEGER, description, user_id,
  current_stage, source, run_id, status, status_message, run_link, storage_location
  [, workspace NOT NULL DEFAULT 'default']
model_version_tags: key, value, name, version INTEGER [, workspace NOT NULL DEFAULT 'default']
"""


def write_database(theirs: Theirs, file: Path, *, version: int = 3, wal: bool = False) -> Path:
    """Write MLflow's database, and the files of runs into ``mlruns`` beside it."""
    text = _TABLES.replace("[", "").replace("]", "") if version == 3 else _without_brackets(_TABLES)
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        for definition in text.replace("\n  ", " ").strip().splitlines():
            name, _, columns = definition.partition(":")
            connection.execute(f"CREATE TABLE {name} ({columns})")
        for number, name, deleted, tags in theirs.experiments:
            location = str(file.parent / "mlruns" / number)
            stage = "deleted" if deleted else "active"
            times = {"creation_time": START + int(number), "last_update_time": START + 50}
            experiment = {"experiment_id": int(number), "name": name, "artifact_location": location}
            _insert(connection, "experiments", **experiment, lifecycle_stage=stage, **times)
            for key, value in tags.items():
                _insert(connection, "experiment_tags", key=key, value=value, experiment_id=int(number))
        for run in theirs.runs:
            _insert_run(connection, run, file.parent / "mlruns", version)
        for model in theirs.models:
            _insert_model(connection, model)
    return file


def _without_brackets(text: str) -> str:
    while "[" in text:
        start, end = text.index("["), text.index("]")
        text = text[:start].rstrip() + text[end + 1 :]
    return text


def _insert(connection: sqlite3.Connection, table: str, **row: Any) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def _insert_run(connection: sqlite3.Connection, run: TheirRun, root: Path, version: int) -> None:
    place = root / run.experiment / run.run_id / "artifacts"
    _insert(
        connection,
        "runs",
        run_uuid=run.run_id,
        name=run.name,
        user_id=run.user,
        status=run.status,
        start_time=run.start,
        end_time=run.end,
        lifecycle_stage="deleted" if run.deleted else "active",
        artifact_uri=str(place),
        experiment_id=int(run.experiment),
        deleted_time=START + 77 if run.deleted else None,
    )
    for table, pairs in (("params", run.params), ("tags", run.all_tags)):
        for key, value in pairs.items():
            _insert(connection, table, key=key, value=value, run_uuid=run.run_id)
    for key, points in run.metrics.items():
        for time, value, step in points:
            kept = max(min(value, 1.7976931348623157e308), -1.7976931348623157e308) if value == value else 0.0
            point = {"key": key, "value": kept, "timestamp": time, "step": step, "is_nan": value != value}
            _insert(connection, "metrics", **point, run_uuid=run.run_id)
    for name, digest, context in run.datasets:
        data = {f"dataset_{k}" if k in ("source_type", "source", "schema", "profile") else k: v
                for k, v in _dataset(name, digest).items()}  # fmt: skip
        _insert(connection, "datasets", dataset_uuid=digest, experiment_id=int(run.experiment), **data)
        used = {"input_uuid": digest + run.run_id, "source_type": "DATASET", "source_id": digest}
        _insert(connection, "inputs", **used, destination_type="RUN", destination_id=run.run_id)
        _insert(connection, "input_tags", input_uuid=digest + run.run_id, name="mlflow.data.context", value=context)
    _write_files(place, run.files)
    for model_id, name in run.models.items():
        if version == 3:
            location = root / run.experiment / "models" / model_id / "artifacts"
            model = {"model_id": model_id, "experiment_id": int(run.experiment), "name": name, "status": 2}
            where = {"artifact_location": str(location), "source_run_id": run.run_id, "creation_timestamp_ms": START}
            _insert(connection, "logged_models", **model, **where, lifecycle_stage="active")
            _write_files(location, _model_files(model_id))
        else:
            _write_files(place / name, _model_files(model_id))


def _insert_model(connection: sqlite3.Connection, model: TheirModel) -> None:
    times = {"creation_time": START, "last_updated_time": START + 1}
    _insert(connection, "registered_models", name=model.name, description=model.description, **times)
    for key, value in model.tags.items():
        _insert(connection, "registered_model_tags", key=key, value=value, name=model.name)
    for alias, number in model.aliases.items():
        _insert(connection, "registered_model_aliases", alias=alias, version=number, name=model.name)
    for version in model.versions:
        times = {"creation_time": version.created, "last_updated_time": version.created, "status": "READY"}
        where = {"source": version.source, "run_id": version.run_id, "current_stage": version.stage}
        what = {"name": model.name, "version": version.number, "description": version.description}
        _insert(connection, "model_versions", **what, **where, **times)
        for key, value in version.tags.items():
            _insert(connection, "model_version_tags", key=key, value=value, name=model.name, version=version.number)


# -- a server ------------------------------------------------------------------------------------------------------------


class FakeServer:
    """Answers like MLflow's server, from memory; pages hold ``page`` things.

    ``faults`` are tried for each request, in order, each once: a function that gets the handler, and returns True if it
    has dealt with the request.
    """

    def __init__(self, theirs: Theirs, *, page: int = 2, proxied: bool = True) -> None:
        self.theirs, self.page, self.proxied = theirs, page, proxied
        self.faults: list[Callable[[BaseHTTPRequestHandler], bool]] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                fake._handle(self, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})

            def do_POST(self) -> None:
                fake._handle(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.asked.append(path)
        self.headers.append(dict(handler.headers))
        if self.faults and self.faults.pop(0)(handler):
            return
        answer = self._answer(path, asked)
        if answer is None:
            body, status = json.dumps({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such thing"}).encode(), 404
        else:
            body, status = answer if isinstance(answer, bytes) else json.dumps(answer).encode(), 200
        reply(handler, status, body)

    def _answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any] | bytes | None:
        api, proxy = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts/"
        by_id = {run.run_id: run for run in self.theirs.runs}
        if path.startswith(proxy):
            return self._stored(path.removeprefix(proxy))
        if path.startswith("/ajax-api/2.0/mlflow/logged-models/"):
            return self._stored(f"1/models/{path.split('/')[5]}/artifacts/{asked['artifact_file_path']}")
        if path == "/get-artifact":
            return self._stored(f"1/{asked['run_id']}/artifacts/{asked['path']}")
        if path.startswith(f"{api}logged-models/m-"):
            model_id = path.split("/")[5]
            return self._listing(f"1/models/{model_id}/artifacts/", asked.get("artifact_directory_path", ""))
        if path == f"{api}artifacts/list":
            run = by_id[asked["run_id"]]
            return self._listing(f"{run.experiment}/{run.run_id}/artifacts/", asked.get("path", ""))
        if path == f"{api}experiments/search":
            return self._page("experiments", [self._experiment(*e) for e in self.theirs.experiments], asked)
        if path == f"{api}runs/search":
            runs = [self._run(run) for run in self.theirs.runs if run.experiment == asked["experiment_ids"][0]]
            return self._page("runs", runs, asked)
        if path == f"{api}metrics/get-history":
            points = by_id[asked["run_id"]].metrics[asked["metric_key"]]
            texts = [{"value": _json(v), "timestamp": str(t), "step": str(s)} for t, v, s in points]
            return self._page("metrics", texts, asked)
        if path == f"{api}logged-models/search":
            return self._page("models", self._logged_models(asked["experiment_ids"][0]), asked)
        if path == f"{api}registered-models/search":
            return self._page("registered_models", [_registered(model) for model in self.theirs.models], asked)
        if path == f"{api}model-versions/search":
            found = [
                _version(m, v) for m in self.theirs.models for v in m.versions if asked["filter"] == f"name='{m.name}'"
            ]
            return self._page("model_versions", [v for v in found if v["current_stage"] != "Deleted_Internal"], asked)
        return None

    def _page(self, name: str, items: list[Any], asked: dict[str, Any]) -> dict[str, Any]:
        start = int(asked.get("page_token") or 0)
        end = start + self.page
        return {name: items[start:end], **({"next_page_token": str(end)} if end < len(items) else {})}

    def _uri(self, path: str) -> str:
        return f"mlflow-artifacts:/{path}" if self.proxied else f"/srv/{path}"

    def _experiment(self, number: str, name: str, deleted: bool, tags: dict[str, str]) -> dict[str, Any]:
        return {
            "experiment_id": number,
            "name": name,
            "artifact_location": self._uri(number),
            "lifecycle_stage": "deleted" if deleted else "active",
            "creation_time": START + int(number),
            "tags": _pairs(tags),
        }

    def _run(self, run: TheirRun) -> dict[str, Any]:
        info = {
            "run_id": run.run_id,
            "run_name": run.name,
            "experiment_id": run.experiment,
            "user_id": run.user,
            "status": run.status,
            "start_time": str(run.start),
            "lifecycle_stage": "deleted" if run.deleted else "active",
            "artifact_uri": self._uri(f"{run.experiment}/{run.run_id}/artifacts"),
            **({} if run.end is None else {"end_time": str(run.end)}),
        }
        metrics = [
            {"key": k, "value": _json(p[-1][1]), "timestamp": p[-1][0], "step": p[-1][2]}
            for k, p in run.metrics.items()
        ]
        data = {"metrics": metrics, "params": _pairs(run.params), "tags": _pairs(run.all_tags)}
        used = [
            {
                "dataset": {k: v for k, v in _dataset(name, digest).items() if v is not None},
                "tags": _pairs({"mlflow.data.context": context}),
            }
            for name, digest, context in run.datasets
        ]
        return {"info": info, "data": data, "inputs": {"dataset_inputs": used}}

    def _logged_models(self, experiment: str) -> list[dict[str, Any]]:
        return [
            {
                "info": {
                    "model_id": model_id,
                    "name": name,
                    "source_run_id": run.run_id,
                    "creation_timestamp_ms": str(START),
                    "artifact_uri": self._uri(f"{experiment}/models/{model_id}/artifacts"),
                }
            }
            for run in self.theirs.runs
            for model_id, name in run.models.items()
            if run.experiment == experiment
        ]

    def _files(self) -> dict[str, bytes]:
        found = {}
        for run in self.theirs.runs:
            found |= {f"{run.experiment}/{run.run_id}/artifacts/{path}": data for path, data in run.files.items()}
            for model_id in run.models:
                files = _model_files(model_id).items()
                found |= {f"{run.experiment}/models/{model_id}/artifacts/{path}": data for path, data in files}
        return found

    def _stored(self, path: str) -> bytes | None:
        return self._files().get(path)

    def _listing(self, root: str, folder: str) -> dict[str, Any]:
        prefix = f"{folder}/" if folder else ""
        below = {
            p.removeprefix(root + prefix): len(data) for p, data in self._files().items() if p.startswith(root + prefix)
        }
        files = [{"path": prefix + p, "is_dir": False, "file_size": str(n)} for p, n in below.items() if "/" not in p]
        folders = {p.partition("/")[0] for p in below if "/" in p}
        return {"files": [*files, *({"path": prefix + name, "is_dir": True} for name in sorted(folders))]}


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None) -> None:
    """Send an answer, with a wrong length if one is given."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def _json(value: float) -> float | str:
    # As protobuf writes what JSON lacks.
    return value if math.isfinite(value) else "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _pairs(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in texts.items()]


def _registered(model: TheirModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "description": model.description,
        "creation_timestamp": START,
        "last_updated_timestamp": START + 1,
        "tags": _pairs(model.tags),
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in model.aliases.items()],
    }


def _version(model: TheirModel, version: TheirVersion) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": str(version.number),
        "creation_timestamp": version.created,
        "last_updated_timestamp": version.created,
        "current_stage": version.stage,
        "description": version.description,
        "source": version.source,
        "run_id": version.run_id,
        "status": "READY",
        "tags": _pairs(version.tags),
    }


# -- fixtures ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def theirs() -> Theirs:
    """A small record with everything in it that MLflow keeps."""
    return _example()


@pytest.fixture
def make_run() -> type[TheirRun]:
    return TheirRun


@pytest.fixture
def run_id() -> Callable[[int], str]:
    """The id of their n-th run."""
    return _id


@pytest.fixture
def mlruns() -> Callable[..., Path]:
    return write_mlruns


@pytest.fixture
def database() -> Callable[..., Path]:
    return write_database


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeServer]]:
    """Start servers that answer like MLflow's, and stop them in the end."""
    started: list[FakeServer] = []

    def start(theirs: Theirs, **options: Any) -> FakeServer:
        started.append(FakeServer(theirs, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def send() -> Callable[..., None]:
    return reply


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "book")
    yield store
    store.close()


@pytest.fixture
def registry(store: Any) -> Registry:
    return SqlRegistry(store.database)
