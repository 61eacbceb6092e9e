from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook.entities import RunStatus
from fitbook.errors import FitbookError, InvalidValue
from fitbook.tracking._backend import current
from fitbook.tracking._lease import Leases, leases
from fitbook.tracking._run import new_draft
from fitbook.tracking._writer import writer

REASON = "fitbook.end_reason"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_RUN_LEASE", "1")


def wait_for(what: Callable[[], Any]) -> Any:
    """Give what comes true, sooner or later."""
    deadline = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def _status(run_id: str) -> str:
    return current().store.get_run_info(run_id).status


def _lease_of(run_id: str) -> int | None:
    with current().store.database.read() as connection:  # type: ignore[attr-defined]
        found = connection.exec_driver_sql("SELECT lease_until FROM runs WHERE run_id = ?", (run_id,)).scalar()
    return None if found is None else int(found)


def waiting(event: threading.Event) -> Callable[[], None]:
    def job() -> None:
        event.wait(60)

    return job


def _open() -> set[str]:
    return {run_id for runs in leases._held.values() for run_id in runs}


class Program:
    """A process that runs code, until the end of its input lets it go on."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", "import os, sys, time, fitbook\n" + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # One that hangs must not hang the test.
        self._guard = threading.Timer(100, self.process.kill)
        self._guard.start()

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self._guard.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def end(self) -> tuple[int, str, str]:
        """Let it go on, and give exit code and all that it has said."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        # What it says is short, so neither pipe fills while the other is read; and some may have been read already.
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(60), out, err


OPEN = "run = fitbook.start_run()\nprint(run.run_id, flush=True)\n"


@pytest.fixture
def program() -> Iterator[Callable[[str], Program]]:
    started: list[Program] = []

    def start(code: str) -> Program:
        started.append(Program(code))
        return started[-1]

    yield start
    for each in started:
        each.kill()


# -- processes that die, and that don't


@pytest.mark.parametrize("death", ["kill", "os._exit(0)", "os.abort()"])
def test_the_run_of_a_dead_process_fails_for_everybody(program: Callable[[str], Program], death: str) -> None:
    dying = program(OPEN + ("sys.stdin.readline()" if death == "kill" else f"sys.stdin.readline(); {death}"))
    run_id = dying.says()
    assert _status(run_id) == RunStatus.RUNNING
    if death == "kill":
        dying.kill()
    else:
        dying.end()
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)
    run = fitbook.get_run(run_id)
    assert run.info.end_time is not None
    assert run.info.end_time >= run.info.start_time
    assert "did not renew" in run.data.tags[REASON]


def test_a_live_process_keeps_its_runs_without_a_word(program: Callable[[str], Program]) -> None:
    living = program(OPEN + "sys.stdin.readline(); run.__exit__(None, None, None)")
    run_id = living.says()
    first = _lease_of(run_id) or 0
    # Three leases later, and nobody has ever found it dead.
    while (_lease_of(run_id) or 0) < first + 3000:
        assert _status(run_id) == RunStatus.RUNNING
        time.sleep(0.02)
    assert living.end() == (0, "", "")
    run = fitbook.get_run(run_id)
    assert (run.info.status, REASON in run.data.tags) == (RunStatus.FINISHED, False)


def test_a_process_that_was_suspended_revives_its_run(program: Callable[[str], Program]) -> None:
    suspended = program(OPEN + "sys.stdin.readline(); fitbook.end_run()")
    run_id = suspended.says()
    suspended.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)
    suspended.process.send_signal(signal.SIGCONT)
    wait_for(lambda: _status(run_id) == RunStatus.RUNNING)
    assert REASON not in fitbook.get_run(run_id).data.tags
    assert suspended.end() == (0, "", "")
    assert _status(run_id) == RunStatus.FINISHED


def test_so_does_one_whose_interpreter_was_held_up(program: Callable[[str], Program]) -> None:
    code = OPEN + "import ctypes; ctypes.PyDLL(None).sleep(3); print('back', flush=True); sys.stdin.readline()"
    held = program(code)
    run_id = held.says()
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)
    assert held.says() == "back"
    wait_for(lambda: _status(run_id) == RunStatus.RUNNING)
    assert held.end() == (0, "", "")
    assert _status(run_id) == RunStatus.FINISHED


