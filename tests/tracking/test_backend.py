from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fitbook.errors import InvalidValue, NotFound, StoreUnavailable
from fitbook.store import open_store
from fitbook.tracking import Client, get_tracking_uri, is_tracking_uri_set, set_tracking_uri
from fitbook.tracking._backend import (
    choose_experiment,
    current,
    current_experiment_id,
    experiment_called,
    open_backend,
    readable,
)
from fitbook.tracking._writer import writer


def test_the_default_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FITBOOK_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    assert get_tracking_uri() == (tmp_path / "fitbook-runs").as_uri()
    assert not is_tracking_uri_set()
    assert list(tmp_path.iterdir()) == []


def test_the_environment_and_then_the_call_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_TRACKING_URI", str(tmp_path / "env"))
    assert get_tracking_uri() == (tmp_path / "env").as_uri()
    assert is_tracking_uri_set()
    set_tracking_uri(tmp_path / "call")
    assert get_tracking_uri() == (tmp_path / "call").as_uri()
    assert list(tmp_path.iterdir()) == []  # nothing is made before it is used
    set_tracking_uri("")
    assert get_tracking_uri() == (tmp_path / "env").as_uri()


def test_a_relative_folder_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    set_tracking_uri("runs")
    monkeypatch.chdir(tmp_path / "b")
    current()
    assert (tmp_path / "a" / "runs" / "fitbook.db").is_file()
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.parametrize("uri", ["http://localhost:5000", "s3://bucket/x", "databricks://x", "file://host/x"])
def test_uris_that_nobody_speaks_are_refused_at_once(uri: str) -> None:
    before = get_tracking_uri()
    with pytest.raises(InvalidValue, match="tracking URI"):
        set_tracking_uri(uri)
    assert get_tracking_uri() == before


def test_one_uri_in_any_spelling_is_opened_once(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    backend = open_backend(str(folder))
    assert open_backend(folder.as_uri()) is backend
    set_tracking_uri(folder)
    assert current() is backend
    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(lambda _: open_backend(str(tmp_path / "y")), range(8))))) == 1


def test_a_store_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="can't be made"):
        open_backend(str(tmp_path / "x"))
    (tmp_path / "x").unlink()
    assert open_backend(str(tmp_path / "x")).store.search_runs(["0"]) == []


def test_reading_waits_for_what_is_to_be_written() -> None:
    written: list[int] = []
    writer.fit_begins()
    writer.later(lambda: written.append(1))
    readable()
    writer.fit_ends()
    assert written == [1]


def test_the_experiment_of_new_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_experiment_id() == "0"
    monkeypatch.setenv("FITBOOK_EXPERIMENT_NAME", "from env")
    made = current_experiment_id()
    assert current().store.get_experiment(made).name == "from env"
    assert current_experiment_id() == made
    chosen = experiment_called("by call")
    choose_experiment(chosen)
    assert current_experiment_id() == chosen
    # Another store knows nothing of the choice.
    set_tracking_uri(tmp_path / "other")
    assert current().store.get_experiment(current_experiment_id()).name == "from env"
    set_tracking_uri("")
    assert current_experiment_id() == chosen


def test_a_deleted_experiment_is_not_made_again() -> None:
    number = experiment_called("e")
    assert experiment_called("e") == number
    Client().delete_experiment(number)
    with pytest.raises(NotFound, match="'e'.*restore_experiment"):
        experiment_called("e")


def test_threads_that_ask_for_a_new_experiment_get_one() -> None:
    current()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: experiment_called("new"), range(8)))) == 1


def test_a_setting_that_does_not_parse_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_SQLITE_TIMEOUT", "soon")
    with pytest.raises(InvalidValue, match="FITBOOK_SQLITE_TIMEOUT is 'soon'; expected a number"):
        current()


def test_the_default_place_is_that_of_its_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FITBOOK_TRACKING_URI")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    first = get_tracking_uri()
    monkeypatch.chdir(tmp_path / "sub")
    assert get_tracking_uri() == first == (tmp_path / "fitbook-runs").as_uri()
    monkeypatch.setenv("FITBOOK_TRACKING_URI", "other")
    assert get_tracking_uri() == (tmp_path / "sub" / "other").as_uri()


def test_a_tracking_uri_is_text_or_a_path(tmp_path: Path) -> None:
    before = get_tracking_uri()
    set_tracking_uri(tmp_path / "other")
    set_tracking_uri(None)
    assert get_tracking_uri() == before
    wrong: Any
    for wrong in (3, 0, False, b"x", ["x"]):
        with pytest.raises(InvalidValue, match="give a text or a Path"):
            set_tracking_uri(wrong)


@pytest.mark.parametrize("uri", ["a\x00b", "\ud800", "sqlite:///\x00", Path("\ud800")])
def test_a_tracking_uri_that_no_file_can_have(uri: str | Path) -> None:
    for call in (set_tracking_uri, Client):
        with pytest.raises(InvalidValue, match="tracking URI .* no name of a file"):
            call(uri)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_removed_meanwhile_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    folder = tmp_path / "fitbook-runs"
    client = Client()
    number = experiment_called("mine")
    choose_experiment(number)
    client.create_run(number)
    shutil.rmtree(folder)
    if replaced:
        other = open_store(folder)
        other.create_experiment("theirs")
        other.close()
    made = client.create_run(current_experiment_id())
    client.log_metric(made.info.run_id, "m", 1.0)
    assert [r.getMessage().count("removed or replaced") for r in caplog.records] == [1]
    assert (folder / ".gitignore").is_file()
    # Another process finds everything in the folder, and nothing of what was removed.
    seen = open_store(folder)
    experiment = seen.get_experiment(made.info.experiment_id)
    assert experiment.name == "mine"
    assert seen.get_experiment("0").name == "Default"
    assert [run.info.run_id for run in seen.search_runs(["0", "1", "2"])] == [made.info.run_id]
    seen.close()


def test_threads_that_find_the_folder_removed_make_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    client.create_run("0")
    shutil.rmtree(tmp_path / "fitbook-runs")
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: client.create_run("0").info.run_id, range(16)))
    assert {run.info.run_id for run in client.search_runs(["0"])} == made
    assert len(caplog.records) == 1
