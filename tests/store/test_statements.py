"""How many statements and transactions each verb takes: `BEGIN` and `COMMIT` not counted, many rows of one table as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import fitbook
from fitbook.entities import Dataset, DatasetInput, Metric, RunDraft
from fitbook.testing.store_suite import draft
from fitbook.tracking._active import set_stack
from fitbook.tracking._backend import current
from fitbook.tracking._lease import leases
from fitbook.tracking._run import ActiveRun

MOST = 3


def _outside(**how: Any) -> None:
    set_stack(())
    fitbook.start_run(**how)


# What a verb does, before and counted: every one that writes to a run without files.
VERBS: dict[str, Callable[[ActiveRun], Any]] = {
    "log_param": lambda run: run.log_param("p", 1),
    "log_param of a known one": lambda run: run.log_param("known", 1),
    "log_params": lambda run: run.log_params({f"p{n}": n for n in range(50)}),
    "correct_param": lambda run: run.correct_param("known", 2, "wrong"),
    "log_metric": lambda run: run.log_metric("m", 1),
    "log_metrics": lambda run: run.log_metrics({f"m{n}": n for n in range(50)}),
    "log_batch of metrics": lambda run: run.log_batch([Metric("m", n, n, n) for n in range(1000)]),
    "set_tag": lambda run: run.set_tag("t", 1),
    "set_tag of the name": lambda run: run.set_tag("mlflow.runName", "other"),
    "set_tags": lambda run: run.set_tags({"t": 1, "u": 2, "mlflow.runName": "x", "mlflow.parentRunId": "f" * 32}),
    "delete_tag": lambda run: run.delete_tag("known"),
    "delete_tag of the parent": lambda run: run.delete_tag("mlflow.parentRunId"),
    "end": lambda run: run.end(),
    "end as": lambda run: run.end("KILLED", 5),
    "end_run": lambda run: fitbook.end_run(),
    "start_run": lambda run: _outside(tags={"t": 1}, description="d"),
    "resume": lambda run: _outside(run_id=run.run_id, run_name="again", tags={"t": 1}),
    "update_run": lambda run: fitbook.MlflowClient().update_run(run.run_id, "RUNNING", "other"),
    "set_tag_once": lambda run: run.backend.store.set_tag_once(run.run_id, "once", "1"),
    "delete_run": lambda run: fitbook.delete_run(run.run_id),
    "restore_run": lambda run: fitbook.restore_run(run.run_id),
    "info": lambda run: run.info,
    "renewing 500 leases": lambda run: leases.renew(),
}

# One statement for each table that is written to.
MORE: dict[str, tuple[Callable[[ActiveRun], Any], int]] = {
    "log_batch": (lambda run: run.log_batch([Metric("m", 1, 1)], {"p": "1"}, {"t": "1"}), 6),
    "log_batch with a data set": (lambda run: run.log_batch(datasets=[DatasetInput(Dataset("d", "1"))]), 5),
    "create_runs": (lambda run: run.backend.store.create_runs([_full(n) for n in range(100)]), 7),
    "read": (lambda run: run.read(), 6),
    "search_runs": (lambda run: fitbook.MlflowClient().search_runs(["0"], max_results=100), 6),
}


def _full(number: int) -> RunDraft:
    return draft(number, params={"p": "1"}, tags={"t": "1"}, metrics=[Metric("m", 1.0, 1)], lease_seconds=60)


@pytest.fixture
def run() -> ActiveRun:
    run = fitbook.start_run(tags={"known": 1, "mlflow.parentRunId": "e" * 32})
    run.log_param("known", 1)
    drafts = [_full(n) for n in range(499)]
    run.backend.store.create_runs(drafts)
    for each in drafts:
        leases._hold(run.backend.store, each.run_id, 60.0)
    return run


@pytest.fixture
def counted(run: ActiveRun) -> Iterator[Callable[[Callable[[], Any]], tuple[int, list[str]]]]:
    """Do something, and give the number of its transactions and all its statements."""
    said: list[str] = []
    engine = current().store.database.engine  # type: ignore[attr-defined]

    def listen(connection: Any, record: Any, proxy: Any) -> None:
        connection.set_trace_callback(said.append)

    def count(work: Callable[[], Any]) -> tuple[int, list[str]]:
        said.clear()
        work()
        transactions = sum(statement.startswith("BEGIN") for statement in said)
        found: list[str] = []
        for statement in said:
            words = statement.split()
            shown = " ".join(words[:3]) if words[0] == "INSERT" else statement
            if words[0] not in ("BEGIN", "COMMIT", "PRAGMA") and not (words[0] == "INSERT" and found[-1:] == [shown]):
                found.append(shown)
        return transactions, found

    sa.event.listen(engine, "checkout", listen)
    yield count
    sa.event.remove(engine, "checkout", listen)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_at_most_three_statements_in_one_transaction(run: ActiveRun, counted: Any, verb: str) -> None:
    for _ in range(2):
        transactions, statements = counted(lambda: VERBS[verb](run))
        assert transactions == 1
        assert 1 <= len(statements) <= MOST, statements
        if verb.startswith(("delete_", "end_run")):
            break  # what is gone can't go again


@pytest.mark.parametrize("verb", MORE)
def test_what_concerns_several_tables_takes_one_for_each(run: ActiveRun, counted: Any, verb: str) -> None:
    work, most = MORE[verb]
    transactions, statements = counted(lambda: work(run))
    assert transactions == 1
    assert len(statements) <= most, statements


def test_a_child_takes_one_more_transaction_to_look_at_its_parent(run: ActiveRun, counted: Any) -> None:
    transactions, statements = counted(lambda: fitbook.start_run(nested=True))
    assert (transactions, len(statements)) == (2, 5), statements


def test_a_run_given_up_takes_one_more_to_forget_why(run: ActiveRun, counted: Any) -> None:
    store = run.backend.store
    with store.database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE runs SET lease_until = 1 WHERE run_id = ?", (run.run_id,))
    assert store.end_dead_runs() == [run.run_id]
    transactions, statements = counted(run.end)
    assert (transactions, len(statements)) == (1, 3), statements
