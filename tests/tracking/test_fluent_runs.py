"""The module-level verbs that begin, end, read and delete runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable, WrongState


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


def test_tags_of_a_new_run_are_a_dictionary() -> None:
    with pytest.raises(InvalidValue, match="got a list; give a dictionary"):
        fitbook.start_run(tags=["a"])  # type: ignore[arg-type]
    assert fitbook.active_run() is None


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


def test_children_are_deleted_and_restored_on_request() -> None:
    with fitbook.start_run() as parent, fitbook.start_run(nested=True) as child, fitbook.start_run(nested=True) as leaf:
        pass

    def stages() -> list[str]:
        return [fitbook.get_run(run.run_id).info.lifecycle_stage for run in (parent, child, leaf)]

    fitbook.delete_run(parent.run_id)
    assert stages() == ["deleted", "active", "active"]
    fitbook.delete_run(parent.run_id, children=True)
    assert stages() == ["deleted"] * 3
    fitbook.restore_run(parent.run_id)
    assert stages() == ["active", "deleted", "deleted"]
    fitbook.Client().restore_run(parent.run_id, children=True)
    assert stages() == ["active"] * 3
    assert child.info.parent_run_id == parent.run_id


def test_the_last_active_run_is_that_which_ended_last() -> None:
    assert fitbook.last_active_run() is None
    with fitbook.start_run() as parent:
        with fitbook.start_run(nested=True) as child:
            assert fitbook.last_active_run().info.run_id == child.run_id
        assert fitbook.last_active_run().info.run_id == child.run_id
    assert fitbook.last_active_run().info.run_id == parent.run_id


def test_system_metrics_are_refused_politely() -> None:
    with (
        pytest.warns(fitbook.FitbookWarning, match="no system metrics"),
        fitbook.start_run(log_system_metrics=True) as run,
    ):
        pass
    assert run.info.status == "FINISHED"
    with fitbook.start_run(log_system_metrics=False):
        pass


@pytest.mark.parametrize(
    ("last_line", "status"),
    [("1 / 0", "FAILED"), ("raise KeyboardInterrupt", "KILLED"), ("sys.exit(3)", "FINISHED"), ("pass", "FINISHED")],
)
def test_a_run_that_is_open_when_the_program_ends_ends_as_the_program_does(last_line: str, status: str) -> None:
    program = f"import sys, fitbook\nprint(fitbook.start_run().info.run_id)\n{last_line}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert fitbook.get_run(done.stdout.strip()).info.status == status
