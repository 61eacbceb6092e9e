"""The verbs on one run, as `fitbook.start_run` returns it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fitbook
from fitbook.entities import Dataset, Metric
from fitbook.errors import InvalidValue, NotFound, ParamConflict, WrongState
from fitbook.tracking import ActiveRun
from fitbook.tracking._run import RunHandle
from fitbook.tracking._writer import writer


@pytest.fixture
def run() -> Iterator[ActiveRun]:
    with fitbook.start_run(run_name="the run") as run:
        yield run


def _read(run: RunHandle, path: str) -> str:
    return run.artifacts.read(path).decode()


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


# -- params, metrics, tags -------------------------------------------------------------------------------------------


def test_what_was_logged_is_read_back(run: ActiveRun) -> None:
    assert run.log_param("p", [1, None]) == [1, None]
    run.log_params({"q": 1.5, "r": ""})
    run.log_metric("m", 1, step=3)
    run.log_metrics({"n": 2.5, "o": -1}, step=1, timestamp=7)
    run.set_tag("t", 5)
    run.set_tags({"u": None, "v": "ü"})
    data = run.data
    assert dict(data.params) == {"p": "[1, None]", "q": "1.5", "r": ""}
    assert dict(data.metrics) == {"m": 1.0, "n": 2.5, "o": -1.0}
    assert {key: value for key, value in data.tags.items() if not key.startswith("mlflow.")} == {
        "t": "5",
        "u": "None",
        "v": "ü",
    }
    assert run.backend.store.get_metric_history(run.run_id, "n") == [Metric("n", 2.5, 7, 1)]
    run.delete_tag("t")
    assert "t" not in run.data.tags


def test_numbers_of_any_library_are_metrics(run: ActiveRun) -> None:
    import numpy as np

    values = {"f32": np.float32(0.5), "i64": np.int64(7), "zero-d": np.array(1.5), "one": np.array([2.5]), "b": True}
    run.log_metrics({**values, "nan": math.nan, "inf": np.float64("inf"), "big": 2**70})
    found = dict(run.data.metrics)
    assert math.isnan(found.pop("nan"))
    assert found == {"f32": 0.5, "i64": 7, "zero-d": 1.5, "one": 2.5, "b": 1.0, "inf": math.inf, "big": 2.0**70}
    run.log_metric("m", 1.0, step=np.int64(5), timestamp=1.7e12 + 0.25)
    assert run.backend.store.get_metric_history(run.run_id, "m") == [Metric("m", 1.0, 1_700_000_000_000, 5)]


@pytest.mark.parametrize("value", ["0.5", None, [1.0], {}, 1j, pd.Series([1.0, 2.0]), Unspeakable()])
def test_what_is_no_number_is_refused_with_advice(run: ActiveRun, value: Any) -> None:
    for call in (lambda: run.log_metric("acc", value), lambda: run.log_metrics({"good": 1.0, "acc": value})):
        with pytest.raises(InvalidValue, match=f"(?s)'acc'.*{type(value).__name__}.*one real number. Log text as"):
            call()
    assert run.data.metrics == {}


@pytest.mark.parametrize("kind", ["param", "metric", "tag"])
@pytest.mark.parametrize("key", ["", " ", "a*b", "a=b", "ü\n", "../x", "/x", "x" * 251, None, 3])
def test_bad_keys_are_named(run: ActiveRun, kind: str, key: Any) -> None:
    one = {"param": run.log_param, "metric": run.log_metric, "tag": run.set_tag}[kind]
    many = {"param": run.log_params, "metric": run.log_metrics, "tag": run.set_tags}[kind]
    before = run.data
    with pytest.raises(InvalidValue, match=f"The {kind}(eter)? key"):
        one(key, 1)
    with pytest.raises(InvalidValue, match=f"The {kind}(eter)? key"):
        many({"good": 1, key: 1})
    assert run.data == before


@pytest.mark.parametrize("verb", ["log_params", "log_metrics", "set_tags"])
@pytest.mark.parametrize("values", [[("a", 1)], "a=1", 5])
def test_what_is_no_dictionary_is_refused(run: ActiveRun, verb: str, values: Any) -> None:
    with pytest.raises(InvalidValue, match=f"{verb} got a {type(values).__name__}; give a dictionary"):
        getattr(run, verb)(values)


def test_nothing_to_log_is_fine(run: ActiveRun) -> None:
    run.log_params({})
    run.log_metrics({})
    run.set_tags({})


def test_a_value_without_text_is_refused(run: ActiveRun) -> None:
    for call in (run.log_param, run.set_tag):
        with pytest.raises(InvalidValue, match="Unspeakable that can't be turned into text: RuntimeError"):
            call("p", Unspeakable())


def test_a_param_is_written_once(run: ActiveRun) -> None:
    run.log_param("p", 1)
    run.log_param("p", "1")
    with pytest.raises(ParamConflict, match="'p'.*is '1' and can't become '2'.*correct_param"):
        run.log_params({"q": 1, "p": 2})
    assert dict(run.data.params) == {"p": "1"}


@pytest.mark.parametrize("size", [100_000, 4_000_000])
def test_long_params_are_kept_whole(run: ActiveRun, size: int) -> None:
    value = "ab ü"[: size % 4 or 4] * (size // 4)
    run.log_param("p", value)
    assert run.data.params["p"] == value
    with pytest.raises(ParamConflict) as caught:
        run.log_param("p", value + "!")
    assert len(str(caught.value)) < 500


@given(value=st.floats(), step=st.integers(-(2**62), 2**62))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_metric_comes_back(run: ActiveRun, value: float, step: int) -> None:
    run.log_metric("m", value, step=step)
    point = run.backend.store.get_metric_history(run.run_id, "m")[-1]
    assert math.copysign(1, point.value) == math.copysign(1, value) or math.isnan(value)
    assert point.value == value or (math.isnan(point.value) and math.isnan(value))
    assert point.step == step


@pytest.mark.parametrize("step", [1.5, "1", 2**63, math.nan])
def test_bad_steps_are_refused(run: ActiveRun, step: Any) -> None:
    with pytest.raises(InvalidValue, match="step"):
        run.log_metric("m", 1.0, step=step)


def test_a_run_that_does_not_exist_is_named() -> None:
    run = RunHandle(fitbook.tracking._backend.current(), "f" * 32)
    for call in (
        lambda: run.log_param("p", 1),
        lambda: run.log_metric("m", 1),
        lambda: run.set_tag("t", 1),
        lambda: run.delete_tag("t"),
        lambda: run.log_text("x", "a.txt"),
        lambda: run.list_artifacts(),
        lambda: run.read(),
        lambda: run.end(),
    ):
        with pytest.raises(NotFound, match="No run 'ffff.*fitbook runs list"):
            call()


def test_an_ended_run_takes_more(run: ActiveRun) -> None:
    fitbook.end_run()
    run.log_metric("late", 1)
    run.log_text("late", "late.txt")
    assert (run.info.status, dict(run.data.metrics)) == ("FINISHED", {"late": 1.0})


# -- files -----------------------------------------------------------------------------------------------------------


def test_local_files_and_folders_are_copied(run: ActiveRun, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "er" / "ü.bin").write_bytes(b"\x00")
    run.log_artifact(source / "a.txt")
    run.log_artifact(str(source / "a.txt"), "sub/dir")
    run.log_artifact(source, "copy")
    run.log_artifacts(source, "all")
    run.log_artifacts(source)
    assert _read(run, "a.txt") == _read(run, "sub/dir/a.txt") == _read(run, "copy/source/a.txt") == "a"
    assert run.artifacts.read("all/deep/er/ü.bin") == run.artifacts.read("deep/er/ü.bin") == b"\x00"
    assert [info.path for info in run.list_artifacts()] == ["a.txt", "all", "copy", "deep", "sub"]
    assert [(i.path, i.is_dir, i.file_size) for i in run.list_artifacts("sub/dir")] == [("sub/dir/a.txt", False, 1)]


def test_local_files_that_are_not_there(run: ActiveRun, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="No local file '.*none'. Looked from"):
        run.log_artifact(tmp_path / "none")
    for path in ("none", "file"):
        with pytest.raises(NotFound, match="No local folder"):
            run.log_artifacts(tmp_path / path)


@pytest.mark.parametrize("wrong", [None, 3, b"a", []])
def test_what_is_no_local_path_is_refused(run: ActiveRun, wrong: Any) -> None:
    for verb in (run.log_artifact, run.log_artifacts):
        with pytest.raises(InvalidValue, match="local path .* give a text or a Path"):
            verb(wrong)


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "a\x00"])
def test_local_names_that_no_file_can_have(run: ActiveRun, name: str) -> None:
    for verb in (run.log_artifact, run.log_artifacts):
        with pytest.raises(NotFound, match="No local"):
            verb(name)


@pytest.mark.parametrize("wrong", [None, 0, [], {}])
def test_what_can_be_no_name_is_refused(run: ActiveRun, wrong: Any) -> None:
    for call in (lambda: run.log_text("x", wrong), lambda: run.correct_param(wrong, 1)):
        with pytest.raises(InvalidValue, match="not text|give a string"):
            call()
    with pytest.raises(NotFound, match="No run"):
        fitbook.Client().list_artifacts(wrong)


def test_links_among_the_files_are_refused(run: ActiveRun, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/hostname")
    with pytest.raises(InvalidValue, match="link is a symbolic link"):
        run.log_artifacts(tmp_path / "folder")
    assert run.list_artifacts() == []


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a\\b", "a%2f..%2fx"])
def test_files_stay_inside_the_run(run: ActiveRun, tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match="artifact path"):
        run.log_text("x", path)
    if path:
        with pytest.raises(InvalidValue, match="artifact path"):
            run.log_artifact(tmp_path / "file", path)


def test_dictionaries(run: ActiveRun) -> None:
    content = {"b": [1, 2.5, None, True], "a": {"ü": "x"}}
    run.log_dict(content, "a.json")
    run.log_dict(content, "a.yaml")
    run.log_dict({1: {2: "x"}}, "b.yml")
    run.log_dict([1, 2], "list.json")
    run.log_dict({"path": Path("/x")}, "odd.json")
    run.log_dict({"path": Path("/x")}, "odd.yaml")
    assert json.loads(_read(run, "a.json")) == yaml.safe_load(_read(run, "a.yaml")) == content
    assert "ü" in _read(run, "a.json")
    assert list(json.loads(_read(run, "a.json"))) == ["b", "a"]
    assert yaml.safe_load(_read(run, "b.yml")) == {1: {2: "x"}}
    assert json.loads(_read(run, "list.json")) == [1, 2]
    assert json.loads(_read(run, "odd.json")) == yaml.safe_load(_read(run, "odd.yaml")) == {"path": "/x"}


def test_text(run: ActiveRun) -> None:
    run.log_text("größe\n", "notes/a.txt")
    assert _read(run, "notes/a.txt") == "größe\n"


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures_of_matplotlib(run: ActiveRun, ending: str, begins: bytes) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    run.log_figure(figure, f"plots/a.{ending}", save_kwargs={"dpi": 30})
    assert run.artifacts.read(f"plots/a.{ending}").startswith(begins)


def test_figures_of_plotly(run: ActiveRun) -> None:
    class Figure:
        def to_html(self, **options: Any) -> str:
            return f"<html>{options}"

        def to_image(self, format: str) -> bytes:
            return format.encode()

    run.log_figure(Figure(), "a.html", save_kwargs={"include_plotlyjs": False})
    run.log_figure(Figure(), "a.png")
    assert _read(run, "a.html") == "<html>{'include_plotlyjs': False}"
    assert _read(run, "a.png") == "png"


def test_what_is_no_figure_is_refused(run: ActiveRun) -> None:
    with pytest.raises(InvalidValue, match="got a list; give a matplotlib or plotly figure"):
        run.log_figure([1, 2], "a.png")


def test_tables_grow(run: ActiveRun) -> None:
    run.log_table({"q": ["a", "b"], "n": [1, 2]}, "t.json")
    run.log_table(pd.DataFrame({"q": ["ü"], "n": [3]}), "t.json")
    run.log_table({"q": "d", "n": 4}, "t.json")
    assert json.loads(_read(run, "t.json")) == {"columns": ["q", "n"], "data": [["a", 1], ["b", 2], ["ü", 3], ["d", 4]]}


def test_a_deleted_run_gets_no_files(run: ActiveRun, tmp_path: Path) -> None:
    run.log_text("before", "a.txt")
    fitbook.delete_run(run.run_id)
    (tmp_path / "b.txt").write_text("b")
    for log in (
        lambda: run.log_text("after", "a.txt"),
        lambda: run.log_dict({}, "a.json"),
        lambda: run.log_table({"a": [1]}, "t.json"),
        lambda: run.log_artifact(tmp_path / "b.txt"),
        lambda: run.log_artifacts(tmp_path),
    ):
        with pytest.raises(WrongState, match="is deleted and can't be changed"):
            log()
    assert [file.path for file in run.list_artifacts()] == ["a.txt"]
    assert _read(run, "a.txt") == "before"
    fitbook.tracking.Client().restore_run(run.run_id)


def test_bad_tables_are_refused(run: ActiveRun) -> None:
    with pytest.raises(InvalidValue, match=r"'t.csv' must be called .json"):
        run.log_table({"a": [1]}, "t.csv")
    with pytest.raises(InvalidValue, match="got a list; give a DataFrame"):
        run.log_table([1, 2], "t.json")  # type: ignore[arg-type]


# -- data sets -------------------------------------------------------------------------------------------------------


def test_data_sets(run: ActiveRun) -> None:
    fitbook.log_input(Dataset("iris", "abc"), "train", {"k": "v"})
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, dict(used.tags)) == ("iris", {"k": "v", "mlflow.data.context": "train"})
    with pytest.raises(InvalidValue, match=r"A DataFrame is no data set.*from_pandas\(\)"):
        fitbook.log_input(pd.DataFrame({"name": ["a"], "digest": ["b"]}))


# -- life cycle ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (ValueError("x"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "KILLED")],
)
def test_how_a_block_ends_is_how_its_run_ends(error: BaseException | None, status: str) -> None:
    caught = None
    try:
        with fitbook.start_run() as run:
            if error is not None:
                raise error
    except BaseException as raised:
        caught = raised
    assert caught is error
    info = run.info
    assert info.status == status
    assert info.end_time is not None
    assert info.end_time >= info.start_time


def test_the_end_shows_after_what_the_run_has_still_to_write(run: ActiveRun) -> None:
    gate = threading.Event()
    writer.fit_begins()
    run.later(lambda: (gate.wait(20), run.log_text("figure", "figure.txt")))
    fitbook.end_run()
    store = run.backend.store
    assert store.get_run(run.run_id).info.status == "RUNNING"
    gate.set()
    writer.fit_ends()
    assert run.read().info.status == "FINISHED"
    assert _read(run, "figure.txt") == "figure"


def test_reading_waits_for_what_the_run_has_still_to_write(run: ActiveRun) -> None:
    writer.fit_begins()
    run.later(lambda: run.log_param("late", 1))
    run.soon(lambda: run.log_text("x", "late.txt"))
    assert dict(run.data.params) == {"late": "1"}
    assert [info.path for info in run.list_artifacts()] == ["late.txt"]
    writer.fit_ends()


def test_a_run_as_dictionaries(run: ActiveRun) -> None:
    run.log_param("p", 1)
    found = run.to_dictionary()
    assert found["info"]["run_id"] == run.run_id
    assert found["info"]["run_name"] == "the run"
    assert found["data"]["params"] == {"p": "1"}
    json.dumps(found)


def test_handles_of_one_run_are_equal(run: ActiveRun) -> None:
    other = RunHandle(run.backend, run.run_id)
    assert run == other
    assert hash(run) == hash(other)
    assert run != RunHandle(run.backend, "f" * 32)
    assert run.run_id in repr(run)
