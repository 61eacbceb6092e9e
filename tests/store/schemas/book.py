"""A small store with everything in it that a schema can hold, made by the contracts' own methods.

It is run by the fitbook of every schema revision (see ``make.py``), so it may use only what all of them know.
"""

from __future__ import annotations

import math

from fitbook.entities import Dataset, DatasetInput, LoggedModel, Metric, RunDraft
from fitbook.registry import SqlRegistry
from fitbook.store import SqlStore

START = 1_700_000_000_000
PARENT, CHILD, FAILED, GONE, LONE, LOST = (digit * 32 for digit in "123456")


def fill(store: SqlStore) -> None:
    """Write experiments, runs and models into a new store."""
    _experiments(store)
    _runs(store)
    _contents(store)
    _deleted(store)
    _registry(SqlRegistry(store.database), store)


def _experiments(store: SqlStore) -> None:
    store.create_experiment("Größe & 模型", "s3://bucket/place", tags={"team": "α", "empty": ""})
    store.create_experiment("gone")
    store.set_experiment_tag("0", "mlflow.note.content", 'two\nlines; it\'s "quoted"')


def _runs(store: SqlStore) -> None:
    def draft(run_id: str, name: str, experiment: str = "1", **more: object) -> RunDraft:
        return RunDraft(experiment, run_id, name, "ada", START + int(run_id[0]) * 1000, **more)  # type: ignore[arg-type]

    parent = {"mlflow.parentRunId": PARENT}
    store.create_runs([draft(PARENT, "search", status="FINISHED", end_time=START + 99_000)])
    store.create_runs(
        [
            draft(CHILD, "fold 0", tags={**parent, "fold": "0"}, status="FINISHED", end_time=START + 5000),
            draft(FAILED, "fold 1", tags=parent, status="FAILED", end_time=START + 5001),
            draft(GONE, "deleted", tags=parent),
            draft(LONE, "kühl 🙂", "0", tags={"mlflow.parentRunId": "not-an-id-but-text-of-more-than-32-characters"}),
            draft(LOST, "with its experiment", "2", params={"p": "1"}),
        ]
    )


def _contents(store: SqlStore) -> None:
    store.log_batch(PARENT, params={"C": "1.0", "kernel": "rbf", "text": "x" * 3000, "big": "1e400", "empty": ""})
    store.log_batch(PARENT, tags={"mlflow.note.content": "# note\n'quoted'", "Case": "a", "case": "b"})
    for key, values in {
        "loss": [0.5, 0.25, 0.375],
        "diverged": [1.0, math.nan],
        "nothing": [math.nan, math.nan],
        "exploded": [2.0, math.inf, 7.0],
        "sank": [-1.0, -math.inf],
        "zero": [-0.0],
        "limits": [1.7976931348623157e308, 5e-324, -1.7976931348623157e308],
        "sum": [0.1 + 0.2],
    }.items():
        store.log_batch(PARENT, [Metric(key, value, START + step, step) for step, value in enumerate(values)])
    for step, value in ((5, 1.0), (3, 9.0), (5, 0.5), (-7, -3.0)):
        store.log_metric(CHILD, Metric("late", value, START, step))
    train = Dataset("iris", "abc123", "local", '{"path": "iris.csv"}', '{"columns": []}', '{"rows": 150}')
    store.log_batch(PARENT, datasets=[DatasetInput(train, {"mlflow.data.context": "train"})])
    store.log_batch(CHILD, datasets=[DatasetInput(train), DatasetInput(Dataset("bare", "d"), {"é": "ü"})])
    store.record_model(LoggedModel("m-" + "a" * 32, PARENT, "model", "sklearn", "f" * 64, 12345, START + 7))


def _deleted(store: SqlStore) -> None:
    store.delete_run(GONE)
    store.delete_experiment("2")


def _registry(registry: SqlRegistry, store: SqlStore) -> None:
    registry.create_registered_model("churn", {"owner": "ada"}, "who leaves")
    registry.create_registered_model("Churn")
    source = f"{store.get_run(PARENT).info.artifact_uri}/model"
    registry.create_model_version("churn", source, PARENT, {"k": "v"}, "first", "m-" + "a" * 32)
    registry.create_model_version("churn", "s3://elsewhere/model")
    registry.create_model_version("churn", "s3://elsewhere/third")
    registry.delete_model_version("churn", 3)
    registry.transition_model_version_stage("churn", 1, "Production")
    registry.set_registered_model_alias("churn", "champion", 1)