def test_a_run_given_up_can_be_ended_by_its_process_all_the_same(program: Callable[[str], Program]) -> None:
    code = OPEN + "import ctypes; ctypes.PyDLL(None).sleep(3); fitbook.log_metric('m', 1); fitbook.end_run('KILLED')"
    held = program(code)
    run_id = held.says()
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)
    assert held.end() == (0, "", "")
    run = fitbook.get_run(run_id)
    assert (run.info.status, REASON in run.data.tags, run.data.metrics) == (RunStatus.KILLED, False, {"m": 1.0})


def test_an_end_that_another_process_wanted_stands(program: Callable[[str], Program]) -> None:
    code = """
from fitbook.tracking._lease import leases
while leases._held:
    time.sleep(0.01)
print("let go", flush=True)
sys.stdin.readline()
"""
    living = program(OPEN + code)
    run_id = living.says()
    fitbook.MlflowClient().set_terminated(run_id, "KILLED", 5)
    assert living.says() == "let go"
    info = fitbook.get_run(run_id).info
    assert (info.status, info.end_time) == (RunStatus.KILLED, 5)


def test_either_of_two_processes_keeps_a_run_alive(program: Callable[[str], Program]) -> None:
    run_id = fitbook.MlflowClient().create_run("0").info.run_id
    code = f"fitbook.start_run({run_id!r}); print('open', flush=True); sys.stdin.readline()"
    first, second = program(code), program(code)
    assert (first.says(), second.says()) == ("open", "open")
    first.kill()
    until = (_lease_of(run_id) or 0) + 2500
    while (_lease_of(run_id) or 0) < until:
        assert _status(run_id) == RunStatus.RUNNING
        time.sleep(0.02)
    second.kill()
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)


def test_a_fit_that_is_killed_has_failed(program: Callable[[str], Program]) -> None:
    code = """
from sklearn.svm import SVC
def kernel(a, b):
    print(fitbook.last_active_run().info.run_id, flush=True)
    time.sleep(60)
fitbook.autolog()
SVC(kernel=kernel).fit([[0], [1], [2]], [0, 1, 0])
"""
    fitting = program(code)
    run_id = fitting.says()
    until = (_lease_of(run_id) or 0) + 1500
    while (_lease_of(run_id) or 0) < until:
        assert _status(run_id) == RunStatus.RUNNING
        time.sleep(0.02)
    fitting.kill()
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)
    assert REASON in fitbook.get_run(run_id).data.tags


# -- exits


@pytest.mark.parametrize(
    ("code", "exits", "status"),
    [
        ("print('bye')", 0, "FINISHED"),
        ("sys.exit(3)", 3, "FINISHED"),
        ("raise SystemExit", 0, "FINISHED"),
        ("raise ValueError('its own')", 1, "FAILED"),
    ],
)
def test_a_process_that_ends_ends_its_run_and_says_nothing_more(
    program: Callable[[str], Program], code: str, exits: int, status: str
) -> None:
    ending = program(OPEN + code)
    run_id = ending.says()
    exit_code, out, err = ending.end()
    assert (exit_code, out) == (exits, "bye\n" if "bye" in code else "")
    assert err.rstrip().endswith("ValueError: its own") if exits == 1 else not err
    assert _status(run_id) == status


# -- forks


def test_a_forked_process_neither_renews_nor_ends_its_parents_runs(program: Callable[[str], Program]) -> None:
    code = (
        OPEN
        + """
from fitbook.tracking._lease import leases
if os.fork() == 0:
    assert not leases._held and leases._thread is None
    sys.stdout.write("child %d\\n" % os.getpid()); sys.stdout.flush()
    time.sleep(60)
    os._exit(0)
sys.stdin.readline()
"""
    )
    parent = program(code)
    run_id = parent.says()
    child = int(parent.says().split()[1])
    first = _lease_of(run_id) or 0
    wait_for(lambda: (_lease_of(run_id) or 0) > first + 1500)
    assert _status(run_id) == RunStatus.RUNNING
    parent.process.kill()
    try:
        wait_for(lambda: _status(run_id) == RunStatus.FAILED)
        os.kill(child, 0)  # which lives
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_process_that_exits_leaves_its_parents_run_alone(program: Callable[[str], Program]) -> None:
    code = (
        OPEN
        + """
pid = os.fork()
if pid == 0:
    sys.exit(0)
os.waitpid(pid, 0)
print("waited", flush=True)
sys.stdin.readline()
"""
    )
    parent = program(code)
    run_id = parent.says()
    assert parent.says() == "waited"
    assert _status(run_id) == RunStatus.RUNNING
    assert parent.end() == (0, "", "")
    assert _status(run_id) == RunStatus.FINISHED


