"""What every store must do with runs that are written bit by bit; a part of the store contract's tests."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fitbook.entities import Metric, RunStatus
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.store import Store
from fitbook.testing.drafts import START, begin, draft, names_of

POINT = Metric("split0_test_score", 0.5, START)


class CompletingSuite:
    """Subclass it with a fixture ``store``, as `StoreSuite`."""

    def test_what_is_not_there_is_made_and_the_rest_completed(self, store: Store) -> None:
        there = draft(1, params={"a": "1"}, metrics=[POINT], tags={"t": "old"}, lease_seconds=60)
        store.create_runs([there])
        store.write_runs(
            [
                draft(
                    1,
                    run_id=there.run_id,
                    run_name="best",
                    params={"a": "1", "b": "2"},
                    metrics=[POINT, Metric("mean", math.nan, START)],
                    tags={"t": "new", "u": "1"},
                    status=RunStatus.FINISHED,
                    end_time=START + 9,
                ),
                draft(2, params={"a": "2"}, metrics=[POINT]),
            ]
        )
        assert names_of(store.search_runs(["0"])) == ["run-2", "best"]
        run = store.get_run(there.run_id)
        assert (run.info.status, run.info.end_time, run.info.start_time) == ("FINISHED", START + 9, START + 1000)
        assert dict(run.data.params) == {"a": "1", "b": "2"}
        assert dict(run.data.tags) == {"t": "new", "u": "1", "mlflow.runName": "best"}
        assert set(run.data.metrics) == {"split0_test_score", "mean"}

    def test_writing_twice_changes_nothing(self, store: Store) -> None:
        made = [
            draft(n, params={"n": str(n)}, metrics=[POINT, Metric("nan", math.nan, START), Metric("zero", -0.0, START)])
            for n in range(1200)
        ]
        store.write_runs(made)
        store.write_runs(made)
        assert len(store.search_runs(["0"], max_results=5000)) == 1200
        for key in ("split0_test_score", "nan", "zero"):
            assert len(store.get_metric_history(made[7].run_id, key)) == 1
        store.write_runs([])

    def test_another_value_is_another_point(self, store: Store) -> None:
        run_id = begin(store, metrics=[POINT])
        store.write_runs([draft(run_id=run_id, metrics=[Metric(POINT.key, 0.25, START)])])
        assert [point.value for point in store.get_metric_history(run_id, POINT.key)] == [0.5, 0.25]
        summary = store.get_metric_summaries(run_id)[POINT.key]
        assert (summary.latest.value, summary.min, summary.max) == (0.25, 0.25, 0.5)

    def test_a_run_that_goes_on_has_its_draft_s_lease(self, store: Store) -> None:
        made = draft(1, lease_seconds=60)
        store.write_runs([made])
        assert store.renew_leases([made.run_id], 60) == [made.run_id]
        made.lease_seconds = 1e-3
        store.write_runs([made])
        while store.get_run(made.run_id).info.status == RunStatus.RUNNING:
            pass
        assert store.get_run(made.run_id).data.tags["fitbook.end_reason"]

    def test_parameters_stay_and_deleted_runs_stay_as_they_are(self, store: Store) -> None:
        run_id, gone = begin(store, params={"a": "1"}), begin(store, 2)
        store.delete_run(gone)
        store.write_runs([draft(run_id=run_id, params={"a": "2"}), draft(2, run_id=gone, params={"a": "2"})])
        assert dict(store.get_run(run_id).data.params) == {"a": "1"}
        run = store.get_run(gone)
        assert (run.info.lifecycle_stage, dict(run.data.params)) == ("deleted", {})

    @pytest.mark.parametrize(
        "wrong", [{"params": {"a*": "1"}}, {"status": "DONE"}, {"metrics": [Metric("", 1, START)]}]
    )
    def test_one_bad_run_of_many_changes_none(self, store: Store, wrong: dict[str, Any]) -> None:
        run_id = begin(store)
        with pytest.raises(InvalidValue):
            store.write_runs([draft(3), draft(run_id=run_id, **wrong)])
        assert names_of(store.search_runs(["0"])) == ["run-1"]

    def test_a_run_is_written_once_in_a_call(self, store: Store) -> None:
        made = draft(1)
        with pytest.raises(InvalidValue, match="twice"):
            store.write_runs([made, made])

    def test_a_deleted_experiment_takes_no_runs(self, store: Store) -> None:
        experiment_id = store.create_experiment("gone")
        store.delete_experiment(experiment_id)
        with pytest.raises(WrongState):
            store.write_runs([draft(1, experiment_id=experiment_id)])
        with pytest.raises(NotFound):
            store.write_runs([draft(1, experiment_id="99")])

    def test_of_many_tags_those_that_are_there_go(self, store: Store) -> None:
        run_id = begin(store, tags={"a": "1", "b": "2", "mlflow.parentRunId": "c" * 32})
        store.delete_tags(run_id, ["a", "x", "mlflow.parentRunId"])
        assert dict(store.get_run(run_id).data.tags) == {"b": "2", "mlflow.runName": "run-1"}
        store.delete_tags(run_id, [])
        with pytest.raises(NotFound):
            store.delete_tags("f" * 32, ["a"])
