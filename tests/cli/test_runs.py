from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import pytest
from click.testing import Result

from fitbook.cli._compared import _best
from fitbook.entities import RunDraft, RunStatus
from fitbook.tracking._backend import Backend

Call = Callable[..., Result]
Draft = Callable[..., RunDraft]
FIRST, SECOND = "01" * 16, "02" * 16


def names(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines()[1:] if line.split()[1].startswith("run-")]


# -- list


def test_list_shows_the_newest_first(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, metrics={"acc": 0.5}), draft(2, metrics={"acc": math.nan}), draft(3)])
    lines = fitbook("runs", "list").output.splitlines()
    assert lines[0].split() == ["run", "name", "experiment", "status", "start", "duration", "acc"]
    assert names("\n".join(lines)) == ["run-3", "run-2", "run-1"]
    assert lines[3].split()[:4] == ["01010101", "run-1", "Default", "FINISHED"]
    assert lines[3].split()[-3:] == ["1.5", "s", "0.5"]
    assert [line.split()[-1] for line in lines[1:3]] == ["-", "nan"]


def test_list_of_an_empty_store_says_what_to_do(fitbook: Call, backend: Backend) -> None:
    assert "fitbook.autolog()" in fitbook("runs", "list").output
    assert json.loads(fitbook("runs", "list", "--json").output) == []


def test_list_by_experiment(fitbook: Call, backend: Backend, draft: Draft) -> None:
    other = backend.store.create_experiment("other")
    backend.store.create_runs([draft(1), draft(2, experiment_id=other)])
    assert names(fitbook("runs", "list").output) == ["run-2", "run-1"]
    assert names(fitbook("runs", "list", "--experiment", "other").output) == ["run-2"]
    assert names(fitbook("runs", "list", "-e", other, "-e", "Default", "-e", "other").output) == ["run-2", "run-1"]
    assert "'other'" in fitbook("runs", "list", "-e", "othre", expect=3).stderr


def test_list_filter_order_and_max(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(n, metrics={"a": float(n)}, params={"C": str(n)}) for n in range(6)])
    assert names(fitbook("runs", "list", "--filter", "metrics.a > 3 AND params.C != '5'").output) == ["run-4"]
    output = fitbook("runs", "list", "--order-by", "metrics.a ASC", "--max", "2").output
    assert names(output) == ["run-0", "run-1"]
    assert "first 2; --max" in output
    assert "No run fits" in fitbook("runs", "list", "--filter", "metrics.a > 100").output


def test_list_shows_the_most_common_or_chosen_metrics(fitbook: Call, backend: Backend, draft: Draft) -> None:
    rare = {"rare": 1.0}
    backend.store.create_runs(
        [draft(n, metrics={"a": 1.0, "b": 1.0, "c": 1.0} | (rare if n == 1 else {})) for n in (1, 2)]
    )
    assert fitbook("runs", "list").output.splitlines()[0].split()[6:] == ["a", "b", "c"]
    assert fitbook("runs", "list", "--metrics", "rare, none").output.splitlines()[0].split()[6:] == ["rare", "none"]
    assert fitbook("runs", "list", "--metrics", "").output.splitlines()[0].split()[6:] == []


def test_list_leaves_children_out_unless_asked(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1), draft(2, tags={"mlflow.parentRunId": FIRST}, params={"C": "1"})])
    assert names(fitbook("runs", "list").output) == ["run-1"]
    assert names(fitbook("runs", "list", "--children").output) == ["run-2", "run-1"]
    assert names(fitbook("runs", "list", "--filter", "params.C = '1'").output) == ["run-2"]


def test_list_json_is_whole(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, metrics={"nan": math.nan, "a": 0.1 + 0.2}, params={"p": "模" * 300})])
    (found,) = json.loads(fitbook("runs", "list", "--json").output)
    assert (found["run_id"], found["run_name"], found["experiment"]) == (FIRST, "run-1", "Default")
    assert found["metrics"] == {"nan": "NaN", "a": 0.1 + 0.2}
    assert found["params"] == {"p": "模" * 300}
    assert found["end_time"] - found["start_time"] == 1500


def test_names_cannot_control_the_terminal(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, params={"p": "\x1b[2Jgone\nnext"})])
    output = fitbook("runs", "show", "01").output
    assert "\x1b" not in output
    assert "\\x1b[2Jgone\\nnext" in output


def test_list_knows_every_experiment_of_many(fitbook: Call, backend: Backend, draft: Draft) -> None:
    with backend.store.database.write() as connection:  # type: ignore[attr-defined]
        row = "INSERT INTO experiments (id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)"
        connection.exec_driver_sql(f"{row} VALUES (?, ?, '', 'active', 1, 1)", [(n, f"e{n}") for n in range(1, 1500)])
    backend.store.create_runs([draft(1), draft(2, experiment_id="1499")])
    assert names(fitbook("runs", "list").output) == ["run-2", "run-1"]
    assert names(fitbook("runs", "list", "-e", "e1499").output) == ["run-2"]


# -- show


