from __future__ import annotations

import hashlib
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fitbook.artifacts import open_artifacts
from fitbook.entities import Metric, Run, RunDraft, ViewType
from fitbook.errors import NotFound, StoreUnavailable
from fitbook.registry import Registry
from fitbook.store import Store, open_store
from fitbook.transfer import SOURCE_TAG, Summary, import_mlflow

START = 1_700_000_000_000
SOURCES = ["mlruns", "database 2", "database 3", "database in WAL mode", "server", "server without proxy"]


@pytest.fixture
def at(mlruns: Any, database: Any, serve: Any, tmp_path: Path) -> Callable[[str, Any], str]:
    """Write a record in a layout, and say where it is."""

    def write(layout: str, theirs: Any, folder: str = "theirs") -> str:
        place = tmp_path / folder
        if layout == "mlruns":
            return str(mlruns(theirs, place / "mlruns"))
        if layout.startswith("server"):
            return str(serve(theirs, proxied="without" not in layout).url)
        version = 2 if layout.endswith("2") else 3
        return str(database(theirs, place / "mlflow.db", version=version, wal="WAL" in layout))

    return write


@pytest.fixture
def take(store: Store, registry: Registry) -> Callable[..., Summary]:
    def run(source: str, **options: Any) -> Summary:
        return import_mlflow(source, store, registry, **options)

    return run


def runs_of(store: Store) -> dict[str, Run]:
    ids = [experiment.experiment_id for experiment in store.search_experiments(ViewType.ALL)]
    found = store.search_runs(ids, None, ViewType.ALL, max_results=5000)
    return {run.info.run_id: store.get_run(run.info.run_id) for run in found}


def points(metrics: list[Metric]) -> list[tuple[int, int, bytes]]:
    return [(m.timestamp, m.step, struct.pack("d", m.value)) for m in metrics]


def files_of(run: Run) -> dict[str, bytes]:
    artifacts = open_artifacts(run.info.artifact_uri)
    return {info.path: artifacts.read(info.path) for info in artifacts.find()}


def counts(summary: Summary) -> dict[str, tuple[int, int, int]]:
    return {kind: (taken, added_to, there) for kind, taken, added_to, there in summary.rows()}


def compare(store: Store, theirs: Any, *, files: bool = True) -> None:
    """Assert that every run of theirs is here, complete, and no other."""
    ours = runs_of(store)
    names = {number: name for number, name, _, _ in theirs.experiments}
    assert ours.keys() == {run.run_id for run in theirs.runs}
    for run in theirs.runs:
        read = ours[run.run_id]
        info = read.info
        assert store.get_experiment(info.experiment_id).name == names[run.experiment]
        assert (info.run_name, info.user_id, info.status) == (run.name, run.user, run.status)
        assert (info.start_time, info.end_time) == (run.start, run.end)
        assert info.lifecycle_stage == ("deleted" if run.deleted else "active")
        assert info.parent_run_id == run.tags.get("mlflow.parentRunId")
        assert dict(read.data.params) == run.params
        assert dict(read.data.tags) == run.all_tags
        assert read.data.metrics.keys() == run.metrics.keys()
        for key, history in run.metrics.items():
            found = store.get_metric_history(run.run_id, key)
            assert sorted(points(found)) == sorted(points([Metric(key, v, t, s) for t, v, s in history]))
        used = {(d.dataset.name, d.dataset.digest, d.tags[0].value) for d in read.inputs.dataset_inputs}
        assert used == set(run.datasets)
        if files:
            kept = files_of(read)
            assert {path: kept[path] for path in run.files} == run.files
            noted = {file.path: file.sha256 for file in store.recorded_files(run.run_id)}
            assert noted == {path: hashlib.sha256(data).hexdigest() for path, data in kept.items()}
            assert {f"{name}/model.pkl" for name in run.models.values()} <= kept.keys()


