"""The store among real processes: races, locks, forks, kills, and files that can't be used."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa

from fitbook.entities import Metric
from fitbook.errors import InvalidValue, StoreIncompatible, StoreUnavailable
from fitbook.store import Database, SqlStore, _engines, open_store, patience
from fitbook.testing.store_suite import START, begin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tracking"


@pytest.fixture
def store(folder: Path) -> Iterator[SqlStore]:
    store = open_store(folder)
    yield store
    store.close()


PRELUDE = """
    import multiprocessing, os, random, signal, sys, time, uuid
    from fitbook.entities import Metric, RunDraft
    from fitbook.store import open_store

    fork = multiprocessing.get_context("fork")
    folder = sys.argv[1]

    def begin(store, name):
        run_id = uuid.uuid4().hex
        store.create_runs([RunDraft("0", run_id, name, "ada", 1)])
        return run_id

    def together(count, work, *args):
        '''Let processes begin their work at the same moment; return how many failed.'''
        barrier = fork.Barrier(count)

        def child(number):
            barrier.wait()
            work(number, *args)

        children = [fork.Process(target=child, args=(n,)) for n in range(count)]
        for process in children:
            process.start()
        for process in children:
            process.join()
        return sum(process.exitcode != 0 for process in children)
"""


def _script(body: str, *args: object) -> str:
    """Run a program in a process of its own, which may fork; what it prints comes back."""
    program = textwrap.dedent(PRELUDE) + textwrap.dedent(body)
    command = [sys.executable, "-W", "error", "-c", program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def _integrity(folder: Path) -> str:
    with sqlite3.connect(folder / "fitbook.db") as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    assert broken == []
    return str(found)


# -- races -----------------------------------------------------------------------------------------------------------


def test_eight_processes_write_fifty_runs_each_into_a_store_that_is_not_there_yet(folder: Path) -> None:
    failed = _script(
        """
        def work(number):
            store = open_store(folder)
            for n in range(50):
                run_id = begin(store, f"{number}.{n}")
                store.log_metric(run_id, Metric("m", n, 1))
                store.log_batch(run_id, params={"n": str(n)}, tags={"t": str(number)})
                store.update_run(run_id, status="FINISHED", end_time=2)

        print(together(8, work))
        """,
        folder,
    )
    assert failed == "0\n"
    store = open_store(folder)
    runs = store.search_runs(["0"])
    assert sorted(run.info.run_name for run in runs) == sorted(f"{p}.{n}" for p in range(8) for n in range(50))
    for run in runs:
        process, number = run.info.run_name.split(".")
        assert (run.data.params, run.data.metrics) == ({"n": number}, {"m": float(number)})
        assert (run.data.tags["t"], run.info.status) == (process, "FINISHED")
    assert len(store.search_experiments()) == 1
    store.close()
    assert _integrity(folder) == "ok"


def test_sixteen_processes_race_to_make_the_store(tmp_path: Path) -> None:
    failed = _script(
        """
        def work(number, place):
            begin(open_store(place), str(number))

        for turn in range(5):
            place = f"{folder}/{turn}"
            failed = together(16, work, place)
            store = open_store(place)
            print(failed, len(store.search_runs(["0"])))
            store.close()
        """,
        tmp_path,
    )
    assert failed == "0 16\n" * 5


def test_processes_race_for_one_experiment_name(folder: Path) -> None:
    printed = _script(
        """
        from fitbook.errors import AlreadyExists

        def work(number):
            try:
                print("made", open_store(folder).create_experiment("the one"), flush=True)
            except AlreadyExists:
                pass

        print(together(6, work))
        """,
        folder,
    )
    assert sorted(printed.split()) == ["0", "1", "made"]


# -- locks -----------------------------------------------------------------------------------------------------------


class _Holder:
    """Another process that holds the write lock of a database until `release`."""

    def __init__(self, file: Path) -> None:
        script = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.readline()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stdout: IO[str] | None = self.process.stdout
        assert stdout is not None
        assert stdout.readline() == "locked\n"

    def release(self) -> None:
        if self.process.poll() is None:
            self.process.communicate("\n")


@pytest.fixture
def holder(store: SqlStore, folder: Path) -> Iterator[_Holder]:
    holder = _Holder(folder / "fitbook.db")
    yield holder
    holder.release()


@pytest.fixture
def run_id(store: SqlStore) -> str:
    return begin(store)


def test_a_write_waits_for_another_process(store: SqlStore, run_id: str, holder: _Holder) -> None:
    writing = threading.Thread(target=store.log_metric, args=(run_id, Metric("m", 1.0, START)))
    writing.start()
    writing.join(0.3)
    assert writing.is_alive()
    assert store.get_run(run_id).data.metrics == {}  # reading does not wait
    holder.release()
    writing.join()
    assert store.get_run(run_id).data.metrics == {"m": 1.0}


def test_patience_ends(store: SqlStore, run_id: str, holder: _Holder) -> None:
    with patience(0.05):
        for write in (
            lambda: store.log_metric(run_id, Metric("m", 1.0, START)),
            lambda: store.log_batch(run_id, params={"p": "1"}),
            lambda: begin(store, 2),
        ):
            with pytest.raises(StoreUnavailable, match="fitbook.db.*locked.*FITBOOK_SQLITE_TIMEOUT"):
                write()
        assert store.get_run(run_id).data.metrics == {}
    holder.release()
    store.log_metric(run_id, Metric("m", 1.0, START))


def test_the_timeout_is_a_setting(
    store: SqlStore, run_id: str, holder: _Holder, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("FITBOOK_SQLITE_TIMEOUT", "0.05")
    other = open_store(folder)
    with pytest.raises(StoreUnavailable, match="locked"):
        other.log_metric(run_id, Metric("m", 1.0, START))
    other.close()


def test_patience_belongs_to_its_block_and_thread(store: SqlStore, run_id: str, holder: _Holder) -> None:
    with patience(0.05), pytest.raises(StoreUnavailable):
        store.log_metric(run_id, Metric("m", 1.0, START))
    # The same pooled connection is as patient as ever afterwards.
    writing = threading.Thread(target=store.log_metric, args=(run_id, Metric("m", 2.0, START)))
    with patience(0.05):
        writing.start()
    writing.join(0.3)
    assert writing.is_alive()
    holder.release()
    writing.join()


def test_making_a_store_that_another_process_holds(folder: Path) -> None:
    folder.mkdir()
    holder = _Holder(folder / "fitbook.db")
    with patience(0.05), pytest.raises(StoreUnavailable, match="locked"):
        open_store(folder)
    holder.release()
    open_store(folder).close()


# -- files that can't be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 5000])
def test_a_file_that_is_no_database(folder: Path, size: int) -> None:
    folder.mkdir()
    (folder / "fitbook.db").write_bytes(b"no database " * size)
    with pytest.raises(StoreUnavailable, match="fitbook.db.*not a database.*backup"):
        open_store(folder)
    assert (folder / "fitbook.db").stat().st_size == 12 * size


def test_a_damaged_database(store: SqlStore, folder: Path) -> None:
    for n in range(50):
        begin(store, n, params={"p": "x" * 1000})
    with store.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.close()
    file = folder / "fitbook.db"
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="malformed.*backup"):
        open_store(folder).search_runs(["0"])


def test_an_empty_file_becomes_a_store(folder: Path) -> None:
    folder.mkdir()
    (folder / "fitbook.db").touch()
    store = open_store(folder)
    begin(store)
    store.close()


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_file_where_the_folder_should_be(tmp_path: Path, form: str) -> None:
    (tmp_path / "file").write_text("here first")
    place = tmp_path / "file" / "inside"
    with pytest.raises(StoreUnavailable, match=f"{place}.*can't be made: Not a directory.*choose another"):
        open_store(place if form == "path" else f"sqlite:///{place}/x.db")
    assert (tmp_path / "file").read_text() == "here first"


def test_a_folder_where_the_database_should_be(folder: Path) -> None:
    (folder / "fitbook.db").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="unable to open.*writable"):
        open_store(folder)


def test_a_folder_that_nobody_can_write() -> None:
    with pytest.raises(StoreUnavailable, match="/proc/fitbook.*FITBOOK_TRACKING_URI"):
        open_store("/proc/fitbook")


def test_a_database_that_may_only_be_read(store: SqlStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(store)
    monkeypatch.chdir(folder.parent)
    read_only = open_store(f"sqlite:///file:{folder}/fitbook.db?mode=ro&uri=true")
    assert read_only.get_run(run_id).info.run_id == run_id
    with pytest.raises(StoreUnavailable, match="readonly.*writable"):
        read_only.log_metric(run_id, Metric("m", 1.0, START))
    read_only.close()
    assert [path.name for path in folder.parent.iterdir()] == ["tracking"]


def test_a_full_disk(store: SqlStore, folder: Path) -> None:
    run_id = begin(store)
    store.close()
    sa.event.listen(store.database.engine, "connect", _no_more_pages)
    with pytest.raises(StoreUnavailable, match="full.*make room"):
        store.log_batch(run_id, params={"p": "x" * 1_000_000})
    sa.event.remove(store.database.engine, "connect", _no_more_pages)
    store.close()
    assert dict(store.get_run(run_id).data.params) == {}
    assert _integrity(folder) == "ok"


def _no_more_pages(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA max_page_count=1").fetchone()


def test_a_password_is_not_shown() -> None:
    with pytest.raises((StoreUnavailable, InvalidValue)) as caught:
        Database("postgresql+psycopg://ada:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("found", ["9999", "cbc13b556ace"])
def test_a_schema_of_another_version(store: SqlStore, folder: Path, found: str) -> None:
    begin(store)
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")
    with pytest.raises(StoreIncompatible, match=f"'{found}'.*knows '0003'"):
        open_store(folder)
    with sqlite3.connect(folder / "fitbook.db") as raw:
        assert raw.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    raw.close()


# -- forks and kills -------------------------------------------------------------------------------------------------


def test_a_process_forked_after_connecting(folder: Path) -> None:
    printed = _script(
        """
        store = open_store(folder)
        run_id = begin(store, "shared")

        def log(start):
            for n in range(start, start + 100):
                store.log_metric(run_id, Metric("m", n, 1, n))

        pids = []
        for number in (1, 2):
            pid = os.fork()
            if pid == 0:
                log(number * 100)
                assert store.get_run(run_id).info.run_name == "shared"
                os._exit(0)
            pids.append(pid)
        log(0)
        print(*(os.waitpid(pid, 0)[1] for pid in pids))
        log(300)
        print(sorted(m.step for m in store.get_metric_history(run_id, "m")) == list(range(400)))
        store.close()
        """,
        folder,
    )
    assert printed == "0 0\nTrue\n"
    assert _integrity(folder) == "ok"


def test_what_a_forked_process_writes_is_kept_when_its_parent_lets_go(folder: Path) -> None:
    # SQLite takes no locks for a child that inherits an open file, and the parent would remove the log as its last user.
    printed = _script(
        """
        store = open_store(folder)
        begin(store, "before")
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            begin(store, "at once")
            os.read(told, 1)
            for number in range(5):
                begin(store, f"later {number}")
            os.kill(os.getpid(), signal.SIGKILL)
        while len(store.search_runs(["0"])) < 2:
            time.sleep(0.01)
        store.close()
        os.write(tell, b"x")
        os.waitpid(pid, 0)
        print(len(open_store(folder).search_runs(["0"])))
        """,
        folder,
    )
    assert printed == "7\n"
    assert _integrity(folder) == "ok"


def test_forks_beside_threads_that_write(folder: Path) -> None:
    printed = _script(
        """
        import threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of such forks

        store, stop = open_store(folder), threading.Event()
        run_id = begin(store, "shared")
        written = []

        def log(mine):
            while not stop.is_set():
                store.log_metric(run_id, Metric("m", len(mine), 1))
                mine.append(1)

        lists = [[], []]
        threads = [threading.Thread(target=log, args=(mine,)) for mine in lists]
        for thread in threads:
            thread.start()
        told, tell = os.pipe()
        pids = []
        for number in range(10):
            pids.append(os.fork())
            if pids[-1] == 0:
                os.close(tell)
                os.read(told, 1)
                begin(store, f"child {number}")
                os._exit(0)
        stop.set()
        for thread in threads:
            thread.join()
        store.close()
        os.close(tell)
        print(*(os.waitpid(pid, 0)[1] for pid in pids))
        store = open_store(folder)
        print(len(store.search_runs(["0"])), len(store.get_metric_history(run_id, "m")) == sum(map(len, lists)))
        """,
        folder,
    )
    assert printed == "0 0 0 0 0 0 0 0 0 0\n11 True\n"
    assert _integrity(folder) == "ok"


def test_a_process_forked_while_another_thread_writes_for_long_is_refused_the_store(folder: Path) -> None:
    printed = _script(
        """
        import threading, warnings
        from fitbook.errors import StoreUnavailable
        from fitbook.store import _forking
        warnings.simplefilter("ignore", DeprecationWarning)
        _forking.WAIT_SECONDS = 0.05
        store, writing, stop = open_store(folder), threading.Event(), threading.Event()

        def write():
            with store.database.write():
                writing.set()
                stop.wait()

        thread = threading.Thread(target=write)
        thread.start()
        writing.wait()
        pid = os.fork()
        if pid == 0:
            try:
                begin(store, "child")
            except StoreUnavailable as error:
                os._exit(7 if "spawn" in str(error) else 8)
            os._exit(9)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        thread.join()
        begin(store, "parent")
        store.close()
        """,
        folder,
    )
    assert printed == "7\n"
    assert _integrity(folder) == "ok"


def test_databases_that_are_not_used_any_more_are_let_go() -> None:
    store = open_store("sqlite://")
    database = weakref.ref(store.database)
    store.close()
    del store
    for _ in range(3):  # what other tests have left goes first
        gc.collect()
    assert database() is None


def _driver(store: SqlStore) -> sqlite3.Connection:
    with store.database.read() as connection:
        driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def test_connections_are_closed_with_a_store_that_is_forgotten(folder: Path) -> None:
    store = open_store(folder)
    driver = _driver(store)
    del store
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        driver.execute("SELECT 1")


def test_a_connection_that_was_in_use_when_the_store_was_closed_is_closed_afterwards(store: SqlStore) -> None:
    with store.database.read() as connection:
        driver = connection.connection.driver_connection
        store.close()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert isinstance(driver, sqlite3.Connection)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        driver.execute("SELECT 1")


def test_what_was_acknowledged_survives_kills(folder: Path) -> None:
    printed = _script(
        """
        open_store(folder).close()
        for turn in range(20):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                store = open_store(folder)
                run_id = begin(store, f"turn-{turn}")
                os.write(writing, run_id.encode() + b"\\n")
                for n in range(100_000):
                    if n % 2:
                        store.log_metric(run_id, Metric("m", n, 1, n))
                    else:
                        store.log_batch(run_id, [Metric("m", n, 1, n)], {f"p{n}": "1"})
                    os.write(writing, b"%d\\n" % n)
            os.close(writing)
            with os.fdopen(reading) as acknowledged:
                run_id = acknowledged.readline().strip()
                time.sleep(random.uniform(0, 0.05))
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                said = [int(line) for line in acknowledged if line.endswith("\\n")]
            store = open_store(folder)
            run = store.get_run(run_id)
            steps = [m.step for m in store.get_metric_history(run_id, "m")]
            store.close()
            # All that was acknowledged, at most one more (killed between commit and word), and nothing by halves.
            assert steps == list(range(len(steps))), steps
            assert len(said) <= len(steps) <= len(said) + 1, (len(said), len(steps))
            assert len(run.data.params) == (len(steps) + 1) // 2
            assert run.data.metrics == ({"m": steps[-1]} if steps else {})
            print(len(said))
        """,
        folder,
    )
    counts = [int(line) for line in printed.split()]
    assert len(counts) == 20
    assert sum(counts) > 20
    assert _integrity(folder) == "ok"


# -- stores that may only be read ------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_log", [False, True])
def test_a_store_where_this_user_may_write_nothing_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, has_log: bool
) -> None:
    writer = open_store(folder)
    run_id = begin(writer)
    if not has_log:
        writer.close()
    # The tests may run as root, who may write anywhere.
    monkeypatch.setattr(_engines, "may_write", lambda file: False)
    reader = open_store(folder)
    assert [run.info.run_id for run in reader.search_runs(["0"])] == [run_id]
    with pytest.raises(StoreUnavailable, match="readonly.*writable"):
        reader.set_tag_once(run_id, "a", "1")
    reader.close()
    writer.close()
    assert writer.get_run(run_id).data.tags.get("a") is None
