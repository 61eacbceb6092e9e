"""Ordinary use of MLflow's tracking API. What it notes is the same with ``import mlflow``, but where the test says so."""

import io
import json
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import fitbook as mlflow
from fitbook import MlflowClient
from fitbook.entities import Metric, Param, RunStatus, RunTag, ViewType
from fitbook.exceptions import MlflowException

NOTED: dict[str, object] = {}


def note(name: str, value: object) -> None:
    NOTED[name] = value


def error_of(call) -> object:  # type: ignore[no-untyped-def]
    try:
        call()
    except MlflowException as error:
        return error.error_code
    except Exception as error:
        return type(error).__name__
    return "no error"


warnings.simplefilter("ignore")
client = MlflowClient()

# -- experiments
made = mlflow.create_experiment("first", tags={"team": "a"})
note("experiment by name", mlflow.get_experiment_by_name("first").experiment_id == made)
note("no such experiment", mlflow.get_experiment_by_name("none"))
note("create twice", error_of(lambda: mlflow.create_experiment("first")))
chosen = mlflow.set_experiment("second")
mlflow.set_experiment_tags({"k": 1, "l": 2.5})
mlflow.set_experiment_tag("m", True)
mlflow.delete_experiment_tag("k")
tags = mlflow.get_experiment(chosen.experiment_id).tags
note("experiment tags", {k: v for k, v in tags.items() if not k.startswith("mlflow.")})
note("experiments", [e.name for e in mlflow.search_experiments(order_by=["name ASC"])])
mlflow.delete_experiment(made)
note("active experiments", [e.name for e in mlflow.search_experiments(order_by=["name"])])
note("deleted", [e.name for e in mlflow.search_experiments(view_type=ViewType.DELETED_ONLY)])
note("stage", mlflow.get_experiment(made).lifecycle_stage)
client.restore_experiment(made)
client.rename_experiment(made, "renamed")
note("renamed", mlflow.get_experiment(made).name)
note("experiment that is not there", error_of(lambda: mlflow.get_experiment("123456")))

# -- a run with everything
with mlflow.start_run(run_name="parent", description="about", tags={"stage": "dev"}) as run:
    parent = run.info.run_id
    note("active", mlflow.active_run().info.run_id == parent)
    note("logged", mlflow.log_param("alpha", 0.5))
    mlflow.log_params({"layers": [1, 2], "none": None, "flag": True})
    note("conflict", error_of(lambda: mlflow.log_param("alpha", 0.6)))
    note("same again", error_of(lambda: mlflow.log_param("alpha", 0.5)))
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"acc": 0.9, "f1": np.float32(0.5)}, step=3, timestamp=1000)
    mlflow.log_metric("odd", float("nan"))
    mlflow.log_metric("big", float("inf"))
    mlflow.log_metric("acc", 0.8, step=1)
    note("bad metric", error_of(lambda: mlflow.log_metric("text", "a")) != "no error")
    note("bad key", error_of(lambda: mlflow.log_metric("a*b", 1)))
    mlflow.set_tags({"a": 1, "b": "x"})
    mlflow.set_tag("c", None)
    mlflow.delete_tag("b")
    note("no tag", error_of(lambda: mlflow.delete_tag("b")))
    waiting = mlflow.log_metric("later", 1.0, synchronous=False)
    waiting.wait()
    note("waiting", type(waiting).__name__)
    with mlflow.start_run(nested=True, run_name="child") as inner:
        mlflow.log_metric("loss", 7)
    child = inner.info.run_id
    note("parent of child", mlflow.get_parent_run(child).info.run_id == parent)
    note("no parent", mlflow.get_parent_run(parent))
    note("begin another", error_of(lambda: mlflow.start_run()) != "no error")