def test_show_tells_everything(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs(
        [draft(1, metrics={"acc": 0.5}, params={"C": "1.0"}, tags={"team": "blue", "mlflow.source.name": "train.py"})]
    )
    backend.artifacts(FIRST).put("model/MLmodel", b"x" * 1234)
    backend.artifacts(FIRST).put("z.png", b"x")
    backend.registry.create_registered_model("churn")
    backend.registry.create_model_version("churn", "s", FIRST)
    backend.registry.set_registered_model_alias("churn", "champion", 1)
    backend.store.create_runs([draft(2, tags={"mlflow.parentRunId": FIRST}, metrics={"acc": 0.25})])
    output = fitbook("runs", "show", "0101").output
    lines = [line.split() for line in output.splitlines()]
    for expected in (
        ["run", FIRST],
        ["experiment", "Default", "(id", "0)"],
        ["duration", "1.5", "s"],
        ["source", "train.py"],
        ["registered", "churn/1", "champion"],
        ["C", "1.0"],
        ["acc", "0.5"],
        ["team", "blue"],
        ["model/MLmodel", "1.2", "kB"],
        ["z.png", "1", "B"],
        ["Child", "runs", "(1)"],
    ):
        assert expected in lines
    assert lines[-1][:2] == ["02020202", "run-2"]


def test_show_json(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1), draft(2, tags={"mlflow.parentRunId": FIRST})])
    backend.artifacts(FIRST).put("a/b.txt", b"xyz")
    found = json.loads(fitbook("runs", "show", "01", "--json").output)
    assert found["artifacts"] == [{"path": "a/b.txt", "size": 3}]
    assert (found["children"], found["registered"]) == ([SECOND], [])


def test_show_of_many_children_says_how_to_see_all(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1), *(draft(n, tags={"mlflow.parentRunId": FIRST}) for n in range(10, 40))])
    output = fitbook("runs", "show", "01").output
    assert "Child runs (30)" in output
    advice = output.splitlines()[-1]
    assert advice.startswith("All of them: fitbook runs list --filter")
    text = advice.split('"')[1]
    assert len(names(fitbook("runs", "list", "--filter", text, "--max", "30").output)) == 30


def test_an_id_may_be_any_unique_beginning(fitbook: Call, backend: Backend, draft: Draft) -> None:
    first, second = "ab" * 16, "ab" * 15 + "cc"
    backend.store.create_runs([draft(1, run_id=first), draft(2, run_id=second)])
    assert "run-2" in fitbook("runs", "show", second[:31]).output
    assert "run-1" in fitbook("runs", "show", first).output
    assert "Several runs begin with 'ab'" in fitbook("runs", "show", "ab", expect=2).stderr
    assert fitbook("runs", "show", "", expect=3).stdout == ""


def test_an_unknown_run_is_named_with_the_closest(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1), draft(2)])
    assert "Did you mean '01010101'" in fitbook("runs", "show", "01010111", expect=3).stderr


# -- compare


def test_compare_shows_what_differs(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs(
        [
            draft(1, params={"C": "1", "same": "x"}, metrics={"acc": 0.9, "log_loss": 0.3, "only": 1.0}),
            draft(2, params={"C": "2", "same": "x", "new": "y"}, metrics={"acc": 0.8, "log_loss": 0.2}),
        ]
    )
    output = fitbook("runs", "compare", "01", "02").output
    lines = [line.split() for line in output.splitlines()]
    assert ["C", "1", "2"] in lines
    assert ["new", "-", "y"] in lines
    assert "same" not in output
    assert ["acc", "0.9", "*", "0.8"] in lines
    assert ["log_loss", "0.3", "0.2", "*"] in lines
    assert ["only", "1", "-"] in lines
    assert ["same", "x", "x"] in [
        line.split() for line in fitbook("runs", "compare", "01", "02", "--all").output.splitlines()
    ]


def test_compare_json(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, params={"C": "1"}, metrics={"acc": 0.9}), draft(2, metrics={"acc": math.inf})])
    found = json.loads(fitbook("runs", "compare", "01", "02", "--json").output)
    assert found["runs"] == [FIRST, SECOND]
    assert found["params"] == {"C": {FIRST: "1", SECOND: None}}
    assert found["metrics"] == {"acc": {FIRST: 0.9, SECOND: "Infinity"}}
    assert found["best"] == {"acc": [SECOND]}


def test_compare_of_equal_and_empty_runs(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1), draft(2)])
    output = fitbook("runs", "compare", "01", "02").output
    assert "Params that differ: none" in output
    assert "Metrics: none" in output


def test_compare_takes_two(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1)])
    assert "two runs" in fitbook("runs", "compare", "01", "0101", expect=2).stderr
    fitbook("runs", "compare", expect=2)


def test_a_running_run_has_no_duration(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, end_time=None, status=RunStatus.RUNNING)])
    line = fitbook("runs", "list").output.splitlines()[1].split()
    assert (line[3], line[-1]) == ("RUNNING", "-")


def test_a_run_whose_process_died_shows_why(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1, end_time=None, status=RunStatus.RUNNING, lease_seconds=0.001)])
    time.sleep(0.02)
    assert fitbook("runs", "list").output.splitlines()[1].split()[3] == "FAILED"
    shown = fitbook("runs", "show", "01").output
    assert "status      FAILED" in shown
    assert "why         The process of the user 'ada' did not renew" in shown


@pytest.mark.parametrize(
    ("key", "values", "best"),
    [
        ("accuracy", [0.1, 0.9, 0.9], [1, 2]),
        ("training_mean_squared_error", [3.0, 1.0], [1]),
        ("val/log-loss", [3.0, 1.0], [1]),
        ("mean_fit_time", [3.0, 1.0], [1]),
        ("neg_log_loss", [-3.0, -1.0], [1]),
        ("lossless", [3.0, 1.0], [0]),
        ("a", [1.0, 1.0], []),
        ("a", [1.0, None], []),
        ("a", [math.nan, 1.0, 2.0], [2]),
        ("a", [math.nan, 1.0], []),
        ("a", [-math.inf, math.inf], [1]),
    ],
)
def test_best(key: str, values: list[float | None], best: list[int]) -> None:
    assert _best(key, values) == best
