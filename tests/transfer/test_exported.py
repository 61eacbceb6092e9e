"""What was exported comes back into another store, whole, and only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitbook.artifacts import open_artifacts
from fitbook.entities import ViewType
from fitbook.errors import InvalidValue
from fitbook.registry import Registry, SqlRegistry
from fitbook.store import Store, open_store
from fitbook.transfer import Summary, export, import_mlflow, open_export, take


@pytest.fixture
def filled(theirs: Any, mlruns: Any, store: Store, registry: Registry, tmp_path: Path) -> Store:
    import_mlflow(mlruns(theirs, tmp_path / "mlruns"), store, registry)
    figures = {"p": 0.01, "new": float("inf")}
    registry.settle_registered_model_alias(
        "churn", "champion", 1, holder=3, wins=True, figures=figures, user_id="ada", reason="better"
    )
    registry.undo_model_move("churn", user_id="bob", reason="too early")
    registry.transition_model_version_stage("churn", 3, "Production", archive_existing_versions=True, user_id="bob")
    return store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "other"))
    registry = SqlRegistry(store.database)  # type: ignore[attr-defined]
    registry.create_registered_model("gone")  # so that entries have other numbers here than there
    registry.create_model_version("gone", "./m")
    registry.set_registered_model_alias("gone", "best", 1)
    registry.delete_registered_model("gone")
    return store


@pytest.fixture
def back(filled: Store, registry: Registry, other: Store, tmp_path: Path) -> Callable[[], Summary]:
    def export_and_take() -> Summary:
        export(filled, registry, tmp_path / "out", deleted=True)
        return take(open_export(tmp_path / "out"), other, SqlRegistry(other.database))  # type: ignore[attr-defined]

    return export_and_take


def everything(store: Store) -> dict[str, Any]:
    """All that a store knows of its runs, by their ids; text for what is not equal to itself."""
    found = {}
    names = {e.experiment_id: (e.name, e.lifecycle_stage, e.tags) for e in store.search_experiments(ViewType.ALL)}
    for run in store.search_runs(list(names), None, ViewType.ALL, 100):
        run = store.get_run(run.info.run_id)
        info = replace(run.info, experiment_id="", artifact_uri="")
        files = open_artifacts(run.info.artifact_uri)
        found[info.run_id] = [
            names[run.info.experiment_id],
            str(info),
            run.data.params,
            run.data.tags,
            sorted(str(p) for key in run.data.metrics for p in store.get_metric_history(info.run_id, key)),
            sorted(map(str, run.inputs.dataset_inputs)),
            {file.path: files.read(file.path) for file in files.find()},
            [model.model_id for model in store.list_logged_models(info.run_id)],
        ]
    return found


def registered(registry: Registry) -> list[Any]:
    models = registry.search_registered_models()
    return [
        [str(replace(model, latest_versions=())) for model in models],
        sorted(str(replace(v, last_updated_timestamp=0)) for v in registry.search_model_versions()),
    ]


def test_all_comes_back_and_once(filled: Store, registry: Registry, other: Store, back: Callable[[], Summary]) -> None:
    summary = back()
    assert (summary.problems, summary.taken["runs"]) == ([], 6)
    theirs = SqlRegistry(other.database)  # type: ignore[attr-defined]
    assert everything(other) == everything(filled)
    assert registered(theirs) == registered(registry)
    again = back()
    assert (again.problems, again.taken["runs"], again.added_to["runs"]) == ([], 0, 0)
    assert registered(theirs) == registered(registry)


def test_the_history_of_the_registry_comes_back(registry: Registry, other: Store, back: Callable[[], Summary]) -> None:
    back()
    back()
    theirs = SqlRegistry(other.database)  # type: ignore[attr-defined]
    ours, found = registry.get_model_history("churn"), theirs.get_model_history("churn")
    assert len(found) == len(ours) > 5

    def told(history: Any) -> list[Any]:
        order = {entry.number: place for place, entry in enumerate(history)}
        return [
            replace(e, number=0, figures={}, undoes=order.get(e.undoes), part_of=order.get(e.part_of)) for e in history
        ]

    assert told(found) == told(ours)
    [decided] = [entry for entry in found if entry.figures]
    assert decided.figures == {"p": 0.01, "new": "Infinity"}
    theirs.undo_model_move("churn")  # the archived version too, which is found by the numbers here
    assert {v.version: v.current_stage for v in theirs.search_model_versions()} == {1: "Production", 3: "None"}
    # What happens here afterwards is not mixed with what happened there.
    registry.delete_registered_model_alias("churn", "champion")
    back()
    assert len(theirs.get_model_history("churn")) == len(ours) + 2


def test_what_happened_without_an_entry_is_noted(other: Store, back: Callable[[], Summary], tmp_path: Path) -> None:
    back()
    file = tmp_path / "out" / "models.json"
    [model] = json.loads(file.read_text("utf-8"))
    model["name"], model["aliases"] = "later", {"champion": 1}
    for version in model["versions"]:
        version["name"] = "later"
    file.write_text(json.dumps([model]))
    theirs = SqlRegistry(other.database)  # type: ignore[attr-defined]
    take(open_export(tmp_path / "out"), other, theirs)
    [noted, *_] = theirs.get_model_history("later")
    assert (noted.alias, noted.old, noted.new, noted.name) == ("champion", "3", "1", "later")
    assert "another registry" in noted.reason


def test_what_can_not_be_read_is_said_and_costs_no_other(back: Callable[[], Summary], tmp_path: Path) -> None:
    back()
    out = tmp_path / "out"
    first, second, *_ = sorted(out.glob("*/*/run.json"))
    first.write_text("{")
    second.write_text(json.dumps({**json.loads(second.read_text("utf-8")), "history": {"loss": [[1]]}}))
    models = json.loads((out / "models.json").read_text("utf-8"))
    wrong = [
        {**models[0], "name": f"m{i}", "history": h}
        for i, h in enumerate([[{}], [{**models[0]["history"][0], "old": "x" * 30}]])
    ]
    (out / "models.json").write_text(json.dumps([*wrong, 7, *models]))
    store = open_store(str(tmp_path / "third"))
    summary = take(open_export(out), store, SqlRegistry(store.database))  # type: ignore[attr-defined]
    assert summary.taken["runs"] == 4
    assert summary.taken["registered models"] == 1
    assert sorted(p.kind for p in summary.problems) == ["registered model"] * 3 + ["run"] * 2
    (out / "models.json").unlink()
    again = take(open_export(out), store, SqlRegistry(store.database))  # type: ignore[attr-defined]
    assert "registry" in {problem.kind for problem in again.problems}


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no export of fitbook's"):
        open_export(tmp_path)
    (tmp_path / "export.json").write_text('{"format": 2}')
    with pytest.raises(InvalidValue, match="reads 1"):
        open_export(tmp_path)


def test_links_are_not_followed(back: Callable[[], Summary], tmp_path: Path) -> None:
    back()
    out = tmp_path / "out"
    with_files = next(run.parent for run in out.glob("*/*/run.json") if (run.parent / "artifacts").is_dir())
    other = next(run.parent for run in out.glob("*/*/run.json") if run.parent != with_files)
    for place in (with_files / "artifacts", other):
        place.rename(tmp_path / f"elsewhere-{place.name}")
        place.symlink_to(tmp_path / f"elsewhere-{place.name}")
    source = open_export(out)
    assert source.count_runs() == 5
    runs = [run for experiment in source.experiments() for run in source.runs(experiment)]  # type: ignore[arg-type]
    assert [run.draft.run_id for run in runs if run.files is None] == [with_files.name]  # type: ignore[union-attr]
