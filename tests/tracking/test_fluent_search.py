"""Searching runs, to a DataFrame or a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import fitbook
from fitbook.errors import InvalidFilter, InvalidValue, NotFound
from fitbook.tracking._writer import writer


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


def test_a_table_with_a_run_of_a_time_beyond_calendars() -> None:
    client = fitbook.Client()
    for start in (2**62, -(2**62), 1_000):
        client.create_run("0", start_time=start)
    frame = fitbook.search_runs(order_by=["start_time ASC"])
    assert list(frame["start_time"]) == [pd.NaT, pd.Timestamp(1, unit="s", tz="UTC"), pd.NaT]


@pytest.mark.parametrize("wrong", [0, 4, "all", [], None])
def test_a_view_that_there_is_not(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="The view type"):
        fitbook.search_runs(run_view_type=wrong)
    with pytest.raises(InvalidValue, match="The view type"):
        fitbook.search_experiments(view_type=wrong)


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
    assert names(experiment_names=[]) == names(experiment_ids=[]) == "d"  # as if not given
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


def test_infos_of_runs_as_mlflow_1_listed_them(three: list[str]) -> None:
    assert {info.run_id for info in fitbook.list_run_infos("0")} == set(three)
    (best,) = fitbook.list_run_infos("0", max_results=1, order_by=["metrics.acc DESC"])
    assert (best.run_id, best.run_uuid) == (three[2], three[2])
    fitbook.delete_run(three[0])
    client = fitbook.Client()
    assert [info.run_id for info in client.list_run_infos("0", run_view_type=2)] == three[:1]
    page = client.list_run_infos("0", max_results=1)
    assert [info.run_id for info in client.list_run_infos("0", page_token=page.token)] == [three[1]]


def test_runs_of_which_each_has_columns_of_its_own() -> None:
    for n in range(3):
        with fitbook.start_run(run_name=str(n)):
            fitbook.log_metric(f"m{n}", n)
            fitbook.set_tag(f"t{n}", "x")
    frame = fitbook.search_runs(order_by=["run_name ASC"])  # they may start within one millisecond
    metrics = frame[["metrics.m0", "metrics.m1", "metrics.m2"]].to_numpy()
    assert np.array_equal(np.nan_to_num(metrics, nan=-1), [[0, -1, -1], [-1, 1, -1], [-1, -1, 2]])
    assert frame["tags.t1"].isna().tolist() == [True, False, True]