@pytest.mark.parametrize("layout", SOURCES)
def test_everything_is_taken(
    layout: str, theirs: Any, at: Any, take: Any, store: Store, registry: Registry, run_id: Any
) -> None:
    summary = take(at(layout, theirs))
    assert summary.problems == []
    assert counts(summary)["runs"] == (6, 0, 0)
    assert counts(summary)["experiments"] == (2, 0, 1)
    compare(store, theirs)
    found = {e.name: e for e in store.search_experiments(ViewType.ALL)}
    assert {name: e.lifecycle_stage for name, e in found.items()} == {
        "Default": "active",
        "exp ünï": "active",
        "gone": "deleted",
    }
    assert (dict(found["exp ünï"].tags), found["exp ünï"].creation_time) == ({"team": "a"}, START + 1)
    assert store.get_run(run_id(1)).data.metrics["same"] == 3.0

    model = registry.get_registered_model("churn")
    assert (model.description, dict(model.tags), dict(model.aliases)) == ("about", {"t": "u"}, {"champion": 3})
    assert (model.creation_timestamp, model.last_updated_timestamp) == (START, START + 1)
    versions = {v.version: v for v in registry.search_model_versions("name = 'churn'")}
    assert versions.keys() == {1, 3}
    assert (versions[1].current_stage, versions[1].creation_timestamp) == ("Production", START + 101)
    assert (dict(versions[1].tags), versions[3].description) == ({"a": "ü"}, "the third")


@pytest.mark.parametrize("layout", SOURCES)
def test_models_lead_to_their_files(layout: str, theirs: Any, at: Any, take: Any, store: Store, run_id: Any) -> None:
    take(at(layout, theirs))
    for number, first in ((7, 1), (8, 3)):
        noted = store.get_logged_model("m-" + run_id(number))
        assert (noted.run_id, noted.artifact_path, noted.flavor) == (run_id(first), "model", "sklearn")
        pickle = open_artifacts(store.get_run(noted.run_id).info.artifact_uri).read("model/model.pkl")
        assert noted.sha256 == ""  # by a digest a model would count as written here, and be loaded whatever it does
        assert noted.size_bytes == len(pickle) + store.recorded_files(noted.run_id, "model/MLmodel")[0].size
        assert noted.creation_timestamp == 1_767_225_600_000


@pytest.mark.parametrize("layout", SOURCES)
def test_again_it_adds_nothing(layout: str, theirs: Any, at: Any, take: Any, store: Store, registry: Registry) -> None:
    source = at(layout, theirs)
    take(source)
    before = runs_of(store), list(registry.search_model_versions()), list(registry.search_registered_models())
    again = take(source)
    assert again.problems == []
    assert all(taken == added == 0 for taken, added, _ in counts(again).values())
    assert counts(again)["runs"] == (0, 0, 6)
    after = runs_of(store), list(registry.search_model_versions()), list(registry.search_registered_models())
    assert repr(before) == repr(after)
    compare(store, theirs)


@pytest.mark.parametrize("layout", SOURCES)
def test_what_is_new_is_added(
    layout: str, theirs: Any, at: Any, take: Any, store: Store, make_run: Any, run_id: Any
) -> None:
    earlier = deepcopy(theirs)
    take(at(layout, earlier))
    running = theirs.runs[3]
    running.metrics = {"loss": [(START, 1.0, 0), (START, 1.0, 0), (START + 1, 0.5, 1)], "new": [(START, 1.0, 0)]}
    running.params, running.tags, running.files = {"late": "1"}, {"t": "v"}, {"late.txt": b"1"}
    running.datasets = [("wine", "d1", "train")]
    running.status, running.end = "FINISHED", START + 99
    theirs.runs[1].metrics["loss"].append((START - 5, 7.0, -1))  # into one that has ended; not its latest value
    theirs.runs.append(make_run(run_id(9), name="new"))
    if "database" in layout:  # whose points are a set
        running.metrics["loss"].pop(1)
    again = take(at(layout, theirs, "later"))
    assert again.problems == []
    assert counts(again)["runs"] == (1, 2, 4)
    compare(store, theirs)
    assert dict(store.get_run(run_id(2)).data.metrics) == {"loss": 2.0}


