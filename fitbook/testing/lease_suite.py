"""What a store promises about the leases of runs, as tests: subclass `LeaseSuite` like `StoreSuite`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fitbook.entities import Run, RunStatus, ViewType
from fitbook.errors import InvalidValue, NotFound
from fitbook.store import DEFAULT_EXPERIMENT_ID, Store
from fitbook.testing.store_suite import START, UNKNOWN, begin, draft

REASON = "fitbook.end_reason"
SHORT = 0.001
LONG = 1000.0
BAD_SECONDS: list[Any] = [0, -1.0, float("nan"), float("inf"), 1e300, "60", None, True]


def dead(store: Store, number: int = 1, **more: Any) -> str:
    """Begin a run whose lease has run out when this returns."""
    run_id = begin(store, number, lease_seconds=SHORT, **more)
    run_out()
    return run_id


def run_out() -> None:
    """Wait until every short lease has run out."""
    time.sleep(20 * SHORT)


def _statuses(store: Store, *run_ids: str) -> list[str]:
    return [store.get_run_info(run_id).status for run_id in run_ids]


class LeaseSuite:
    """``store`` is new at the start of each test."""

    def _is_given_up(self, run: Run) -> bool:
        ended = run.info.end_time is not None and run.info.end_time > START
        return run.info.status == RunStatus.FAILED and ended and REASON in run.data.tags

    # -- the end

    @pytest.mark.parametrize("read", ["get_run", "get_run_info", "search_runs"])
    def test_a_dead_run_has_failed_for_every_reader(self, store: Store, read: str) -> None:
        run_id = dead(store)
        reads: dict[str, Callable[[], str]] = {
            "get_run": lambda: store.get_run(run_id).info.status,
            "get_run_info": lambda: store.get_run_info(run_id).status,
            "search_runs": lambda: store.search_runs([DEFAULT_EXPERIMENT_ID])[0].info.status,
        }
        assert reads[read]() == RunStatus.FAILED
        assert self._is_given_up(store.get_run(run_id))

    def test_searches_by_status_find_it_where_it_belongs(self, store: Store) -> None:
        run_id, alive = dead(store), begin(store, 2, lease_seconds=LONG)

        def found(status: str) -> list[str]:
            return [r.info.run_id for r in store.search_runs(["0"], f"attributes.status = '{status}'")]

        assert (found("RUNNING"), found("FAILED")) == ([alive], [run_id])

    def test_its_end_is_when_its_lease_ran_out(self, store: Store) -> None:
        run_id = dead(store)
        ended = store.get_run(run_id)
        run_out()
        assert store.get_run(run_id) == ended

    def test_the_reason_names_program_and_user(self, store: Store) -> None:
        reason = store.get_run(dead(store, tags={"mlflow.source.name": "train.py"})).data.tags[REASON]
        assert "'train.py'" in reason
        assert "'ada'" in reason
        assert "UTC" in reason
        assert "'ada'" in store.get_run(dead(store)).data.tags[REASON]

    def test_it_keeps_what_it_holds(self, store: Store) -> None:
        run = store.get_run(dead(store, params={"p": "1"}, tags={"t": "2"}))
        assert (dict(run.data.params), run.data.tags["t"], run.info.run_name) == ({"p": "1"}, "2", "run-1")

    def test_a_deleted_run_dies_too(self, store: Store) -> None:
        run_id = dead(store)
        store.delete_run(run_id)
        assert store.end_dead_runs() == [run_id]
        assert store.search_runs(["0"], None, ViewType.DELETED_ONLY)[0].info.status == RunStatus.FAILED

    def test_ending_the_dead_tells_which_and_only_once(self, store: Store) -> None:
        run_ids = [dead(store, n) for n in range(3)]
        begin(store, 4, lease_seconds=LONG)
        assert sorted(store.end_dead_runs()) == sorted(run_ids)
        assert store.end_dead_runs() == []

    def test_any_number_dies_at_once(self, store: Store) -> None:
        drafts = [draft(n, lease_seconds=SHORT) for n in range(1100)]
        store.create_runs(drafts)
        run_out()
        assert len(store.search_runs(["0"], "attributes.status = 'FAILED'", max_results=2000)) == len(drafts)
        assert len(store.renew_leases([d.run_id for d in drafts], LONG)) == len(drafts)
        assert len(store.search_runs(["0"], "attributes.status = 'RUNNING'", max_results=2000)) == len(drafts)

    # -- who is left alone

    def test_runs_without_a_lease_are_never_ended(self, store: Store) -> None:
        run_id = begin(store)
        run_out()
        assert store.end_dead_runs() == []
        assert _statuses(store, run_id) == [RunStatus.RUNNING]

    @pytest.mark.parametrize("status", [s for s in RunStatus.ALL if s != RunStatus.RUNNING])
    def test_only_running_runs_have_leases(self, store: Store, status: str) -> None:
        written = dead(store, status=status)
        ended = begin(store, 2, lease_seconds=SHORT)
        store.update_run(ended, status=status, end_time=START, lease_seconds=SHORT)
        run_out()
        assert _statuses(store, written, ended) == [status, status]
        assert store.renew_leases([written, ended], LONG) == []
        assert store.get_run(ended).info.end_time == START

    def test_a_live_run_is_left_alone(self, store: Store) -> None:
        run_id = begin(store, lease_seconds=LONG)
        assert store.end_dead_runs() == []
        assert _statuses(store, run_id) == [RunStatus.RUNNING]

    def test_other_changes_leave_the_lease(self, store: Store) -> None:
        run_id = begin(store, lease_seconds=SHORT)
        store.update_run(run_id, run_name="other", tags={"t": "1"})
        run_out()
        run = store.get_run(run_id)
        assert self._is_given_up(run)
        assert (run.info.run_name, run.data.tags["t"]) == ("other", "1")

    # -- renewing

    def test_renewing_keeps_alive(self, store: Store) -> None:
        run_ids = [begin(store, n, lease_seconds=0.2) for n in range(3)]
        assert sorted(store.renew_leases(run_ids, LONG)) == sorted(run_ids)
        time.sleep(0.3)
        assert _statuses(store, *run_ids) == [RunStatus.RUNNING] * 3

    def test_renewing_revives_what_only_its_lease_has_ended(self, store: Store) -> None:
        run_id = dead(store, tags={"t": "1"})
        before = store.get_run(run_id)
        assert self._is_given_up(before)
        assert store.renew_leases([run_id], LONG) == [run_id]
        run = store.get_run(run_id)
        assert (run.info.status, run.info.end_time) == (RunStatus.RUNNING, None)
        assert dict(run.data.tags) == {k: v for k, v in before.data.tags.items() if k != REASON}
        store.update_run(run_id, status=RunStatus.FINISHED, end_time=START)
        assert store.get_run(run_id).info.status == RunStatus.FINISHED

    def test_a_revived_run_can_die_again(self, store: Store) -> None:
        run_id = dead(store)
        store.end_dead_runs()
        store.renew_leases([run_id], SHORT)
        run_out()
        assert self._is_given_up(store.get_run(run_id))

    def test_an_end_that_somebody_wanted_stands(self, store: Store) -> None:
        before, after, finished = (begin(store, n, lease_seconds=SHORT) for n in range(3))
        store.update_run(before, status=RunStatus.FAILED, end_time=START)
        run_out()
        store.end_dead_runs()
        store.update_run(after, status=RunStatus.FAILED, end_time=START)
        store.update_run(finished, status=RunStatus.FINISHED)
        assert store.renew_leases([before, after, finished, UNKNOWN], LONG) == []
        for run_id in (before, after):
            run = store.get_run(run_id)
            assert (run.info.status, run.info.end_time, REASON in run.data.tags) == (RunStatus.FAILED, START, False)
        assert REASON not in store.get_run(finished).data.tags

    def test_those_that_are_left_are_renewed(self, store: Store) -> None:
        ended, alive, given_up = begin(store), begin(store, 2, lease_seconds=LONG), dead(store, 3)
        store.update_run(ended, status=RunStatus.KILLED)
        store.end_dead_runs()
        found = store.renew_leases([ended, alive, given_up, alive], LONG)
        assert sorted(found) == sorted([alive, given_up])
        assert _statuses(store, ended, alive, given_up) == ["KILLED", "RUNNING", "RUNNING"]

    def test_no_lease_becomes_shorter(self, store: Store) -> None:
        run_id = begin(store, lease_seconds=LONG)
        assert store.renew_leases([run_id], SHORT) == [run_id]
        run_out()
        assert _statuses(store, run_id) == [RunStatus.RUNNING]

    def test_nothing_to_renew_is_no_error(self, store: Store) -> None:
        assert store.renew_leases([], LONG) == []

    # -- resuming

    def test_a_resumed_run_has_the_lease_that_it_is_given(self, store: Store) -> None:
        run_id = dead(store)
        assert self._is_given_up(store.get_run(run_id))
        store.update_run(run_id, status=RunStatus.RUNNING, tags={"again": "1"}, lease_seconds=0.3)
        run = store.get_run(run_id)
        assert (run.info.status, run.info.end_time, REASON in run.data.tags) == (RunStatus.RUNNING, None, False)
        time.sleep(0.4)
        assert self._is_given_up(store.get_run(run_id))

    def test_a_finished_run_that_goes_on_has_no_end(self, store: Store) -> None:
        run_id = begin(store, status=RunStatus.FINISHED, end_time=START)
        store.update_run(run_id, status=RunStatus.RUNNING)
        assert store.get_run(run_id).info.end_time is None

    # -- input and races

    @pytest.mark.parametrize("seconds", BAD_SECONDS)
    def test_impossible_leases_are_refused(self, store: Store, seconds: Any) -> None:
        run_id = begin(store, lease_seconds=LONG)
        with pytest.raises(InvalidValue, match="lease"):
            store.renew_leases([run_id], seconds)
        if seconds is not None:
            refused = draft(2, lease_seconds=seconds)
            with pytest.raises(InvalidValue, match="lease"):
                store.create_runs([refused])
            with pytest.raises(NotFound):
                store.get_run(refused.run_id)
            with pytest.raises(InvalidValue, match="lease"):
                store.update_run(run_id, status=RunStatus.RUNNING, run_name="x", lease_seconds=seconds)
            assert store.get_run(run_id).info.run_name == "run-1"

    def test_renewing_and_giving_up_at_once_never_fail(self, store: Store) -> None:
        run_ids = [begin(store, n, lease_seconds=SHORT) for n in range(5)]

        def renew(_: int) -> None:
            assert sorted(store.renew_leases(run_ids, SHORT)) == sorted(run_ids)

        def read(_: int) -> None:
            store.search_runs(["0"])

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, n) for n in range(20) for work in (renew, read)]:
                done.result()
        assert sorted(store.renew_leases(run_ids, LONG)) == sorted(run_ids)
        assert _statuses(store, *run_ids) == [RunStatus.RUNNING] * 5
