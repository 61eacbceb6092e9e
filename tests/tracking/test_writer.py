from __future__ import annotations

import atexit
import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fitbook.tracking import _writer
from fitbook.tracking._writer import Writer


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.flush()
    atexit.unregister(writer._at_exit)


@pytest.fixture
def held(writer: Writer) -> Iterator[threading.Event]:
    """Keep the writer's thread in a job until the event is set."""
    begun, release = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        release.wait(20)

    writer.soon(job)
    assert begun.wait(20)
    yield release
    release.set()


def _quietly(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# -- order and waiting -----------------------------------------------------------------------------------------------


def test_jobs_run_in_the_order_in_which_they_were_put(writer: Writer) -> None:
    done: list[int] = []
    for n in range(500):
        writer.soon(lambda n=n: done.append(n))
    assert writer.flush()
    assert done == list(range(500))


def test_jobs_run_on_another_thread(writer: Writer) -> None:
    threads: list[threading.Thread] = []
    writer.soon(lambda: threads.append(threading.current_thread()))
    writer.flush()
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon


def test_later_comes_after_soon(writer: Writer, held: threading.Event) -> None:
    done: list[str] = []
    writer.later(lambda: done.append("later 1"))
    writer.soon(lambda: done.append("soon"))
    writer.later(lambda: done.append("later 2"))
    held.set()
    writer.flush()
    assert done == ["soon", "later 1", "later 2"]


def test_later_waits_for_the_end_of_fits_but_not_of_who_waits(writer: Writer) -> None:
    ran = threading.Event()
    writer.fit_begins()
    writer.later(ran.set)
    assert not ran.wait(4 * _writer.QUIET_SECONDS)
    writer.fit_ends()
    assert ran.wait(20)
    ran.clear()
    writer.fit_begins()
    writer.later(ran.set)
    writer.flush()
    assert ran.is_set()
    writer.fit_ends()


def test_flush_waits_for_a_job_that_is_being_done(writer: Writer, held: threading.Event) -> None:
    assert not writer.flush(0.05)
    flushed = threading.Event()

    def wait() -> None:
        writer.flush()
        flushed.set()

    waiting = _quietly(wait)
    assert not flushed.wait(0.1)
    held.set()
    assert flushed.wait(20)
    waiting.join()
    assert writer.flush(0.0)


def test_a_job_may_read_what_flushes_first(writer: Writer) -> None:
    answers: list[bool] = []
    writer.soon(lambda: answers.append(writer.flush()))
    assert writer.flush(20)
    assert answers == [True]


def test_a_job_may_put_jobs(writer: Writer) -> None:
    done: list[int] = []

    def put(depth: int) -> None:
        done.append(depth)
        if depth < 5:
            writer.soon(lambda: put(depth + 1))
            writer.later(lambda: done.append(100 + depth))

    writer.soon(lambda: put(0))
    assert writer.flush(20)
    assert done == [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104]


def test_threads_may_put_jobs_at_once(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_writer, "MAX_JOBS", 20)
    done: list[tuple[int, int]] = []

    def put(thread: int) -> None:
        for n in range(100):
            writer.soon(lambda n=n: done.append((thread, n)))

    threads = [_quietly(lambda t=t: put(t)) for t in range(8)]
    for thread in threads:
        thread.join()
    writer.flush()
    assert sorted(done) == [(t, n) for t in range(8) for n in range(100)]
    for t in range(8):
        assert [n for thread, n in done if thread == t] == list(range(100))


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_who_puts_too_many_jobs_waits_and_helps(
    writer: Writer, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_writer, "MAX_JOBS", 5)
    done: list[int] = []
    most: list[int] = []

    def put() -> None:
        for n in range(30):
            writer.soon(lambda n=n: done.append(n))
            most.append(writer._unfinished)

    thread = _quietly(put)
    thread.join(0.2)
    assert thread.is_alive()
    assert writer._unfinished == 5
    held.set()
    thread.join()
    writer.flush()
    assert done == list(range(30))
    assert max(most) <= 5


def test_bytes_are_bounded(writer: Writer, held: threading.Event) -> None:
    writer._limit = 100
    held_bytes: list[int] = []
    thread = _quietly(lambda: [writer.soon(lambda: held_bytes.append(writer._bytes), 30) for _ in range(20)] and None)
    thread.join(0.2)
    assert thread.is_alive()
    assert writer._bytes == 90
    held.set()
    thread.join()
    writer.flush()
    assert len(held_bytes) == 20
    assert max(held_bytes) <= 100
    assert writer._bytes == 0


def test_who_brings_no_bytes_does_not_wait_for_those_of_others(writer: Writer, held: threading.Event) -> None:
    writer._limit = 100
    writer.soon(lambda: None, 1000)
    thread = _quietly(lambda: writer.soon(lambda: None))
    thread.join(20)
    assert not thread.is_alive()
    held.set()
    assert writer.flush(20)


def test_a_job_larger_than_the_limit_is_done_too(writer: Writer) -> None:
    writer._limit = 100
    done: list[int] = []
    for n in range(3):
        writer.soon(lambda n=n: done.append(n), 1000)
    assert writer.flush(20)
    assert done == [0, 1, 2]


def test_a_job_that_puts_more_than_there_is_room_for_does_not_wait_for_itself(writer: Writer) -> None:
    writer._limit = 100
    done: list[str] = []

    def outer() -> None:
        writer.soon(lambda: done.append("first"), 90)
        writer.soon(lambda: done.append("second"), 90)
        done.append(f"outer {writer.flush(20)}")

    writer.soon(outer, 90)
    assert writer.flush(20)
    assert sorted(done) == ["first", "outer True", "second"]
    assert (writer._unfinished, writer._bytes) == (0, 0)


def test_who_helps_does_not_overtake_the_job_at_hand(writer: Writer, held: threading.Event) -> None:
    writer._limit = 100
    done: list[str] = []
    writer.later(lambda: done.append("end of run"), 60)
    helping = _quietly(lambda: writer.soon(lambda: done.append("next"), 60))
    helping.join(0.2)
    # The held job still runs: nothing may be done beside it.
    assert done == []
    held.set()
    helping.join()
    writer.flush()
    assert sorted(done) == ["end of run", "next"]


# -- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.swallows
@pytest.mark.parametrize("error", [ValueError("oops"), MemoryError(), SystemExit(3), KeyboardInterrupt()])
def test_a_failing_job_is_logged_and_the_next_one_runs(
    writer: Writer, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    done: list[int] = []

    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "fitbook"):
        writer.soon(fail, 10)
        writer.soon(lambda: done.append(1), 10)
        assert writer.flush(20)
    assert done == [1]
    assert (writer._unfinished, writer._bytes) == (0, 0)
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


@pytest.mark.swallows
def test_an_interrupt_of_who_helps_is_not_swallowed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "_start", lambda: None)  # no thread: whoever waits does the work
    writer.soon(interrupted)
    writer.soon(lambda: None)
    with pytest.raises(KeyboardInterrupt):
        writer.flush()
    assert writer._unfinished == 1
    assert writer.flush()


