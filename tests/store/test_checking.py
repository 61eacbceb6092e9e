from __future__ import annotations

import pytest

from fitbook.store import SqlStore, open_store
from fitbook.store._checking import problems
from fitbook.testing.store_suite import begin


@pytest.fixture
def store() -> SqlStore:
    return open_store("sqlite://")


def test_a_name_whose_tag_was_deleted_is_no_problem(store: SqlStore) -> None:
    run_id = begin(store)
    store.delete_tag(run_id, "mlflow.runName")
    assert problems(store.database) == []
    store.log_batch(run_id, tags={"mlflow.runName": "named"})
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET name = 'other'")
    assert [problem.example for problem in problems(store.database)] == [run_id]