found = mlflow.get_run(parent)
note("params", dict(sorted(found.data.params.items())))
note("metrics", {k: str(v) for k, v in sorted(found.data.metrics.items())})
note("tags", {k: found.data.tags[k] for k in ("a", "c", "stage", "mlflow.note.content", "mlflow.runName")})
note("status", found.info.status)
note("name", found.info.run_name)
history = client.get_metric_history(parent, "loss")
note("history", [(m.key, round(m.value, 3), m.step) for m in history])
note("timestamps", all(abs(m.timestamp - time.time() * 1000) < 6e5 for m in history))
note("history of none", client.get_metric_history(parent, "none"))
note("parts", sorted(found.to_dictionary()))
note("info", "run_id" in dict(found.info) and dict(found.info)["status"])
note("data", sorted(found.data.to_dictionary()))
note("last", mlflow.last_active_run().info.run_id == parent)

# -- resume, end, delete
with mlflow.start_run(run_id=child):
    mlflow.log_metric("more", 1)
note("resumed", mlflow.get_run(child).info.run_name)
try:
    with mlflow.start_run(run_name="broken") as failed:
        raise KeyError("x")
except KeyError:
    note("failed", mlflow.get_run(failed.info.run_id).info.status)
mlflow.start_run(run_name="killed")
killed = mlflow.active_run().info.run_id
mlflow.end_run(RunStatus.to_string(RunStatus.KILLED))
note("killed", mlflow.get_run(killed).info.status)
mlflow.delete_run(killed)
note("deleted run", mlflow.get_run(killed).info.lifecycle_stage)
note("log to deleted", error_of(lambda: client.log_metric(killed, "m", 1)) != "no error")
client.restore_run(killed)
note("restored", mlflow.get_run(killed).info.lifecycle_stage)
note("no run", error_of(lambda: mlflow.get_run("0" * 32)))

# -- the client
number = client.create_run(made, run_name="by client", tags={"t": "1"}, start_time=5).info.run_id
client.log_batch(
    number,
    metrics=[Metric("m", v, 10 * v, v) for v in (3, 1, 2)],
    params=[Param("p", "1"), Param("q", "2")],
    tags=[RunTag("u", "v")],
)
client.update_run(number, status="FINISHED", name="updated")
client.set_terminated(number, status="FAILED", end_time=50)
updated = client.get_run(number)
note("by client", [updated.info.run_name, updated.info.status, updated.info.start_time, updated.info.end_time])
note("latest", updated.data.metrics)
note("batch", [updated.data.params, updated.data.tags["u"]])

# -- searching
frame = mlflow.search_runs(experiment_names=["second"], order_by=["metrics.loss ASC"])
note("columns", list(frame.columns[:6]))
note("dtypes", [str(frame[name].dtype.tz) for name in ("start_time", "end_time")])
note("rows", frame["tags.mlflow.runName"].tolist())
note("missing", [bool(frame["params.alpha"].isna()[0]), len(frame)])
runs = mlflow.search_runs([chosen.experiment_id], "metrics.loss < 1 and params.alpha = '0.5'", output_format="list")
note("filtered", [r.info.run_name for r in runs])
page = client.search_runs([chosen.experiment_id], order_by=["attributes.run_name"], max_results=2)
rest = client.search_runs([chosen.experiment_id], order_by=["attributes.run_name"], page_token=page.token)
note("pages", [[r.info.run_name for r in p] for p in (page, rest)])
note("everywhere", len(mlflow.search_runs(search_all_experiments=True)))
note("empty", list(mlflow.search_runs(filter_string="params.none_such = 'x'").columns[:2]))
note("bad filter", error_of(lambda: mlflow.search_runs(filter_string="metrics.loss >")))