def test_a_forked_process_keeps_runs_of_its_own(program: Callable[[str], Program]) -> None:
    code = (
        OPEN
        + """
if os.fork() == 0:
    fitbook.start_run(nested=True)
    print(fitbook.active_run().run_id, os.getpid(), flush=True)
    time.sleep(60)
sys.stdin.readline()
"""
    )
    parent = program(code)
    parent.says()
    run_id, pid = parent.says().split()
    first = _lease_of(run_id) or 0
    wait_for(lambda: (_lease_of(run_id) or 0) > first + 1500)
    os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: _status(run_id) == RunStatus.FAILED)


def test_no_thread_of_ours_runs_during_a_fork(program: Callable[[str], Program]) -> None:
    # Python 3.12 warns of forks beside threads. What is registered first is called last.
    code = """
import threading
os.register_at_fork(before=lambda: print(threading.active_count(), flush=True))
run = fitbook.start_run()
print(run.run_id, threading.active_count(), flush=True)
for _ in range(3):
    if os.fork() == 0: os._exit(0)
    os.wait()
print(threading.active_count(), flush=True)
sys.stdin.readline()
"""
    forking = program(code)
    run_id, threads = forking.says().split()
    assert threads == "2"
    assert [forking.says() for _ in range(3)] == ["1"] * 3
    assert forking.says() == "2"
    first = _lease_of(run_id) or 0
    wait_for(lambda: (_lease_of(run_id) or 0) > first)


# -- in this process


def test_runs_are_let_go_of_when_they_have_ended() -> None:
    with fitbook.start_run() as run:
        with fitbook.start_run(nested=True) as child:
            assert _open() == {run.run_id, child.run_id}
        assert _open() == {run.run_id}
    assert _open() == set()
    assert _lease_of(run.run_id) is None


def test_many_threads_keep_their_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(32)

    def work(_: int) -> str:
        with fitbook.start_run() as run:
            together.wait()
            assert len(_open()) == 32
            assert sum(thread.name == "fitbook-leases" for thread in threading.enumerate()) == 1
            first = _lease_of(run.run_id) or 0
            wait_for(lambda: (_lease_of(run.run_id) or 0) > first + 1000)
            together.wait()
        return run.run_id

    with ThreadPoolExecutor(32) as pool:
        run_ids = list(pool.map(work, range(32)))
    assert {_status(run_id) for run_id in run_ids} == {RunStatus.FINISHED}
    assert _open() == set()


def test_the_thread_ends_when_no_run_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_RUN_LEASE", "0.05")
    with fitbook.start_run():
        thread = leases._thread
        assert thread is not None
    thread.join(60)
    assert leases._thread is None
    with fitbook.start_run() as run:
        first = _lease_of(run.run_id) or 0
        wait_for(lambda: (_lease_of(run.run_id) or 0) > first)


def test_a_shorter_lease_is_renewed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_RUN_LEASE", "10000")
    with fitbook.start_run():
        monkeypatch.setenv("FITBOOK_RUN_LEASE", "0.3")
        with fitbook.start_run(nested=True) as run:
            first = _lease_of(run.run_id) or 0
            wait_for(lambda: (_lease_of(run.run_id) or 0) > first + 1000)


def test_an_end_in_the_background_keeps_the_lease_until_it_is_written() -> None:
    go = threading.Event()
    with fitbook.start_run() as run:
        run.soon(waiting(go))
    assert _status(run.run_id) == RunStatus.RUNNING
    assert _open() == {run.run_id}
    first = _lease_of(run.run_id) or 0
    wait_for(lambda: (_lease_of(run.run_id) or 0) > first + 1000)
    go.set()
    writer.flush()
    assert (_status(run.run_id), _open()) == (RunStatus.FINISHED, set())


