from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

import fitbook
from fitbook.errors import WrongState
from fitbook.tracking import _active

T = TypeVar("T")


def _in_thread(work: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_runs_nest_and_come_off_in_turn() -> None:
    assert fitbook.active_run() is None
    with fitbook.start_run() as outer:
        assert fitbook.active_run() is outer
        with fitbook.start_run(nested=True) as inner:
            assert fitbook.active_run() is inner
            with fitbook.start_run(nested=True) as innermost:
                assert fitbook.active_run() is innermost
        assert fitbook.active_run() is outer
    assert fitbook.active_run() is None


def test_a_second_run_must_be_asked_for() -> None:
    with fitbook.start_run() as run:
        with pytest.raises(WrongState, match=f"{run.run_id} is active already.*end_run.*nested=True"):
            fitbook.start_run()
        assert fitbook.active_run() is run
    with fitbook.start_run():
        pass


def test_every_thread_has_a_stack_of_its_own() -> None:
    with fitbook.start_run() as mine:
        assert _in_thread(fitbook.active_run) is None
        barrier = threading.Barrier(4)

        def work(_: int) -> tuple[str, bool]:
            with fitbook.start_run() as run:
                barrier.wait()
                fitbook.log_param("thread", threading.get_ident())
                return run.run_id, fitbook.active_run() is run

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(work, range(4)))
        assert all(same for _, same in results)
        assert len({run_id for run_id, _ in results}) == 4
        assert fitbook.active_run() is mine
    assert {len(fitbook.get_run(run_id).data.params) for run_id, _ in results} == {1}


def test_every_asyncio_task_has_a_stack_of_its_own() -> None:
    async def task(number: int) -> str:
        with fitbook.start_run(nested=True) as run:
            for step in range(3):
                await asyncio.sleep(0)
                fitbook.log_metric("number", number, step=step)
            assert fitbook.active_run() is run
            return run.run_id

    async def main() -> list[str]:
        return await asyncio.gather(*(task(n) for n in range(5)))

    with fitbook.start_run() as parent:
        run_ids = asyncio.run(main())
        assert fitbook.active_run() is parent
    for number, run_id in enumerate(run_ids):
        run = fitbook.get_run(run_id)
        assert run.data.metrics == {"number": float(number)}
        assert run.data.tags["mlflow.parentRunId"] == parent.run_id
        assert len(fitbook.Client().get_metric_history(run_id, "number")) == 3
    assert fitbook.get_run(parent.run_id).data.metrics == {}


def test_a_context_that_is_handed_on_brings_its_run_along() -> None:
    with fitbook.start_run() as run:
        context = contextvars.copy_context()
        assert _in_thread(lambda: context.run(fitbook.active_run)) is run


def test_an_outer_run_that_ends_first_leaves_the_inner_one() -> None:
    with fitbook.start_run() as outer:
        inner = fitbook.start_run(nested=True)
    assert fitbook.active_run() is inner
    assert (outer.info.status, inner.info.status) == ("FINISHED", "RUNNING")
    fitbook.end_run()
    assert fitbook.active_run() is None
    assert inner.info.status == "FINISHED"


def test_a_run_that_was_ended_by_hand_is_not_ended_again() -> None:
    with fitbook.start_run() as run:
        fitbook.end_run("KILLED")
        with fitbook.start_run() as other:
            pass
    assert (run.info.status, other.info.status) == ("KILLED", "FINISHED")


def test_the_last_run_of_this_thread_or_else_of_any() -> None:
    assert fitbook.last_active_run() is None
    with fitbook.start_run() as one:
        assert fitbook.last_active_run().info.run_id == one.run_id
    assert fitbook.last_active_run().info.status == "FINISHED"

    def other() -> tuple[str, str]:
        before = fitbook.last_active_run().info.run_id
        with fitbook.start_run():
            pass
        return before, fitbook.last_active_run().info.run_id

    seen, made = _in_thread(other)
    assert seen == one.run_id
    assert made != one.run_id
    assert fitbook.last_active_run().info.run_id == one.run_id


def test_the_last_run_of_another_store_is_none(tmp_path: Path) -> None:
    with fitbook.start_run():
        pass
    fitbook.set_tracking_uri(tmp_path / "other")
    assert fitbook.last_active_run() is None


def test_in_a_notebook_a_run_outlives_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", object())

    async def cell(work: Callable[[], T]) -> T:
        return work()

    run = contextvars.copy_context().run(asyncio.run, cell(fitbook.start_run))
    assert contextvars.copy_context().run(fitbook.active_run) is run
    contextvars.copy_context().run(fitbook.end_run)
    assert fitbook.active_run() is None
    assert run.info.status == "FINISHED"
    _active.set_stack(())


def _script(body: str, uri: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FITBOOK_TRACKING_URI": str(uri)}
    return subprocess.run([sys.executable, "-c", body], env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(2)"])
def test_runs_end_with_the_program(tmp_path: Path, end: str) -> None:
    body = (
        "import fitbook\n"
        "print(fitbook.start_run().run_id, fitbook.start_run(nested=True).run_id)\n"
        f"fitbook.log_metric('m', 1)\n{end}"
    )
    done = _script(body, tmp_path / "x")
    assert done.stderr == ""
    client = fitbook.Client(str(tmp_path / "x"))
    runs = [client.get_run(run_id) for run_id in done.stdout.split()]
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert all(run.info.end_time >= run.info.start_time for run in runs)


def test_a_forked_child_does_not_end_its_parents_run(tmp_path: Path) -> None:
    body = (
        "import fitbook, os, sys\n"
        "run = fitbook.start_run()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    fitbook.log_param('child', 1)\n"
        "    print(fitbook.start_run(nested=True).run_id, flush=True)\n"
        "    sys.exit()\n"
        "os.waitpid(pid, 0)\n"
        "print(run.info.status, run.run_id)"
    )
    done = _script(body, tmp_path / "x")
    assert done.stderr == ""
    child, status, parent = done.stdout.split()
    client = fitbook.Client(str(tmp_path / "x"))
    assert status == "RUNNING"
    assert client.get_run(child).info.status == "FINISHED"
    assert client.get_run(parent).info.status == "FINISHED"
    assert client.get_run(parent).data.params == {"child": "1"}
