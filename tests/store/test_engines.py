"""Many writers on real servers: processes, threads, locks, and what a transaction sees."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from fitbook.entities import Dataset, DatasetInput, Metric, RunDraft
from fitbook.errors import AlreadyExists, InvalidValue, StoreUnavailable
from fitbook.store import Database, SqlStore, open_store, patience
from fitbook.store import _tables as t
from fitbook.testing.store_suite import START, begin


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = open_store(url)
    yield store
    store.close()


def _together(count: int, body: str, *args: str) -> list[str]:
    """Run programs at the same time, and return what they print; ``number`` is which one it is."""
    program = "import sys, uuid\nfrom concurrent.futures import ThreadPoolExecutor\n"
    program += "from fitbook.entities import Metric, RunDraft\nfrom fitbook.store import open_store\n"
    program += "url, number = sys.argv[1:3]\nprint('ready', flush=True)\nsys.stdin.readline()\n" + textwrap.dedent(body)
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *args, str(number)],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for number in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate() for process in processes]
    assert [error for _, error in found] == [""] * count, found
    return [printed for printed, _ in found]


def test_processes_race_to_make_the_store(url: str) -> None:
    made = """
        store = open_store(url)
        run_id = uuid.uuid4().hex
        store.create_runs([RunDraft("0", run_id, number, "ada", 1)])
        print(run_id)
    """
    ids = {printed.strip() for printed in _together(4, made, url)}
    store = open_store(url)
    assert {run.info.run_id for run in store.search_runs(["0"])} == ids
    assert [e.experiment_id for e in store.search_experiments()] == ["0"]
    store.close()


def test_processes_with_threads_write_exactly_what_they_say(url: str) -> None:
    store = open_store(url)
    shared = begin(store)
    work = """
        store = open_store(url)
        shared = sys.argv[3]

        def work(thread):
            name = f"{number}.{thread}"
            for n in range(3):
                run_id = uuid.uuid4().hex
                store.create_runs([RunDraft("0", run_id, f"{name}.{n}", "ada", 1)])
                store.log_batch(run_id, [Metric("m", n, 1)], {"n": str(n)}, {"t": name})
                store.log_metric(shared, Metric("m", n, 1, n))
                store.log_batch(shared, [Metric("b", 1, 1), Metric("a", 1, 1)], {f"p{name}.{n}": "1"}, {"t": name})
                store.set_experiment_tag("0", f"tag{n}", name)
                store.update_run(run_id, status="FINISHED", end_time=2)
            return store.set_tag_once(shared, "first", name)

        with ThreadPoolExecutor(8) as pool:
            print(*set(pool.map(work, range(8))))
    """
    work = work.replace("sys.argv[3]", repr(shared))
    said = {name for printed in _together(4, work, url) for name in printed.split()}
    run = store.get_run(shared)
    assert said == {run.data.tags["first"]}
    assert len(run.data.params) == 96
    assert [len(store.get_metric_history(shared, key)) for key in ("m", "a", "b")] == [96] * 3
    assert run.data.metrics["m"] == 2.0
    others = [r for r in store.search_runs(["0"]) if r.info.run_id != shared]
    names = sorted(f"{p}.{thread}.{n}" for p in range(4) for thread in range(8) for n in range(3))
    assert sorted(r.info.run_name for r in others) == names
    assert {(len(r.data.params), len(r.data.metrics), r.info.status) for r in others} == {(1, 1, "FINISHED")}
    assert len(store.get_experiment("0").tags) == 3
    store.close()


def test_a_data_set_that_many_runs_note_at_once_is_one(store: SqlStore) -> None:
    runs = [begin(store, n) for n in range(16)]
    used = DatasetInput(Dataset("train", "abc"), {"mlflow.data.context": "train"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run_id: store.log_batch(run_id, datasets=[used]), runs))
    assert [store.get_run(run_id).inputs.dataset_inputs for run_id in runs] == [(used,)] * 16
    with store.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.datasets)) == 1


def test_runs_that_are_made_with_a_data_set_that_another_writes_just_then(store: SqlStore) -> None:
    first, draft = begin(store), RunDraft("0", "f" * 32, "second", "ada", START)
    used = DatasetInput(Dataset("train", "abc"), {})
    draft.datasets = [used]
    with ThreadPoolExecutor(1) as pool:
        with store.database.write() as connection:
            store._write_dataset(connection, store._run(connection, first), used)
            waiting = pool.submit(store.create_runs, [draft])
            time.sleep(0.2)
        waiting.result()
    assert store.get_run("f" * 32).inputs.dataset_inputs == (used,)
    with pytest.raises(AlreadyExists, match="f" * 32):
        store.create_runs([draft])


def test_threads_that_wait_for_the_lock_leave_connections_for_its_holder(store: SqlStore) -> None:
    run_id = begin(store)

    def add(number: int) -> None:
        with store.exclusively("x"):
            time.sleep(0.01)
            store.log_batch(run_id, params={f"p{number}": "1"})

    with ThreadPoolExecutor(30) as pool:  # more than there are connections
        list(pool.map(add, range(30)))
    assert len(store.get_run(run_id).data.params) == 30


def test_an_experiment_is_made_by_one_of_many(store: SqlStore) -> None:
    def make(_: int) -> str | None:
        try:
            return store.create_experiment("the one")
        except AlreadyExists:
            return None

    with ThreadPoolExecutor(8) as pool:
        [made] = [number for number in pool.map(make, range(8)) if number is not None]
    assert store.get_experiment(made).name == "the one"


def test_a_read_sees_one_state(store: SqlStore) -> None:
    count = sa.select(sa.func.count()).select_from(t.runs)
    begin(store)
    with store.database.read() as connection:
        assert connection.scalar(count) == 1
        begin(store, 2)
        assert connection.scalar(count) == 1
    with store.database.read() as connection:
        assert connection.scalar(count) == 2


def test_a_writer_waits_for_the_one_before_it_and_sees_what_it_wrote(store: SqlStore) -> None:
    run_id = begin(store)
    with ThreadPoolExecutor(1) as pool:
        with store.database.write() as connection:
            store._run(connection, run_id)
            waiting = pool.submit(store.set_tag_once, run_id, "k", "late")
            time.sleep(0.2)
            assert not waiting.done()
            store._write_tags(connection, store._run(connection, run_id), {"k": "early"})
        assert waiting.result() == "early"


def test_patience_ends_and_belongs_to_its_block(store: SqlStore) -> None:
    run_id = begin(store)
    with store.database.write() as connection:
        store._run(connection, run_id)
        before = time.monotonic()
        with patience(0.5), pytest.raises(StoreUnavailable, match="Another process holds a lock"):
            store.log_metric(run_id, Metric("m", 1.0, START))
        assert time.monotonic() - before < 20
    store.log_metric(run_id, Metric("m", 1.0, START))
    question = {"postgresql": "SHOW lock_timeout", "mysql": "SELECT @@innodb_lock_wait_timeout"}
    with store.database.write() as connection:
        waits = connection.exec_driver_sql(question[store.database.dialect]).scalar()
    assert waits in ("30s", 30)


def test_tables_are_made_where_the_database_has_other_rules(url: str) -> None:
    """An ordinary CREATE DATABASE takes ``a`` for ``A`` in MySQL, and may order by a language in PostgreSQL."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    engine.dispose()
    store = open_store(url)
    names = ["b", "B", "a", "ä", "模型🙂"]
    numbers = [store.create_experiment(name) for name in names]
    assert [store.get_experiment(number).name for number in numbers] == names
    found = store.search_experiments(order_by=["name ASC"])
    assert [e.name for e in found] == sorted([*names, "Default"])
    store.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://ada:secret@/x?host=/nowhere", "(?s)can't be used: .*Check that the database is there"),
        ("mysql+pymysql://ada:secret@127.0.0.1:1/x", "can't be used: .*Check that the database is there"),
        ("postgresql+pg8000://ada:secret@localhost/x", "needs the Python package 'pg8000': install it"),
    ],
)
def test_servers_that_are_not_there(url: str, says: str) -> None:
    with patience(1), pytest.raises(StoreUnavailable, match=says) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_a_driver_that_nobody_knows() -> None:
    with pytest.raises(InvalidValue, match="postgresql.nonsense"):
        Database("postgresql+nonsense://localhost/x")