def test_a_run_is_resumed_after_the_end_that_is_still_to_be_written() -> None:
    go = threading.Event()
    with fitbook.start_run() as run:
        run.soon(waiting(go))
    threading.Timer(0.1, go.set).start()
    with fitbook.start_run(run.run_id):
        writer.flush()
        assert (_status(run.run_id), _open()) == (RunStatus.RUNNING, {run.run_id})


def test_a_run_that_could_not_begin_or_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FitbookError):
        fitbook.start_run(experiment_id="99")
    with pytest.raises(FitbookError):
        fitbook.start_run("f" * 32)
    assert _open() == set()
    run = fitbook.start_run()
    fitbook.delete_run(run.run_id)
    with pytest.raises(FitbookError, match="deleted"):
        fitbook.end_run()
    assert _open() == set()


def test_a_resume_while_leases_are_renewed_is_not_forgotten() -> None:
    store, own = current().store, Leases()
    draft = new_draft("0")
    own.begin(store, draft)
    store.update_run(draft.run_id, status=RunStatus.FINISHED)

    class Slow:
        def renew_leases(self, run_ids: list[str], seconds: float) -> list[str]:
            own._held[slow] = {draft.run_id: object()}  # resumed by another thread meanwhile
            return []

    slow: Any = Slow()
    own._held = {slow: {draft.run_id: object()}}
    own.renew()
    assert own._held[slow].keys() == {draft.run_id}
    own.forget()


def test_a_store_that_fails_costs_neither_the_thread_nor_other_stores(tmp_path: Path) -> None:
    class Broken:
        def renew_leases(self, run_ids: list[str], seconds: float) -> list[str]:
            raise RuntimeError("gone")

    broken: Any = Broken()
    leases._hold(broken, "x", 1.0)
    with fitbook.start_run() as run:
        first = _lease_of(run.run_id) or 0
        wait_for(lambda: (_lease_of(run.run_id) or 0) > first + 1000)
    assert _open() == {"x"}


# -- runs without a process


def test_a_run_of_the_client_has_a_long_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    client = fitbook.MlflowClient()
    run_id = client.create_run("0").info.run_id
    week = 7 * 86400_000
    assert abs((_lease_of(run_id) or 0) - time.time() * 1000 - week) < 600_000
    assert _open() == set()
    client.set_terminated(run_id)
    assert _lease_of(run_id) is None
    client.update_run(run_id, status="RUNNING")
    assert (_lease_of(run_id) or 0) > time.time() * 1000 + week - 600_000
    monkeypatch.setenv("FITBOOK_UNATTENDED_RUN_LEASE", "0.01")
    forgotten = client.create_run("0").info.run_id
    wait_for(lambda: _status(forgotten) == RunStatus.FAILED)


def test_taking_a_run_of_the_client_on_gives_it_a_process() -> None:
    run_id = fitbook.MlflowClient().create_run("0").info.run_id
    with fitbook.start_run(run_id):
        assert _open() == {run_id}
        assert (_lease_of(run_id) or 0) < time.time() * 1000 + 60_000
    assert _lease_of(run_id) is None


def test_a_run_ended_as_running_is_handed_on() -> None:
    run = fitbook.start_run()
    fitbook.end_run("RUNNING")
    assert _open() == set()
    assert (_lease_of(run.run_id) or 0) > time.time() * 1000 + 86400_000


@pytest.mark.parametrize("setting", ["FITBOOK_RUN_LEASE", "FITBOOK_UNATTENDED_RUN_LEASE"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_impossible_settings_are_named(monkeypatch: pytest.MonkeyPatch, setting: str, value: str) -> None:
    monkeypatch.setenv(setting, value)
    begin = fitbook.start_run if setting == "FITBOOK_RUN_LEASE" else lambda: fitbook.MlflowClient().create_run("0")
    with pytest.raises(InvalidValue, match=f"{setting}.*above 0"):
        begin()
