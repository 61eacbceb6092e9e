"""What is logged as files: nothing that is stored changes, and what can't be written is said in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fitbook
from fitbook.errors import InvalidValue
from fitbook.tracking import ActiveRun
from fitbook.tracking._render import dictionary_bytes, figure_bytes, table_bytes, table_frame, table_rows


@pytest.fixture
def run() -> Iterator[ActiveRun]:
    with fitbook.start_run() as run:
        yield run


def _table(run: ActiveRun) -> Any:
    return json.loads(run.artifacts.read("t.json"))


def test_stored_rows_of_a_table_stay_as_they_are(run: ActiveRun) -> None:
    texts = ["007", "1e5", "nan", "2020-01-01", "true", ""]
    for text in texts:
        run.log_table({"id": [text]}, "t.json")
    assert _table(run) == {"columns": ["id"], "data": [[text] for text in texts]}


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), max_size=4))
def test_tables_are_the_sum_of_their_parts(parts: list[list[str]]) -> None:
    stored = None
    for part in parts:
        stored = table_bytes(table_rows(table_frame({"a": part})), stored, "t.json")
    assert stored is None or json.loads(stored)["data"] == [[text] for part in parts for text in part]


def test_tables_of_different_columns_become_one(run: ActiveRun) -> None:
    run.log_table({"a": [1], "b": ["x"]}, "t.json")
    run.log_table({"b": ["y"], "c": [0.1 + 0.2]}, "t.json")
    assert _table(run)["columns"] == ["a", "b", "c"]
    assert _table(run)["data"] == [[1, "x", None], [None, "y", pytest.approx(0.3, abs=1e-15)]]


def test_threads_add_to_one_table(run: ActiveRun) -> None:
    def add(number: int) -> None:
        for _ in range(5):
            run.log_table({"n": [number]}, "t.json")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_table(run)["data"]) == [[number] for number in range(4) for _ in range(5)]


@pytest.mark.parametrize("data", [{"a": [1], "b": [1, 2]}, pd.DataFrame({1: [1]}, index=[1]).set_axis([["a"]], axis=1)])
def test_odd_tables_are_kept_or_refused_in_words(run: ActiveRun, data: Any) -> None:
    if isinstance(data, dict):
        with pytest.raises(InvalidValue, match="can't be written"):
            run.log_table(data, "t.json")
    else:
        run.log_table(data, "t.json")
        run.log_table(data, "t.json")
        assert _table(run)["data"] == [[1], [1]]


@pytest.mark.parametrize("content", ["no json", "[1]", '{"columns": ["a"]}', "3"])
def test_a_file_that_is_no_table_is_not_added_to(run: ActiveRun, content: str) -> None:
    run.log_text(content, "t.json")
    with pytest.raises(InvalidValue, match=r"'t.json' is there already and is no table"):
        run.log_table({"a": [1]}, "t.json")


def test_text_is_kept_whatever_it_holds(run: ActiveRun) -> None:
    run.log_text("a\udcffb", "t.txt")
    assert run.artifacts.read("t.txt").decode("utf-8", "surrogatepass") == "a\udcffb"


@pytest.mark.parametrize("name", ["d.json", "d.yaml"])
def test_dictionaries_are_kept_whatever_texts_they_hold(name: str) -> None:
    if name.endswith(".json"):
        assert json.loads(dictionary_bytes({"k": "a\udcffb😀"}, name)) == {"k": "a\udcffb😀"}
    else:
        dictionary_bytes({"k": "a\udcffb😀"}, name).decode()


def _circular() -> dict[str, Any]:
    value: dict[str, Any] = {"o": object()}
    value["itself"] = value
    return value


@pytest.mark.parametrize("name", ["d.json", "d.yaml"])
@pytest.mark.parametrize("value", [{("a", 1): object()}, {np.int64(1): 2}, _circular()])
def test_what_no_dictionary_file_holds_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=f"'{name}' can't be written"):
        dictionary_bytes(value, name)


def test_figures_need_a_format() -> None:
    figure = matplotlib.figure.Figure()
    with pytest.raises(InvalidValue, match="needs an ending"):
        figure_bytes(figure, "a.b/noext", None)
    with pytest.raises(InvalidValue, match="can't be written: Format 'what' is not supported"):
        figure_bytes(figure, "a.what", None)
    assert figure_bytes(figure, "noext", {"format": "svg"}).startswith(b"<?xml")


def test_file_names_are_text(run: ActiveRun) -> None:
    name: Any = 3
    for verb in (run.log_dict, run.log_figure, run.log_table):
        with pytest.raises(InvalidValue, match="artifact path 3 is not text"):
            verb({}, name)
