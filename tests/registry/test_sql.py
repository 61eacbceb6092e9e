from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fitbook.registry import Registry, SqlRegistry
from fitbook.store import Database
from fitbook.testing.registry_suite import RegistrySuite


class TestFile(RegistrySuite):
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Iterator[Registry]:
        database = Database(f"sqlite:///{tmp_path / 'fitbook.db'}")
        yield SqlRegistry(database)
        database.close()


class TestMemory(RegistrySuite):
    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        database = Database("sqlite://")
        yield SqlRegistry(database)
        database.close()


class TestPostgresql(RegistrySuite):
    @pytest.fixture
    def registry(self, postgresql: str) -> Iterator[Registry]:
        database = Database(postgresql)
        yield SqlRegistry(database)
        database.close()


class TestMariadb(RegistrySuite):
    @pytest.fixture
    def registry(self, mariadb: str) -> Iterator[Registry]:
        database = Database(mariadb)
        yield SqlRegistry(database)
        database.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'fitbook.db'}")
    yield database
    database.close()


def test_processes_share_the_numbering(database: Database) -> None:
    SqlRegistry(database).create_registered_model("m")
    script = (
        "import sys; from fitbook.registry import SqlRegistry; from fitbook.store import Database\n"
        "registry = SqlRegistry(Database(sys.argv[1]))\n"
        "print(*[registry.create_model_version('m', 's').version for _ in range(10)])"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, database.url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    numbers = [int(number) for worker in workers for number in worker.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 31))


def test_a_search_takes_as_many_statements_for_forty_models_as_for_one(database: Database) -> None:
    registry = SqlRegistry(database)
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def counted() -> int:
        statements.clear()
        registry.search_registered_models()
        registry.search_model_versions()
        return len(statements)

    def add(name: str) -> None:
        registry.create_registered_model(name, {"k": "v"})
        registry.create_model_version(name, "s", tags={"k": "v"})
        registry.set_registered_model_alias(name, "best", 1)

    add("m0")
    one = counted()
    for n in range(1, 40):
        add(f"m{n}")
    assert counted() == one <= 12


def test_more_models_than_one_statement_may_name(database: Database) -> None:
    registry = SqlRegistry(database)
    for n in range(3):
        registry.create_registered_model(f"m{n}")
    with database.write() as connection:
        row = "INSERT INTO model_versions (model, version, stage, description, source, run_id, status,"
        row += " creation_timestamp, last_updated_timestamp) VALUES (1, ?, 'None', '', 's', '', 'READY', 1, 1)"
        connection.exec_driver_sql(row, [(n,) for n in range(1, 1202)])
    registry.set_registered_model_alias("m0", "best", 1201)
    found = registry.search_model_versions()
    assert [version.version for version in found] == list(range(1201, 0, -1))
    assert [version.aliases for version in found[:2]] == [("best",), ()]


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    registry = SqlRegistry(database)
    registry.create_registered_model("m")
    sa.event.listen(database.engine, "before_cursor_execute", _refuse_tags)
    with pytest.raises(RuntimeError, match="refused"):
        registry.create_model_version("m", "s", tags={"k": "v"})
    sa.event.remove(database.engine, "before_cursor_execute", _refuse_tags)
    assert registry.search_model_versions() == []
    assert registry.create_model_version("m", "s").version == 1


def _refuse_tags(*args: object) -> None:
    if "INTO model_version_tags" in str(args[2]):
        raise RuntimeError("refused")


def test_what_a_deleted_version_said_is_gone_from_the_tables(database: Database) -> None:
    registry = SqlRegistry(database)
    registry.create_registered_model("m")
    registry.create_model_version("m", "secret-source", "secret-run", {"k": "secret-tag"}, "secret-text")
    registry.delete_model_version("m", 1)
    with database.read() as connection:
        rows = [
            connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            for table in ("model_versions", "model_version_tags")
        ]
    assert "secret" not in str(rows)