def test_tags_follow_while_a_run_goes_on_and_are_ours_when_it_has_ended(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    theirs.runs[3].tags = {"note": "1"}
    take(at("mlruns", theirs))
    for run in theirs.runs:
        run.tags["mlflow.note.content"] = "theirs, later"
        run.tags["note"] = "2"
    take(at("mlruns", theirs))
    assert store.get_run(run_id(4)).data.tags["note"] == "2"
    assert store.get_run(run_id(1)).data.tags["mlflow.note.content"] == "a **note**"
    assert store.get_run(run_id(1)).data.tags["note"] == "2"


def test_a_parameter_that_differs_is_named_unless_it_was_corrected_here(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    source = at("mlruns", theirs)
    take(source)
    store.correct_param(run_id(1), "lr", "0.2", user_id="ada")
    assert take(source).problems == []
    theirs.runs[0].params["a/b"] = "other"
    [problem] = take(at("mlruns", theirs)).problems
    assert (problem.kind, problem.key) == ("parameter", f"{run_id(1)}/a/b")
    assert store.get_run(run_id(1)).data.params["a/b"] == "x" * 7000


def test_a_changed_file_is_copied_again_and_an_equal_one_is_not(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    source = Path(at("mlruns", theirs))
    take(str(source))
    kept = Path(store.get_run(run_id(1)).info.artifact_uri.removeprefix("file://"), "raw.bin")
    before = kept.stat().st_ino
    theirs.runs[3].files = {"state": b"one"}
    take(at("mlruns", theirs))
    theirs.runs[3].files = {"state": b"two"}  # of the same size
    summary = take(at("mlruns", theirs))
    assert counts(summary)["files"][0] == 1
    assert files_of(store.get_run(run_id(4)))["state"] == b"two"
    assert kept.stat().st_ino == before


def test_a_file_that_was_changed_here_stays(theirs: Any, at: Any, take: Any, store: Store, run_id: Any) -> None:
    source = at("mlruns", theirs)
    take(source)
    run = store.get_run(run_id(1))
    path, content = next(iter(theirs.runs[0].files.items()))
    changed, lost = content + b", and more", Path(run.info.artifact_uri.removeprefix("file://"), path)
    store.record_files(run_id(1), [open_artifacts(run.info.artifact_uri).put(path, changed)])
    [problem] = take(source).problems
    assert (problem.kind, problem.key) == ("file", f"{run_id(1)}/{path}")
    assert files_of(run)[path] == changed
    # One that was cut short is no change of anybody's.
    lost.write_bytes(b"")
    assert take(source).problems == []
    assert files_of(run)[path] == content


def test_experiments_of_ours_are_not_deleted(theirs: Any, at: Any, take: Any, store: Store) -> None:
    mine = store.create_experiment("gone")
    theirs.experiments[0] = ("0", "Default", True, {})
    for run in theirs.runs:
        run.experiment = "1"
    take(at("mlruns", theirs))
    assert {store.get_experiment(number).lifecycle_stage for number in ("0", mine)} == {"active"}


def test_an_experiment_of_that_name_is_joined(theirs: Any, at: Any, take: Any, store: Store, run_id: Any) -> None:
    mine = store.create_experiment("exp ünï", tags={"team": "mine"})
    store.create_runs([RunDraft(mine, "f" * 32, "mine", "ada", START)])
    theirs.experiments[1][3]["more"] = "1"
    take(at("mlruns", theirs))
    assert dict(store.get_experiment(mine).tags) == {"team": "mine", "more": "1"}
    assert store.get_run(run_id(1)).info.experiment_id == mine
    assert store.get_run("f" * 32).info.run_name == "mine"


def test_an_experiment_that_is_deleted_here_takes_nothing(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    mine = store.create_experiment("exp ünï")
    store.delete_experiment(mine)
    summary = take(at("mlruns", theirs))
    assert ("experiment", "exp ünï") in {(p.kind, p.key) for p in summary.problems}
    assert runs_of(store).keys() == {run_id(6)}
    store.restore_experiment(mine)
    assert take(at("mlruns", theirs)).problems == []
    assert len(runs_of(store)) == 6


def test_runs_of_a_deleted_experiment_come_back_with_it(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    take(at("database 3", theirs))
    gone = store.get_experiment_by_name("gone")
    assert gone is not None
    store.restore_experiment(gone.experiment_id)
    assert store.get_run(run_id(6)).info.lifecycle_stage == "active"
    # It is in use here now: that it is deleted there does not delete it here.
    assert take(at("database 3", theirs, "again")).problems == []
    assert store.get_experiment(gone.experiment_id).lifecycle_stage == "active"


def test_files_may_stay_where_they_are(theirs: Any, at: Any, take: Any, store: Store, run_id: Any) -> None:
    source = Path(at("mlruns", theirs))
    summary = take(str(source), artifacts=False)
    assert counts(summary)["files"] == (0, 0, 0)
    run = store.get_run(run_id(3))
    assert run.info.artifact_uri == (source / "1" / run_id(3) / "artifacts").as_uri()
    assert files_of(run) == theirs.runs[2].files
    assert SOURCE_TAG not in run.data.tags
    assert store.recorded_files(run_id(3)) == []
    # Later they are copied nowhere: they are where the store says.
    assert counts(take(str(source)))["files"][0] == 2  # those of the model that lies beside its run
    compare_later = files_of(store.get_run(run_id(3)))
    assert compare_later == theirs.runs[2].files


def test_where_files_can_not_be_reached_a_tag_says_where_they_are(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any
) -> None:
    take(at("server", theirs), artifacts=False)
    tags = store.get_run(run_id(1)).data.tags
    assert tags[SOURCE_TAG] == f"mlflow-artifacts:/1/{run_id(1)}/artifacts"


def test_a_folder_that_was_moved_brings_its_files(
    theirs: Any, at: Any, take: Any, store: Store, tmp_path: Path
) -> None:
    shutil.move(at("mlruns", theirs), tmp_path / "elsewhere")
    assert take(str(tmp_path / "elsewhere")).problems == []
    compare(store, theirs)


def test_a_database_that_was_moved_brings_the_files_beside_it(
    theirs: Any, at: Any, take: Any, store: Store, tmp_path: Path
) -> None:
    shutil.move(Path(at("database 3", theirs)).parent, tmp_path / "elsewhere")
    assert take(str(tmp_path / "elsewhere")).problems == []
    compare(store, theirs)


def test_files_that_are_gone_are_named_if_there_were_some(
    theirs: Any, at: Any, take: Any, run_id: Any, tmp_path: Path
) -> None:
    theirs.runs[2].tags["mlflow.log-model.history"] = "[]"
    source = Path(at("database 3", theirs))
    shutil.rmtree(source.parent / "mlruns")
    summary = take(str(source))
    assert {(p.kind, p.key) for p in summary.problems} == {("files", run_id(3)), ("model", "m-" + run_id(7))}
    assert counts(summary)["runs"] == (6, 0, 0)


def test_a_file_with_a_refused_name_is_named_and_the_rest_is_taken(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("not theirs")
    source = Path(at("mlruns", theirs))
    folder = source / "1" / run_id(3) / "artifacts"
    (folder / "a:b.txt").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    summary = take(str(source))
    assert [(p.kind, p.key) for p in summary.problems] == [("file", f"{run_id(3)}/a:b.txt")]
    assert files_of(store.get_run(run_id(3))) == theirs.runs[2].files


def test_odd_keys_and_names_are_kept_as_well_as_can_be_and_named(
    theirs: Any, at: Any, take: Any, store: Store, run_id: Any, make_run: Any
) -> None:
    odd = make_run(
        run_id(20),
        name="a\nb\x00c" + "x" * 300,
        params={"p" * 300: "1", "a*b": "2", "a_b": "3", "nul": "x\x00y"},
        metrics={"m?": [(START, 1.0, 0)]},
        tags={"t(1)": "v"},
    )
    theirs.runs.append(odd)
    summary = take(at("database 3", theirs))
    run = store.get_run(run_id(20))
    assert run.info.run_name == ("a b c" + "x" * 300)[:256]
    assert dict(run.data.params) == {"p" * 249 + "_": "1", "a_b": "3", "nul": "x\\x00y"}
    assert dict(run.data.metrics) == {"m_": 1.0}
    assert run.data.tags["t_1_"] == "v"
    kinds = sorted(problem.kind for problem in summary.problems)
    assert kinds == ["metric", "parameter", "parameter", "parameter", "run name", "tag", "tag"]
    assert [p.kind for p in take(at("database 3", theirs, "again")).problems] == [p.kind for p in summary.problems]


def test_one_bad_run_costs_no_other(theirs: Any, at: Any, take: Any, store: Store, run_id: Any, make_run: Any) -> None:
    theirs.runs.append(make_run(run_id(21), status="DONE"))
    theirs.runs.append(make_run("not-an-id"))
    theirs.experiments.append(("3", "x" * 300, False, {}))
    theirs.runs.append(make_run(run_id(22), experiment="3"))
    summary = take(at("database 3", theirs))
    assert {(p.kind, p.key) for p in summary.problems} == {
        ("run", run_id(21)),
        ("run", "not-an-id"),
        ("experiment", "x" * 300),
    }
    assert len(runs_of(store)) == 6


def test_a_run_that_is_deleted_here_stays_as_it_is(theirs: Any, at: Any, take: Any, store: Store, run_id: Any) -> None:
    take(at("mlruns", theirs))
    store.delete_run(run_id(4))
    theirs.runs[3].metrics["loss"].append((START + 1, 0.5, 1))
    assert take(at("mlruns", theirs)).problems == []
    assert len(store.get_metric_history(run_id(4), "loss")) == 1


# -- the registry --------------------------------------------------------------------------------------------------------


def test_numbers_are_not_given_out_again(theirs: Any, at: Any, take: Any, registry: Registry) -> None:
    take(at("database 3", theirs))
    assert registry.create_model_version("churn", "s").version == 5


def test_sources_that_are_paths_lead_to_the_copies(
    theirs: Any, at: Any, take: Any, registry: Registry, run_id: Any
) -> None:
    places = {
        1: f"/old/mlruns/1/{run_id(3)}/artifacts/model",
        3: f"mlflow-artifacts:/1/models/m-{run_id(7)}/artifacts",
        5: "s3://bucket/model",
    }
    versions = theirs.models[0].versions
    versions.append(type(versions[0])(5, ""))
    for version in versions:
        version.source = places.get(version.number, "")
    take(at("mlruns", theirs))
    assert registry.get_model_version("churn", 1).source == f"runs:/{run_id(3)}/model"
    third = registry.get_model_version("churn", 3)
    assert (third.source, third.model_id) == (f"models:/m-{run_id(7)}", f"m-{run_id(7)}")
    assert registry.get_model_version("churn", 5).source == "s3://bucket/model"


def test_new_versions_are_added_and_other_ones_of_the_same_number_are_named(
    theirs: Any, at: Any, take: Any, registry: Registry
) -> None:
    registry.create_registered_model("churn", description="mine")
    registry.create_model_version("churn", "mine")
    registry.set_registered_model_alias("churn", "champion", 1)
    summary = take(at("mlruns", theirs))
    assert {(p.kind, p.key) for p in summary.problems} == {("model version", "churn/1"), ("alias", "churn@champion")}
    assert counts(summary)["model versions"] == (1, 0, 0)
    assert registry.get_model_version("churn", 1).source == "mine"
    assert registry.get_registered_model("churn").description == "mine"
    assert registry.get_model_version_by_alias("churn", "champion").version == 1


def test_a_model_that_the_registry_refuses_is_named(theirs: Any, at: Any, take: Any, registry: Registry) -> None:
    model = deepcopy(theirs.models[0])
    model.name = "what?"
    theirs.models.append(model)
    summary = take(at("database 3", theirs))
    assert [(p.kind, p.key) for p in summary.problems] == [("registered model", "what?")]
    assert [m.name for m in registry.search_registered_models()] == ["churn"]


# -- interruptions -------------------------------------------------------------------------------------------------------

_IMPORT = """
import sys
from fitbook.registry import SqlRegistry
from fitbook.store import open_store
from fitbook.transfer import _importing, import_mlflow
_importing._RUNS_AT_ONCE = 4
store = open_store(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
summary = import_mlflow(sys.argv[1], store, SqlRegistry(store.database))
assert not summary.problems, summary.problems
print("done", flush=True)
"""


def _import(source: str, book: Path, kill_after: float | None) -> float:
    """Import in a process of its own, which may be killed; tells how long it took."""
    process = subprocess.Popen(
        [sys.executable, "-c", _IMPORT, source, str(book)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start = time.perf_counter()
        process.stdin.write("go\n")
        process.stdin.flush()
        if kill_after is None:
            assert process.stdout.readline() == "done\n"
        else:
            time.sleep(kill_after)
            process.kill()
        return time.perf_counter() - start


def test_killed_anywhere_the_next_import_completes_it(
    theirs: Any, at: Any, make_run: Any, run_id: Any, tmp_path: Path
) -> None:
    shuffled = random.Random(7)
    template = theirs.runs[0]
    for number in range(100, 160):
        files = {f"{n}.bin": shuffled.randbytes(2000) for n in range(3)}
        more = {"params": template.params, "metrics": template.metrics, "tags": template.tags, "files": files}
        theirs.runs.append(make_run(run_id(number), start=START + number, **more))
    source = at("mlruns", theirs)
    whole = _import(source, tmp_path / "whole", None)
    book, seen = tmp_path / "book", set()
    complete = {run.run_id: run for run in theirs.runs}
    for attempt in range(10):
        _import(source, book, (attempt + shuffled.random()) / 10 * whole)
        ours = open_store(book)
        for found, run in runs_of(ours).items():
            # What can be seen is complete.
            assert len(ours.get_metric_history(found, "loss")) == len(complete[found].metrics.get("loss", []))
            assert len(files_of(run)) >= len(complete[found].files)
        seen.add(len(runs_of(ours)))
        ours.close()
    _import(source, book, None)
    ours = open_store(book)
    compare(ours, theirs)
    ours.close()
    assert len(seen) > 1, "every attempt was killed before, or after, it did anything"


def test_a_source_that_goes_away_is_said_and_what_was_taken_stays(
    theirs: Any, serve: Any, take: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitbook.transfer._http._sleep", lambda _: None)
    server = serve(theirs)

    def drop(handler: Any) -> bool:
        if "/runs/search" in handler.path or server.dropping:
            server.dropping = server.gone
            if server.gone:
                handler.connection.close()
                return True
        return False

    server.dropping, server.gone = False, False
    server.faults = [drop] * 10_000
    take(server.url)
    server.gone = True
    theirs.runs.clear()
    with pytest.raises(StoreUnavailable, match=r"can't be reached.*Tried 6 times"):
        take(server.url)
    assert len(runs_of(store)) == 6
    with pytest.raises(NotFound):
        store.get_run("e" * 32)