# -- files
with mlflow.start_run(run_name="files") as run, tempfile.TemporaryDirectory() as folder:
    Path(folder, "a.txt").write_text("a")
    Path(folder, "sub").mkdir()
    Path(folder, "sub", "b.txt").write_text("b")
    mlflow.log_artifact(os.path.join(folder, "a.txt"), "one")
    mlflow.log_artifacts(folder, "all")
    mlflow.log_text("hello", "texts/t.txt")
    mlflow.log_dict({"k": [1, 2], "n": None}, "d.json")
    mlflow.log_dict({"k": [1, 2]}, "d.yaml")
    mlflow.log_image(np.zeros((4, 6, 3), dtype=np.uint8), "i.png")
    mlflow.log_image(np.linspace(0, 1, 300 * 200).reshape(300, 200), key="a/b", step=3, timestamp=77)
    mlflow.log_stream(io.BytesIO(b"stream"), "s.bin")
    mlflow.log_table({"q": ["x", "y"], "n": [1, 2]}, "t.json")
    mlflow.log_table(pd.DataFrame({"q": ["z"], "n": [3]}), "t.json")
    files = run.info.run_id
    uri = mlflow.get_artifact_uri("texts/t.txt")
note("listed", sorted(f.path for f in client.list_artifacts(files)))
note("inside", [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(files, "all")])
note("text", mlflow.artifacts.load_text(uri))
note("dict", mlflow.artifacts.load_dict(f"runs:/{files}/d.json"))
note("image", mlflow.artifacts.load_image(f"runs:/{files}/i.png").size)
small, whole = sorted((f.path for f in client.list_artifacts(files, "images")), key=lambda path: path.endswith(".png"))
note("stepped", [whole.rsplit("+", 1)[0], whole[-4:], small.endswith("+compressed.webp")])
note("thumbnail", mlflow.artifacts.load_image(f"runs:/{files}/{small}").size)
note("image tag", client.get_run(files).data.tags["mlflow.loggedImages"])
note("table", mlflow.load_table("t.json").to_dict("list"))
extra = mlflow.load_table("t.json", run_ids=[files], extra_columns=["run_id"])
note("table extra", [list(extra.columns), set(extra["run_id"]) == {files}])
note("table tag", json.loads(client.get_run(files).data.tags["mlflow.loggedArtifacts"]))
note("stream", Path(mlflow.artifacts.download_artifacts(run_id=files, artifact_path="s.bin")).read_bytes().decode())
with tempfile.TemporaryDirectory() as folder:
    got = mlflow.artifacts.download_artifacts(f"runs:/{files}/all/sub/b.txt", dst_path=folder)
    note("download", os.path.relpath(got, folder))
    got = client.download_artifacts(files, "all/sub", folder)
    note("download by client", os.path.relpath(got, folder))
    got = mlflow.artifacts.download_artifacts(run_id=files, dst_path=os.path.join(folder, "whole"))
    note("download whole", [os.path.relpath(got.rstrip("/"), folder), sorted(os.listdir(got))[:2]])
note("no file", error_of(lambda: mlflow.artifacts.download_artifacts(f"runs:/{files}/none")) != "no error")

# -- data sets
data = mlflow.data.from_pandas(
    pd.DataFrame({"x": [1, 2], "y": [0.5, 1.5]}), source="/data/train.csv", name="train", targets="y"
)
arrays = mlflow.data.from_numpy(np.zeros((3, 2)), targets=np.zeros(3))
with mlflow.start_run(run_name="data") as run:
    mlflow.log_input(data, context="training", tags={"v": "1"})
    mlflow.log_inputs([arrays], ["eval"], [None])
used = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
used = sorted(used, key=lambda each: each.dataset.name, reverse=True)
note("datasets", [(u.dataset.name, u.dataset.source_type) for u in used])
note("dataset tags", [{t.key: t.value for t in u.tags} for u in used])
note("source", mlflow.data.get_source(used[0]).uri)
note("schema", [json.loads(u.dataset.schema) for u in used])
note("profile", [json.loads(u.dataset.profile) for u in used])
note("digest kept", used[0].dataset.digest == data.digest)
note("by dataset", len(mlflow.search_runs(filter_string="datasets.name = 'train'")))

print(json.dumps(NOTED, default=str))
