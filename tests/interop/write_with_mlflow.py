"""Record a little of everything with the real MLflow, and write down what it says of it: ``write_with_mlflow.py URI OUT.json``.

Runs in an environment that has MLflow and not fitbook; `compare_with_mlflow.py` imports the same and compares.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import ViewType
from sklearn.linear_model import LogisticRegression


def record(client: MlflowClient) -> None:
    """Log runs, models and versions."""
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("exp ünï", tags={"team": "a"}))
    data = mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2]}), name="d1")
    with mlflow.start_run(run_name="Größe", description="a note") as run:
        mlflow.log_params({"lr": 0.1, "schlüssel": "日本", "long": "x" * 500, "a/b": "1", "empty": ""})
        for step in range(30):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        for key, value in {"bad": float("nan"), "up": float("inf"), "down": -float("inf"), "val/f1": 0.5}.items():
            mlflow.log_metric(key, value)
        mlflow.set_tags({"k": "v\nw", "e": ""})
        mlflow.log_input(data, context="train")
        mlflow.log_text("hello", "a/b.txt")
        mlflow.log_text("ü", "top ü.txt")
        model = LogisticRegression().fit([[0], [1]], [0, 1])
        mlflow.sklearn.log_model(model, "model", registered_model_name="churn")
        with mlflow.start_run(nested=True) as child:
            for value in (1.0, 3.0, 2.0):
                client.log_metric(child.info.run_id, "same", value, timestamp=1_700_000_000_000, step=0)
    for number in range(40):
        with mlflow.start_run(run_name=f"many-{number}"):
            mlflow.log_param("n", number)
    with mlflow.start_run() as gone:
        mlflow.log_param("p", 1)
    client.delete_run(gone.info.run_id)
    client.create_run(run.info.experiment_id)  # which goes on
    failed = client.create_run(run.info.experiment_id, run_name="failed")
    client.set_terminated(failed.info.run_id, "FAILED")
    register(client, run.info.run_id)
    deleted = mlflow.create_experiment("gone")
    client.create_run(deleted)
    client.delete_experiment(deleted)


def register(client: MlflowClient, run_id: str) -> None:
    """Make versions with a gap, aliases, stages and tags."""
    source = f"runs:/{run_id}/model"
    client.create_model_version("churn", source, run_id, tags={"a": "b"}, description="the second")
    client.create_model_version("churn", source, run_id, tags={"a": "ü"}, description="the third")
    client.delete_model_version("churn", "2")
    client.set_registered_model_alias("churn", "champion", "3")
    client.set_registered_model_tag("churn", "t", "u")
    client.update_registered_model("churn", "about")
    client.create_registered_model("without versions")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.transition_model_version_stage("churn", "1", "Production")


def described(client: MlflowClient) -> dict[str, Any]:
    """All that MLflow tells of it."""
    experiments = client.search_experiments(view_type=ViewType.ALL)
    return {
        "experiments": {e.name: [e.lifecycle_stage, dict(e.tags), e.creation_time] for e in experiments},
        "runs": {
            run.info.run_id: _run(client, client.get_run(run.info.run_id), experiment.name)
            for experiment in experiments
            for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
        },
        "models": {model.name: _model(client, model) for model in client.search_registered_models()},
    }


def _run(client: MlflowClient, run: Any, experiment: str) -> dict[str, Any]:
    info = run.info
    names = ("run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage")
    return {
        **{name: getattr(info, name) for name in names},
        "experiment": experiment,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "latest": {key: repr(value) for key, value in run.data.metrics.items()},
        "history": {
            key: sorted([m.timestamp, m.step, repr(m.value)] for m in client.get_metric_history(info.run_id, key))
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
        "files": _files(client, run),
    }


def _files(client: MlflowClient, run: Any) -> dict[str, str]:
    """The digests of a run's files, those of the models of MLflow 3 below the models' names."""
    if run.info.lifecycle_stage != "active":
        return {}
    found = {}
    if client.list_artifacts(run.info.run_id):
        found |= _digests(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=""), "")
    outputs = getattr(run, "outputs", None)
    for output in outputs.model_outputs if outputs else ():
        name = client.get_logged_model(output.model_id).name
        found |= _digests(mlflow.artifacts.download_artifacts(f"models:/{output.model_id}"), f"{name}/")
    return found


def _digests(folder: str, prefix: str) -> dict[str, str]:
    return {
        prefix + file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file() and file.name != "registered_model_meta"  # which the download itself leaves
    }


def _model(client: MlflowClient, model: Any) -> dict[str, Any]:
    versions = client.search_model_versions(f"name='{model.name}'")
    return {
        "description": model.description or "",
        "tags": dict(model.tags),
        "aliases": {alias: int(number) for alias, number in model.aliases.items()},
        "times": [model.creation_timestamp, model.last_updated_timestamp],
        "versions": {
            str(v.version): {
                "stage": v.current_stage,
                "description": v.description or "",
                "run_id": v.run_id,
                "times": [v.creation_timestamp, v.last_updated_timestamp],
                "tags": dict(v.tags),
            }
            for v in versions
        },
    }


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    record(MlflowClient())
    Path(sys.argv[2]).write_text(json.dumps({"mlflow": mlflow.__version__, **described(MlflowClient())}))
