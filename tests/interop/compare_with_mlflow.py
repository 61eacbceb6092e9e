"""Import what the real MLflow has recorded, from its file store, database and server, and compare every run and model.

``compare_with_mlflow.py PYTHON``, where PYTHON has MLflow and scikit-learn, and this process fitbook: ``make interop`` makes
both. What was imported is exported, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from fitbook.artifacts import open_artifacts
from fitbook.entities import ViewType
from fitbook.registry import Registry, SqlRegistry
from fitbook.store import Store, open_store
from fitbook.transfer import export, import_mlflow

WRITER = Path(__file__).with_name("write_with_mlflow.py")
QUIET = {
    **os.environ,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
}


def main(python: str) -> int:
    """Compare all three; returns how many differ."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, options) in enumerate(
            [
                ("mlruns", ()),
                ("mlflow.db", ()),
                ("server", ("--serve-artifacts",)),
                ("server", ("--no-serve-artifacts",)),
            ]
        ):
            place = Path(folder, str(number))
            place.mkdir()
            found = compare(python, kind, place, options)
            print(f"{kind} {' '.join(options)}: {'FAILED' if found else 'equal'}")
            for line in found:
                print(f"  {line}")
            failures += bool(found)
    return failures


def compare(python: str, kind: str, place: Path, options: tuple[str, ...]) -> list[str]:
    """Record with MLflow, import, and list what differs."""
    if kind == "server":
        with Server(python, place, options) as url:
            return _compare(python, url, url, place)
    source = place / kind
    return _compare(python, source.as_uri() if kind == "mlruns" else f"sqlite:///{source}", str(source), place)


def _compare(python: str, uri: str, source: str, place: Path) -> list[str]:
    written = place / "theirs.json"
    done = subprocess.run([python, WRITER, uri, written], cwd=place, env=QUIET, capture_output=True, text=True)
    if done.returncode:
        return [f"MLflow could not record: {done.stderr[-2000:]}"]
    theirs = json.loads(written.read_text())
    print(f"MLflow {theirs['mlflow']}, ", end="")
    store = open_store(place / "book")
    registry = SqlRegistry(store.database)
    start = time.perf_counter()
    summary = import_mlflow(source, store, registry)
    print(f"{summary.taken['runs']} runs in {time.perf_counter() - start:.2f} s, ", end="")
    found = [f"skipped: {problem}" for problem in summary.problems]
    found += _differences("", theirs, {"mlflow": theirs["mlflow"], **_ours(store, registry)})
    again = import_mlflow(source, store, registry)
    if any(again.taken.values()) or any(again.added_to.values()) or again.problems:
        found.append(f"a second import was not empty: {again}")
    if export(store, registry, place / "exported", deleted=True).taken["runs"] != len(theirs["runs"]):
        found.append("not every run was exported")
    store.close()
    return found


def _ours(store: Store, registry: Registry) -> dict[str, Any]:
    experiments = store.search_experiments(ViewType.ALL)
    return {
        "experiments": {e.name: [e.lifecycle_stage, dict(e.tags), e.creation_time] for e in experiments},
        "runs": {
            run.info.run_id: _run(store, run.info.run_id, experiment.name)
            for experiment in experiments
            for run in store.search_runs([experiment.experiment_id], None, ViewType.ALL)
        },
        "models": {model.name: _model(registry, model) for model in registry.search_registered_models()},
    }


def _run(store: Store, run_id: str, experiment: str) -> dict[str, Any]:
    run = store.get_run(run_id)
    names = ("run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage")
    artifacts = open_artifacts(run.info.artifact_uri)
    files = {
        info.path: hashlib.sha256(artifacts.read(info.path)).hexdigest()
        for info in artifacts.find()
        if not info.path.endswith("registered_model_meta")  # which MLflow leaves when it reads a model
    }
    return {
        **{name: getattr(run.info, name) for name in names},
        "experiment": experiment,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "latest": {key: repr(value) for key, value in run.data.metrics.items()},
        "history": {
            key: sorted([m.timestamp, m.step, repr(m.value)] for m in store.get_metric_history(run_id, key))
            for key in run.data.metrics
        },
        "datasets": [
            [
                d.dataset.name,
                d.dataset.digest,
                d.dataset.source_type,
                d.dataset.schema,
                [[t.key, t.value] for t in d.tags],
            ]
            for d in run.inputs.dataset_inputs
        ],
        "files": files if run.info.lifecycle_stage == "active" else {},
    }


def _model(registry: Registry, model: Any) -> dict[str, Any]:
    return {
        "description": model.description,
        "tags": dict(model.tags),
        "aliases": dict(model.aliases),
        "times": [model.creation_timestamp, model.last_updated_timestamp],
        "versions": {
            str(v.version): {
                "stage": v.current_stage,
                "description": v.description,
                "run_id": v.run_id,
                "times": [v.creation_timestamp, v.last_updated_timestamp],
                "tags": dict(v.tags),
            }
            for v in registry.search_model_versions(f"name = '{model.name}'")
        },
    }


def _differences(path: str, theirs: Any, ours: Any) -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{path}/{key}: not here" for key in theirs.keys() - ours.keys()]
        if path == "/experiments":
            ours = {name: value for name, value in ours.items() if name in theirs}
        found += [f"{path}/{key}: only here: {ours[key]}" for key in ours.keys() - theirs.keys()]
        return found + [
            d for key in theirs.keys() & ours.keys() for d in _differences(f"{path}/{key}", theirs[key], ours[key])
        ]
    if theirs == ours or _same_in_meaning(path, theirs, ours):
        return []
    return [f"{path}: {theirs!r} there, {ours!r} here"]


def _same_in_meaning(path: str, theirs: Any, ours: Any) -> bool:
    if path.startswith("/experiments/Default"):
        return True  # each store has its own from the start
    if path.startswith("/experiments/"):
        return bool(theirs[:2] == ours[:2])
    # MLflow's database and server give the largest number for an infinity.
    text = json.dumps(theirs).replace("1.7976931348623157e+308", "inf")
    return text == json.dumps(ours)


class Server:
    """A running ``mlflow server``, as a context manager that gives its address."""

    def __init__(self, python: str, place: Path, options: tuple[str, ...]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        uri = f"sqlite:///{place / 'server.db'}"
        root = ["--default-artifact-root", str(place / "files")] if "--no-serve-artifacts" in options else []
        arguments = ["--host", "127.0.0.1", "--port", str(self._port), "--backend-store-uri", uri, "--workers", "1"]
        command = [python, "-m", "mlflow", "server", *arguments, *root, *options]
        self._process = subprocess.Popen(
            command, cwd=place, env=QUIET, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def __enter__(self) -> str:
        url = f"http://127.0.0.1:{self._port}"
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=5):
                    return url
            except OSError:
                time.sleep(0.5)
        self.__exit__()
        raise RuntimeError("MLflow's server does not answer.")

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))  # not resolved: a link is what makes it an environment's