def test_without_a_thread_who_waits_does_the_work(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    threads: list[threading.Thread] = []
    writer.soon(lambda: threads.append(threading.current_thread()))
    writer.later(lambda: threads.append(threading.current_thread()))
    assert writer.flush()
    assert threads == [threading.current_thread()] * 2


def test_what_a_job_holds_is_let_go(writer: Writer) -> None:
    import gc
    import weakref

    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)
    writer.soon(lambda big=big: None)
    del big
    writer.flush()
    writer.soon(lambda: None)
    writer.flush()
    gc.collect()
    assert gone() is None


# -- exit and fork ---------------------------------------------------------------------------------------------------


def test_the_end_waits_once(writer: Writer, held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_EXIT_TIMEOUT", "0.01")
    writer._finish_early()
    monkeypatch.setenv("FITBOOK_EXIT_TIMEOUT", "1000")
    assert not writer.finish()


def test_a_fork_waits_for_the_job_that_is_under_way_and_no_other_begins(writer: Writer) -> None:
    began, done = threading.Event(), []

    def job() -> None:
        began.set()
        with writer._changed:
            writer._changed.wait_for(lambda: writer._forks)
        done.append("under way")

    writer.soon(job)
    writer.soon(lambda: done.append("next"))
    assert began.wait(20)
    writer._pause()  # what a fork begins with
    try:
        assert done == ["under way"]
        assert not writer._alive()
    finally:
        writer._go_on()
    assert writer.flush(20)
    assert done == ["under way", "next"]


def _script(body: str, *args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", textwrap.dedent(body), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "raise ValueError('the user\\'s')"])
def test_the_interpreter_waits_for_everything(end: str) -> None:
    done = _script(
        f"""
        import sys, time
        from fitbook.tracking._writer import writer
        writer.fit_begins()
        for n in range(5):
            writer.soon(lambda n=n: (time.sleep(0.02), print("soon", n)))
        writer.later(lambda: print("later"))
        {end}
        """
    )
    assert done.stdout.split("\n") == [f"soon {n}" for n in range(5)] + ["later", ""]
    assert done.returncode == {"pass": 0, "sys.exit(3)": 3}.get(end, 1)


def test_the_interpreter_does_not_wait_for_ever() -> None:
    done = _script(
        """
        import time
        from fitbook.tracking._writer import writer
        writer.soon(lambda: time.sleep(1000))
        writer.soon(lambda: None)
        """,
        FITBOOK_EXIT_TIMEOUT="0.2",
    )
    assert done.returncode == 0
    assert "2 writes were not finished 0.2 seconds after the program's end" in done.stderr
    assert "FITBOOK_EXIT_TIMEOUT" in done.stderr


def test_a_failed_write_is_seen_by_a_user_without_logging() -> None:
    done = _script("from fitbook.tracking._writer import writer; writer.soon(lambda: 1 / 0)")
    assert "a background write failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("way", ["os", "fork", "spawn"])
def test_a_child_process_writes_its_own_and_not_its_parents(tmp_path: Path, way: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import multiprocessing, os, sys, time
            from fitbook.tracking._writer import writer

            def note(text):
                with open(sys.argv[1], "a") as file:
                    file.write(f"{text}\\n")

            def child():
                writer.soon(lambda: (time.sleep(0.2), note("child")))

            if __name__ == "__main__":
                writer.fit_begins()
                writer.later(lambda: note("parent"))
                if sys.argv[2] == "os":
                    pid = os.fork()
                    if pid == 0:
                        child()
                        sys.exit(0)
                    os.waitpid(pid, 0)
                else:
                    process = multiprocessing.get_context(sys.argv[2]).Process(target=child)
                    process.start()
                    process.join()
                note("joined")
            """
        )
    )
    subprocess.run([sys.executable, program, tmp_path / "notes", way], check=True, timeout=60, env=_importable())
    assert (tmp_path / "notes").read_text().split() == ["child", "joined", "parent"]


def _importable() -> dict[str, str]:
    import os

    import fitbook

    return {**os.environ, "PYTHONPATH": str(Path(fitbook.__file__).parents[1])}
