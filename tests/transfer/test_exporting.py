"""What is exported is read back with the standard library only."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from fitbook.entities import ViewType
from fitbook.errors import InvalidValue, NotFound
from fitbook.registry import Registry
from fitbook.store import Store
from fitbook.transfer import export, import_mlflow

START = 1_700_000_000_000


@pytest.fixture
def filled(theirs: Any, mlruns: Any, store: Store, registry: Registry, tmp_path: Path) -> Store:
    import_mlflow(mlruns(theirs, tmp_path / "mlruns"), store, registry)
    return store


def read(folder: Path) -> dict[str, dict[str, Any]]:
    return {file.parent.name: json.loads(file.read_text("utf-8")) for file in folder.glob("*/*/run.json")}


def number(value: float | str) -> float:
    return float(value)


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def test_everything_is_read_back(filled: Store, registry: Registry, theirs: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = export(filled, registry, out, deleted=True)
    assert (summary.taken["runs"], summary.taken["experiments"], summary.problems) == (6, 3, [])
    assert json.loads((out / "export.json").read_text())["format"] == 1
    runs = read(out)
    assert runs.keys() == {run.run_id for run in theirs.runs}
    for run in theirs.runs:
        written = runs[run.run_id]
        assert (written["run_name"], written["user_id"], written["status"]) == (run.name, run.user, run.status)
        assert (written["start_time"], written["end_time"]) == (run.start, run.end)
        assert written["lifecycle_stage"] == ("deleted" if run.deleted else "active")
        assert (written["params"], written["tags"]) == (run.params, run.all_tags)
        assert written["history"].keys() == written["metrics"].keys() == run.metrics.keys()
        for key, points in run.metrics.items():
            read_back = [(time, step, number(value)) for step, time, value in written["history"][key]]
            wanted = sorted(
                ((time, step, value) for time, value, step in points), key=lambda p: (p[0], p[1], str(p[2]))
            )
            assert all(
                a[:2] == b[:2] and same(a[2], b[2])
                for a, b in zip(sorted(read_back, key=lambda p: (p[0], p[1], str(p[2]))), wanted, strict=True)
            )
        assert {(d["name"], d["digest"], d["tags"]["mlflow.data.context"]) for d in written["datasets"]} == set(
            run.datasets
        )
        [folder] = [file.parent for file in out.glob(f"*/{run.run_id}/run.json")]
        for path, content in run.files.items():
            assert (folder / "artifacts" / path).read_bytes() == content
        for file in written["files"]:
            data = (folder / "artifacts" / file["path"]).read_bytes()
            assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_table_has_a_row_for_each_run(filled: Store, registry: Registry, theirs: Any, tmp_path: Path) -> None:
    export(filled, registry, tmp_path / "out")
    [folder] = (tmp_path / "out").glob("*-exp ünï")
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    active = [run for run in theirs.runs if run.experiment == "1" and not run.deleted]
    assert [row["run_id"] for row in rows] == [run.run_id for run in active]
    for row, run in zip(rows, active, strict=True):
        assert {k.removeprefix("params."): v for k, v in row.items() if k.startswith("params.") and v} == {
            key: value for key, value in run.params.items() if value
        }
        assert (row["metrics.loss"] == "") == ("loss" not in run.metrics)
    assert (rows[0]["metrics.loss"], rows[0]["metrics.val/f1"], rows[0]["tags.k"]) == ("0.25", "NaN", "v\nw")


def test_the_registry_is_one_file(filled: Store, registry: Registry, tmp_path: Path, run_id: Any) -> None:
    registry.settle_registered_model_alias(
        "churn", "champion", 1, holder=3, wins=True, figures={"p": 0.01}, user_id="ada", reason="better"
    )
    registry.undo_model_move("churn", user_id="bob")
    export(filled, registry, tmp_path / "out")
    [model] = json.loads((tmp_path / "out" / "models.json").read_text("utf-8"))
    assert (model["name"], model["aliases"], model["tags"]) == ("churn", {"champion": 3}, {"t": "u"})
    assert [(v["version"], v["current_stage"]) for v in model["versions"]] == [(1, "Production"), (3, "None")]
    assert model["versions"][1]["source"] == f"runs:/{run_id(3)}/model"
    undone, moved = model["history"][:2]
    assert [(e["alias"], e["old"], e["new"], e["user_id"]) for e in (undone, moved)] == [
        ("champion", "1", "3", "bob"),
        ("champion", "3", "1", "ada"),
    ]
    assert (undone["undoes"], moved["reason"], moved["figures"]) == (moved["number"], "better", {"p": 0.01})


def test_again_it_refreshes_what_changed_and_keeps_the_rest(
    filled: Store, registry: Registry, tmp_path: Path, run_id: Any
) -> None:
    out = tmp_path / "out"
    export(filled, registry, out)
    untouched = {file: file.stat().st_ino for file in out.rglob("*") if file.is_file() and file.suffix != ".csv"}
    filled.log_batch(run_id(4), tags={"late": "1"})
    filled.delete_run(run_id(2))
    filled.rename_experiment("1", "renamed")
    again = export(filled, registry, out)
    assert (again.taken["runs"], again.added_to["runs"], again.there["runs"]) == (0, 1, 2)
    assert (again.taken["files"], again.added_to["experiments"]) == (0, 1)
    runs = read(out)
    assert runs[run_id(4)]["tags"]["late"] == "1"
    assert run_id(2) in runs  # an archive forgets nothing
    changed = {file.name for file, node in untouched.items() if file.stat().st_ino != node}
    assert changed <= {"run.json", "experiment.json"}
    assert len(list(out.iterdir())) == 4  # export.json, models.json, and a folder for each experiment


def test_a_part_joins_what_is_there(filled: Store, registry: Registry, tmp_path: Path, run_id: Any) -> None:
    out = tmp_path / "out"
    assert export(filled, registry, out, run_ids=[run_id(2)]).taken["runs"] == 1
    assert export(filled, registry, out, run_ids=[run_id(5)]).taken["runs"] == 1
    [table] = out.glob("*/runs.csv")
    assert table.read_text("utf-8").count("\n") == 3
    assert export(filled, registry, out, experiments=["Default"]).taken["experiments"] == 1
    assert read(out).keys() == {run_id(2), run_id(5)}


def test_corrections_are_written(filled: Store, registry: Registry, tmp_path: Path, run_id: Any) -> None:
    filled.correct_param(run_id(1), "lr", "0.2", user_id="ada", reason="typo")
    export(filled, registry, tmp_path / "out")
    [change] = read(tmp_path / "out")[run_id(1)]["param_changes"]
    assert (change["key"], change["old_value"], change["new_value"]) == ("lr", "0.1", "0.2")


def test_what_is_asked_for_must_be_there(filled: Store, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'exp'"):
        export(filled, registry, tmp_path / "out", experiments=["exp"])
    with pytest.raises(NotFound, match="run"):
        export(filled, registry, tmp_path / "out", run_ids=["e" * 32])
    assert not (tmp_path / "out").exists()


def test_other_folders_and_files_are_left_alone(filled: Store, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InvalidValue, match="holds other files"):
        export(filled, registry, tmp_path / "mine")
    with pytest.raises(InvalidValue, match="is a file"):
        export(filled, registry, tmp_path / "mine" / "thesis.tex")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_names_of_experiments_lead_out_of_no_folder(store: Store, registry: Registry, tmp_path: Path) -> None:
    for name in ("../../up", "a/b", ".", "x" * 256, "CON: *?"):
        store.create_experiment(name)
    export(store, registry, tmp_path / "deep" / "out")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    written = {json.loads(file.read_text())["name"] for file in (tmp_path / "deep" / "out").glob("*/experiment.json")}
    assert written == {experiment.name for experiment in store.search_experiments(ViewType.ALL)}
