"""The verbs that name what they act on."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.entities import Dataset, DatasetInput, Metric, Param, RunTag, ViewType
from fitbook.errors import InvalidValue, NotFound, ParamConflict, StoreUnavailable
from fitbook.tracking import Client, MlflowClient
from fitbook.tracking._writer import writer


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def run_id(client: Client) -> str:
    return client.create_run("0", run_name="the run").info.run_id


def test_it_has_mlflows_name_too() -> None:
    from fitbook.tracking import MlflowClient as other

    assert fitbook.MlflowClient is fitbook.Client is MlflowClient is other is Client


def test_experiments(client: Client) -> None:
    number = client.create_experiment("a", tags={"k": 1})
    client.rename_experiment(number, "b")
    client.set_experiment_tag(int(number), "l", 2)
    found = client.get_experiment(int(number))
    assert (found.name, dict(found.tags)) == ("b", {"k": "1", "l": "2"})
    assert [e.name for e in client.list_experiments()] == ["b", "Default"]
    client.delete_experiment(number)
    assert [e.name for e in client.search_experiments()] == ["Default"]
    assert [e.name for e in client.search_experiments(ViewType.DELETED_ONLY)] == ["b"]
    client.restore_experiment(number)
    assert client.get_experiment_by_name("b").lifecycle_stage == "active"
    assert len(client.search_experiments(max_results=1)) == 1


def test_of_several_tags_of_an_experiment_one_is_wrong(client: Client) -> None:
    for wrong in ({"good": 1, "b*d": 2}, {"good": 1, "bad": "\x00"}):
        with pytest.raises(InvalidValue):
            client.set_experiment_tags("0", wrong)
    assert dict(client.get_experiment("0").tags) == {}


def test_a_run_from_begin_to_end(client: Client) -> None:
    run = client.create_run(0, start_time=5, tags={"a": 1}, run_name="x")
    assert (run.info.status, run.info.start_time, run.info.run_name) == ("RUNNING", 5, "x")
    assert run.data.tags["a"] == "1"
    assert fitbook.active_run() is None
    run_id = run.info.run_id
    client.log_param(run_id, "p", 1)
    client.log_metric(run_id, "m", 1.0, timestamp=7, step=3)
    client.log_metric(run_id, "m", 2.0, step=1)
    client.set_tag(run_id, "t", 1)
    client.set_tag(run_id, "u", 1)
    client.delete_tag(run_id, "u")
    client.log_inputs(run_id, [DatasetInput(Dataset("d", "1"))])
    client.update_run(run_id, name="y")
    client.set_terminated(run_id, "FAILED", end_time=99)
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time, run.info.run_name) == ("FAILED", 99, "y")
    assert (run.data.params, run.data.metrics, run.data.tags["t"]) == ({"p": "1"}, {"m": 1.0}, "1")
    assert [(m.value, m.step) for m in client.get_metric_history(run_id, "m")] == [(1.0, 3), (2.0, 1)]
    assert client.get_metric_history(run_id, "none") == []
    assert run.inputs.dataset_inputs[0].dataset.name == "d"
    client.delete_run(run_id)
    assert client.search_runs(["0"]) == []
    client.restore_run(run_id)
    assert client.find_runs(run_id[:6]) == [run_id]


def test_a_run_ends_as_finished_now(client: Client, run_id: str) -> None:
    client.set_terminated(run_id)
    info = client.get_run(run_id).info
    assert info.status == "FINISHED"
    assert info.end_time >= info.start_time
    with pytest.raises(InvalidValue, match="'DONE'"):
        client.update_run(run_id, status="DONE")


def test_batches(client: Client, run_id: str) -> None:
    client.log_batch(run_id, [Metric("m", 1.0, 1, 0)], [Param("p", "1"), Param("p", "1")], [RunTag("t", "v")])
    data = client.get_run(run_id).data
    assert (data.metrics, data.params, data.tags["t"]) == ({"m": 1.0}, {"p": "1"}, "v")
    with pytest.raises(ParamConflict, match="'q' of run .* is '1' and can't become '2'"):
        client.log_batch(run_id, [Metric("n", 1.0, 1, 0)], [Param("q", "1"), Param("q", "2")])
    assert client.get_run(run_id).data == data
    client.log_batch(run_id)


def test_searching(client: Client) -> None:
    for n in range(5):
        made = client.create_run("0", run_name=f"r{n}", start_time=n)
        client.log_metric(made.info.run_id, "m", n)
    for where in ("0", 0, ["0"], [0]):
        assert len(client.search_runs(where)) == 5
    page = client.search_runs(["0"], "metrics.m > 0", max_results=3)
    rest = client.search_runs(["0"], "metrics.m > 0", max_results=3, page_token=page.token)
    assert [r.info.run_name for r in [*page, *rest]] == ["r4", "r3", "r2", "r1"]
    assert rest.token is None


def test_files(client: Client, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("x")
    client.log_artifact(run_id, tmp_path / "f.txt", "sub")
    client.log_artifacts(run_id, tmp_path, "all")
    client.log_text(run_id, "x", "a.txt")
    client.log_dict(run_id, {"a": 1}, "a.json")
    client.log_table(run_id, {"a": [1]}, "t.json")
    assert {"a.json", "a.txt", "all", "sub", "t.json"} == {info.path for info in client.list_artifacts(run_id)}
    assert [info.path for info in client.list_artifacts(run_id, "sub")] == ["sub/f.txt"]
    assert Path(client.download_artifacts(run_id, "sub/f.txt")).read_text() == "x"
    assert Path(client.download_artifacts(run_id, "sub", tmp_path / "to")).name == "sub"
    with pytest.raises(NotFound, match="'sub/g.txt'"):
        client.download_artifacts(run_id, "sub/g.txt")


def test_a_figure(client: Client, run_id: str) -> None:
    from matplotlib.figure import Figure

    client.log_figure(run_id, Figure(), "f.png")
    assert [info.path for info in client.list_artifacts(run_id)] == ["f.png"]


def test_the_registry(client: Client, run_id: str) -> None:
    client.create_registered_model("m", {"k": 1}, "about")
    version = client.create_model_version("m", f"runs:/{run_id}/model", run_id, {"v": 2}, description="first")
    assert (version.version, dict(version.tags), version.run_id) == (1, {"v": "2"}, run_id)
    client.create_model_version("m", "elsewhere")
    client.set_registered_model_alias("m", "best", "1")
    client.transition_model_version_stage("m", 2, "Production")
    client.set_model_version_tag("m", "2", "t", 3)
    client.set_registered_model_tag("m", "t", 4)
    client.update_registered_model("m", "changed")
    client.update_model_version("m", 1, "changed too")
    assert client.get_model_version_by_alias("m", "best").description == "changed too"
    assert [v.version for v in client.get_latest_versions("m", ["Production"])] == [2]
    assert dict(client.get_model_version("m", "2").tags) == {"t": "3"}
    assert client.get_model_version_download_uri("m", 1) == f"runs:/{run_id}/model"
    model = client.get_registered_model("m")
    assert (model.description, dict(model.tags), dict(model.aliases)) == ("changed", {"k": "1", "t": "4"}, {"best": 1})
    assert [m.name for m in client.list_registered_models()] == ["m"]
    assert len(client.search_model_versions("name = 'm'")) == 2
    client.delete_registered_model_tag("m", "t")
    client.delete_model_version_tag("m", 2, "t")
    client.delete_registered_model_alias("m", "best")
    client.delete_model_version("m", 2)
    assert client.rename_registered_model("m", "n").name == "n"
    client.delete_registered_model("n")
    assert client.search_registered_models() == []


def test_two_clients_of_two_stores(tmp_path: Path) -> None:
    here, there = Client(), Client(str(tmp_path / "there"))
    run_id = there.create_run("0").info.run_id
    there.log_text(run_id, "x", "a.txt")
    with pytest.raises(NotFound):
        here.get_run(run_id)
    assert there.get_run(run_id).info.artifact_uri.startswith((tmp_path / "there").as_uri())
    assert here.search_runs(["0"]) == []


def test_a_client_keeps_its_store(client: Client, run_id: str, tmp_path: Path) -> None:
    fitbook.set_tracking_uri(tmp_path / "other")
    assert client.get_run(run_id).info.run_id == run_id


def test_a_client_that_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="There is no fitbook store"):
        Client(str(tmp_path / "none"), create=False).search_runs(["0"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("verb", ["get_run", "get_metric_history", "search_runs", "get_experiment", "list_artifacts"])
def test_reading_waits_for_what_is_to_be_written(client: Client, run_id: str, verb: str) -> None:
    written: list[int] = []
    writer.fit_begins()
    writer.later(lambda: written.append(1))
    arguments: dict[str, Any] = {"get_metric_history": (run_id, "m"), "search_runs": ("0",), "get_experiment": ("0",)}
    getattr(client, verb)(*arguments.get(verb, (run_id,)))
    writer.fit_ends()
    assert written == [1]


def test_unknown_runs_are_named(client: Client) -> None:
    unknown = "f" * 32
    for call in (
        lambda: client.get_run(unknown),
        lambda: client.log_param(unknown, "p", 1),
        lambda: client.log_metric(unknown, "m", 1),
        lambda: client.set_terminated(unknown),
        lambda: client.list_artifacts(unknown),
        lambda: client.download_artifacts(unknown, "a"),
        lambda: client.get_parent_run(unknown),
    ):
        with pytest.raises(NotFound, match=unknown):
            call()


def test_every_public_verb_says_what_it_does() -> None:
    for name, verb in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            assert verb.__doc__, name


def test_the_registry_waits_for_what_is_still_to_be_written(client: Client) -> None:
    client.create_registered_model("m")
    writer.later(lambda: client._backend.registry.create_model_version("m", "runs:/0/m") and None)
    client.set_registered_model_alias("m", "champion", 1)
    assert client.get_model_version_by_alias("m", "champion").version == 1


@pytest.mark.parametrize("entries", [{"metrics": [("a", 1)]}, {"params": [("a", "1")]}, {"tags": ["a"]}, {"tags": 1.5}])
def test_what_is_no_entry_of_a_batch_is_refused(client: Client, entries: Any) -> None:
    run_id = client.create_run("0").info.run_id
    with pytest.raises(InvalidValue, match="give"):
        client.log_batch(run_id, **entries)


def test_a_client_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clients = [Client("rel"), Client("sqlite:///rel.db")]
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for client in clients:
        client.create_run("0")
    assert (tmp_path / "rel" / "fitbook.db").is_file()
    assert (tmp_path / "rel.db").is_file()
    assert list((tmp_path / "sub").iterdir()) == []


def test_the_place_of_an_experiment_is_absolute_and_local(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    number = client.create_experiment("e", "files")
    assert client.get_experiment(number).artifact_location == (tmp_path / "files").as_uri()
    run_id = client.create_run(number).info.run_id
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    client.log_text(run_id, "x", "a.txt")
    assert (tmp_path / "files" / run_id / "artifacts" / "a.txt").is_file()
    wrong: Any
    for wrong in ("file://host/x", 3):
        with pytest.raises(InvalidValue, match="artifact location"):
            client.create_experiment("f", wrong)
    with pytest.raises(InvalidValue, match="got a list; give a dictionary"):
        client.create_experiment("f", tags=["a"])  # type: ignore[arg-type]
    assert client.get_experiment_by_name("f") is None


def test_a_place_inside_the_tracking_directory_moves_with_it(tmp_path: Path) -> None:
    client = Client(str(tmp_path / "before"))
    inside = tmp_path / "before" / "artifacts" / "mine"
    number = client.create_experiment("e", str(inside))
    assert client.get_experiment(number).artifact_location == inside.as_uri()
    run_id = client.create_run(number).info.run_id
    client.log_text(run_id, "x", "a.txt")
    client._store.close()
    (tmp_path / "before").rename(tmp_path / "after")
    moved = Client(str(tmp_path / "after"))
    assert Path(moved.download_artifacts(run_id, "a.txt")).read_text() == "x"
    uri = moved.get_run(run_id).info.artifact_uri
    assert uri.startswith((tmp_path / "after" / "artifacts" / "mine").as_uri())
    assert [run.info.run_id for run in moved.search_runs([number], f"artifact_uri = '{uri}'")] == [run_id]
