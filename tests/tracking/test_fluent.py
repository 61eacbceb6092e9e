"""The module-level verbs: what they add to the verbs on one run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fitbook
from fitbook.errors import InvalidFilter, InvalidValue, NotFound, StoreUnavailable, WrongState
from fitbook.tracking._writer import writer

# -- experiments -----------------------------------------------------------------------------------------------------


def test_the_chosen_experiment_gets_the_runs() -> None:
    made = fitbook.set_experiment("e")
    with fitbook.start_run() as run:
        assert run.info.experiment_id == made.experiment_id
    assert fitbook.set_experiment("e") == made
    other = fitbook.create_experiment("other", tags={"k": 1})
    assert fitbook.set_experiment(experiment_id=other).name == "other"
    fitbook.set_experiment_tag("l", 2)
    assert dict(fitbook.get_experiment(other).tags) == {"k": "1", "l": "2"}
    assert fitbook.get_experiment_by_name("other").experiment_id == other
    assert fitbook.get_experiment_by_name("none") is None
    assert [e.name for e in fitbook.search_experiments()] == ["other", "e", "Default"]
    assert [e.name for e in fitbook.search_experiments(filter_string="name = 'e'")] == ["e"]


@pytest.mark.parametrize("given", [{}, {"experiment_name": "a", "experiment_id": "0"}])
def test_an_experiment_is_chosen_by_name_or_id(given: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="either a name or experiment_id"):
        fitbook.set_experiment(**given)


def test_experiments_that_can_not_be_chosen() -> None:
    with pytest.raises(NotFound, match="'77'"):
        fitbook.set_experiment(experiment_id="77")
    with pytest.raises(InvalidValue, match="empty"):
        fitbook.set_experiment(" ")
    gone = fitbook.create_experiment("gone")
    fitbook.delete_experiment(gone)
    with pytest.raises(NotFound, match="'gone'.*restore"):
        fitbook.set_experiment("gone")
    with pytest.raises(WrongState, match="'gone'.*restore"):
        fitbook.set_experiment(experiment_id=gone)
    with fitbook.start_run() as run:
        assert run.info.experiment_id == "0"


def test_a_chosen_experiment_that_is_deleted_takes_no_runs() -> None:
    fitbook.delete_experiment(fitbook.set_experiment("e").experiment_id)
    with pytest.raises(WrongState, match="'e'.*deleted; restore"):
        fitbook.start_run()
    assert fitbook.active_run() is None


# -- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_has_name_tags_and_description() -> None:
    with fitbook.start_run(run_name="größe", tags={"a": 1}, description="why") as run:
        tags = run.data.tags
        assert run.info.run_name == tags["mlflow.runName"] == "größe"
        assert (tags["a"], tags["mlflow.note.content"]) == ("1", "why")
        assert (tags["mlflow.user"], tags["mlflow.source.type"]) == (run.info.user_id, "LOCAL")
    with fitbook.start_run(tags={"mlflow.runName": "by tag"}) as run:
        assert run.info.run_name == "by tag"
    with fitbook.start_run() as run:
        assert run.info.run_name


def test_children_know_their_parent_and_share_its_experiment() -> None:
    elsewhere = fitbook.create_experiment("elsewhere")
    with fitbook.start_run(experiment_id=elsewhere) as parent, fitbook.start_run(nested=True) as child:
        assert child.info.experiment_id == elsewhere
    with fitbook.start_run(parent_run_id=parent.run_id) as other:
        assert other.info.experiment_id == elsewhere
    with fitbook.start_run(parent_run_id=parent.run_id, experiment_id="0") as third:
        assert third.info.experiment_id == "0"
    for run in (child, other, third):
        assert fitbook.get_parent_run(run.run_id).info.run_id == parent.run_id
    assert fitbook.get_parent_run(parent.run_id) is None


@pytest.mark.parametrize("option", ["run_id", "parent_run_id"])
def test_runs_that_do_not_exist_are_named(option: str) -> None:
    with pytest.raises(NotFound, match="No run 'ffff"):
        fitbook.start_run(**{option: "f" * 32})
    with fitbook.start_run() as run:
        pass
    fitbook.delete_run(run.run_id)
    with pytest.raises(WrongState, match=f"{run.run_id} is deleted.*restore"):
        fitbook.start_run(**{option: run.run_id})
    assert fitbook.active_run() is None
    assert fitbook.get_run(run.run_id).info.lifecycle_stage == "deleted"


def test_a_run_is_resumed() -> None:
    with fitbook.start_run(run_name="first") as run:
        fitbook.log_param("p", 1)
    with fitbook.start_run(run_id=run.run_id, tags={"again": "yes"}) as again:
        assert again == run
        assert again.info.status == "RUNNING"
        fitbook.log_param("q", 2)
    found = fitbook.get_run(run.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
    assert (dict(found.data.params), found.data.tags["again"]) == ({"p": "1", "q": "2"}, "yes")
    with fitbook.start_run(run_id=run.run_id, run_name="second"):
        pass
    assert fitbook.get_run(run.run_id).info.run_name == "second"


def test_the_environment_names_a_run_to_resume_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with fitbook.start_run() as run:
        pass
    monkeypatch.setenv("FITBOOK_RUN_ID", run.run_id)
    with fitbook.start_run() as resumed:
        assert resumed.run_id == run.run_id
    with fitbook.start_run() as fresh:
        assert fresh.run_id != run.run_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"run_name": "x" * 257},
        {"run_name": "a\nb"},
        {"tags": {"a*": 1}},
        {"experiment_id": "77"},
        {"experiment_id": "x"},
    ],
)
def test_a_run_that_can_not_begin_is_not_active(wrong: dict[str, Any]) -> None:
    with pytest.raises((InvalidValue, NotFound)):
        fitbook.start_run(**wrong)
    assert fitbook.active_run() is None
    assert len(fitbook.search_runs(search_all_experiments=True)) == 0


def test_ending() -> None:
    fitbook.end_run()  # nothing to end is fine
    run = fitbook.start_run()
    with pytest.raises(InvalidValue, match="'DONE' is none of RUNNING.*KILLED"):
        fitbook.end_run("DONE")
    assert fitbook.active_run() is run
    fitbook.end_run("FAILED")
    assert run.info.status == "FAILED"


def test_logging_without_a_run_begins_one() -> None:
    assert fitbook.log_param("p", 1) == 1
    run = fitbook.active_run()
    fitbook.log_metric("m", 2.0)
    fitbook.log_metrics({"n": 1}, step=4)
    fitbook.log_params({"q": 1})
    fitbook.set_tag("t", 1)
    fitbook.set_tags({"u": 1})
    fitbook.delete_tag("u")
    fitbook.log_text("x", "a.txt")
    fitbook.log_dict({}, "b.json")
    fitbook.log_table({"a": [1]}, "c.json")
    fitbook.end_run()
    assert len(fitbook.search_runs()) == 1
    assert dict(run.data.params) == {"p": "1", "q": "1"}
    assert dict(run.data.metrics) == {"m": 2.0, "n": 1.0}
    assert [info.path for info in run.list_artifacts()] == ["a.txt", "b.json", "c.json"]


def test_another_run_than_the_active_one(tmp_path: Path) -> None:
    with fitbook.start_run() as other:
        pass
    (tmp_path / "f").touch()
    with fitbook.start_run() as run:
        fitbook.log_metric("m", 1, run_id=other.run_id)
        fitbook.log_metrics({"n": 1}, run_id=other.run_id)
        fitbook.log_params({"p": 1}, run_id=other.run_id)
        fitbook.log_text("x", "a.txt", run_id=other.run_id)
        fitbook.log_artifact(tmp_path / "f", run_id=other.run_id)
        fitbook.log_artifacts(tmp_path, "all", run_id=other.run_id)
        with pytest.raises(NotFound, match="No run 'ffff"):
            fitbook.log_metric("m", 1, run_id="f" * 32)
        assert (dict(run.data.metrics), run.list_artifacts()) == ({}, [])
    assert dict(other.data.metrics) == {"m": 1.0, "n": 1.0}
    assert "f" in [info.path for info in other.list_artifacts()]


# -- search ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three() -> list[str]:
    ids = []
    for n, name in enumerate(["a", "b", "c"]):
        with fitbook.start_run(run_name=name) as run:
            fitbook.log_metric("acc", n / 10)
            fitbook.log_param(f"p{n}", n)
            fitbook.set_tag("kind", "even" if n % 2 == 0 else "odd")
        ids.append(run.run_id)
    return ids


def test_a_table_of_runs(three: list[str]) -> None:
    frame = fitbook.search_runs()
    assert list(frame.columns)[:6] == ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]
    assert [c for c in frame.columns if c.startswith(("metrics.", "params."))] == [
        "metrics.acc",
        "params.p0",
        "params.p1",
        "params.p2",
    ]
    assert set(frame["run_id"]) == set(three)
    assert set(frame["status"]) == {"FINISHED"}
    assert str(frame["start_time"].dt.tz) == "UTC"
    assert (frame["end_time"] >= frame["start_time"]).all()
    assert (pd.Timestamp.now("UTC") - frame["start_time"]).max() < pd.Timedelta(hours=1)
    row = frame.set_index("run_id").loc[three[1]]
    assert (row["metrics.acc"], row["params.p1"], row["tags.mlflow.runName"]) == (0.1, "1", "b")
    assert row[["params.p0", "params.p2"]].isna().all()


def test_a_table_of_no_runs() -> None:
    frame = fitbook.search_runs()
    assert (len(frame), list(frame.columns)[:1]) == (0, ["run_id"])
    assert fitbook.search_runs(output_format="list") == []


def test_a_table_with_a_run_that_has_not_ended() -> None:
    with fitbook.start_run():
        frame = fitbook.search_runs()
    assert frame["end_time"].isna().all()


def test_filters_orders_and_views(three: list[str]) -> None:
    def names(*args: Any, **more: Any) -> str:
        return "".join(run.info.run_name for run in fitbook.search_runs(*args, **more, output_format="list"))

    assert names(filter_string="metrics.acc > 0.05", order_by=["metrics.acc DESC"]) == "cb"
    assert names(filter_string="tags.kind = 'odd'") == "b"
    assert names(order_by=["metrics.acc ASC"], max_results=2) == "ab"
    fitbook.delete_run(three[0])
    assert sorted(names()) == ["b", "c"]
    assert names(run_view_type=fitbook.ViewType.DELETED_ONLY) == "a"
    with pytest.raises(InvalidFilter, match="character"):
        fitbook.search_runs(filter_string="metrics.acc >")
    with pytest.raises(InvalidValue, match="'csv'.*'pandas' and 'list'"):
        fitbook.search_runs(output_format="csv")


def test_where_to_search(three: list[str]) -> None:
    made = fitbook.set_experiment("e")
    with fitbook.start_run(run_name="d"):
        pass

    def names(**more: Any) -> str:
        return "".join(sorted(run.info.run_name for run in fitbook.search_runs(**more, output_format="list")))

    assert names() == "d"
    assert names(experiment_ids=["0"]) == names(experiment_names=["Default"]) == "abc"
    assert names(experiment_ids=["0", made.experiment_id]) == names(search_all_experiments=True) == "abcd"
    assert names(experiment_names=["e"]) == names(experiment_names="e") == "d"
    with pytest.raises(NotFound, match="No experiment 'none'"):
        names(experiment_names=["e", "none"])
    assert names(experiment_names=[]) == names(experiment_ids=[]) == ""
    with pytest.raises(InvalidValue, match="not both"):
        fitbook.search_runs(experiment_ids=["0"], experiment_names=["e"])


def test_searches_wait_for_what_is_to_be_written() -> None:
    run = fitbook.start_run()
    writer.fit_begins()
    run.later(lambda: run.log_metric("late", 1))
    fitbook.end_run()
    frame = fitbook.search_runs()
    writer.fit_ends()
    assert frame[["status", "metrics.late"]].to_numpy().tolist() == [["FINISHED", 1.0]]


# -- files -----------------------------------------------------------------------------------------------------------


def test_downloads(tmp_path: Path) -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "sub/a.txt")
        root = fitbook.get_artifact_uri()
        assert fitbook.get_artifact_uri("sub/a.txt") == f"{root}/sub/a.txt"
    for found in (
        fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt", dst_path=tmp_path / "new" / "er"),
    ):
        assert Path(found).read_text() == "x"
    copied = fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub", dst_path=tmp_path)
    assert copied == str(tmp_path / "sub")
    assert (tmp_path / "sub" / "a.txt").read_text() == "x"
    with pytest.raises(NotFound, match="'sub/b.txt'.*'sub/a.txt'"):
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/b.txt")


@pytest.mark.parametrize("uri", ["", "runs:/", "runs:", "/etc/passwd", "s3://b/x", "runs://x/y"])
def test_artifact_uris_of_another_form_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue, match="not like runs:/<run_id>/<path>"):
        fitbook.download_artifacts(uri)


# -- a store that can't be used --------------------------------------------------------------------------------------


def test_an_unusable_store_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fitbook.set_tracking_uri(tmp_path / "file" / "x")
    for call in (fitbook.start_run, fitbook.search_runs, lambda: fitbook.log_metric("m", 1)):
        with pytest.raises(StoreUnavailable, match="set_tracking_uri.*FITBOOK_TRACKING_URI"):
            call()
    assert fitbook.active_run() is None


def test_a_corrupt_store_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "fitbook.db").write_bytes(b"nonsense" * 1000)
    fitbook.set_tracking_uri(tmp_path / "x")
    with pytest.raises(StoreUnavailable, match="not a database.*backup.*another tracking URI"):
        fitbook.start_run()


def test_the_first_lines_of_a_script_print_nothing(tmp_path: Path) -> None:
    script = "import fitbook\nwith fitbook.start_run(): fitbook.log_metric('m', 1); fitbook.log_text('x', 'a.txt')\n"
    environment = {**os.environ, "FITBOOK_TRACKING_URI": str(tmp_path / "runs")}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tags_of_a_new_run_are_a_dictionary() -> None:
    with pytest.raises(InvalidValue, match="got a list; give a dictionary"):
        fitbook.start_run(tags=["a"])  # type: ignore[arg-type]
    assert fitbook.active_run() is None


def test_one_experiment_id_is_one_and_not_its_digits() -> None:
    for number in range(1, 13):
        fitbook.create_experiment(f"e{number}")
    for number in ("1", "12"):
        with fitbook.start_run(experiment_id=number, run_name=number):
            pass
    found = fitbook.search_runs(experiment_ids="12", output_format="list")
    assert [run.info.run_name for run in found] == ["12"]


@pytest.mark.parametrize("wrong", ["3", 1.5, -1, None])
def test_the_number_of_results_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="max_results is"):
        fitbook.search_runs(max_results=wrong)


def test_the_registry_is_where_the_runs_are(tmp_path: Path) -> None:
    client = fitbook.Client()
    for name in ("a", "b"):
        client.create_registered_model(name)
    client.create_model_version("a", "runs:/0/m")
    assert [model.name for model in fitbook.search_registered_models(order_by=["name DESC"])] == ["b", "a"]
    assert [model.name for model in fitbook.search_registered_models(1, "name = 'a'")] == ["a"]
    assert [version.version for version in fitbook.search_model_versions(filter_string="name = 'a'")] == [1]
    assert fitbook.get_registry_uri() == fitbook.get_tracking_uri()
    fitbook.set_registry_uri(fitbook.get_tracking_uri())
    fitbook.set_registry_uri("")
    with pytest.warns(fitbook.FitbookWarning, match="changes nothing"):
        fitbook.set_registry_uri(tmp_path / "elsewhere")


def test_a_slash_at_the_end_of_an_artifact_uri() -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "folder/a.txt")
    assert Path(fitbook.download_artifacts(f"runs:/{run.info.run_id}/folder/")).name == "folder"
