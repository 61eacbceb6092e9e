from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from fitbook.entities import Experiment
from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store import SqlStore
from fitbook.store._database import Database
from fitbook.transfer._mlflow_db import DatabaseSource
from fitbook.transfer._records import RunRecord


def read(url: str | Path) -> list[RunRecord]:
    source = DatabaseSource(str(url))
    found = []
    for experiment in source.experiments():
        assert isinstance(experiment, Experiment)
        found += [record for record in source.runs(experiment) if isinstance(record, RunRecord)]
    assert source.count_runs() == len(found)
    list(source.models())
    source.close()
    return found


@pytest.mark.parametrize("wal", [False, True])
def test_the_source_is_not_touched(theirs: Any, database: Any, tmp_path: Path, wal: bool) -> None:
    file = database(theirs, tmp_path / "db" / "mlflow.db", wal=wal)
    before = hashlib.sha256(file.read_bytes()).digest(), file.stat().st_mtime_ns, sorted(os.listdir(file.parent))
    assert len(read(file)) == 6
    after = hashlib.sha256(file.read_bytes()).digest(), file.stat().st_mtime_ns, sorted(os.listdir(file.parent))
    assert before == after


def test_a_store_of_fitbooks_is_none_of_mlflows(tmp_path: Path) -> None:
    SqlStore(Database.of_file(tmp_path / "fitbook.db"), "").close()
    with pytest.raises(InvalidValue, match="not MLflow's database.*run_uuid.*--tracking-uri"):
        DatabaseSource(str(tmp_path / "fitbook.db"))


@pytest.mark.parametrize("wal", [False, True])
def test_the_source_can_not_be_written(theirs: Any, database: Any, tmp_path: Path, wal: bool) -> None:
    source = DatabaseSource(str(database(theirs, tmp_path / "mlflow.db", wal=wal)))
    with source._engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("DELETE FROM runs"))
    source.close()


@pytest.mark.parametrize("wal", [False, True])
def test_who_has_it_open_can_go_on_writing(theirs: Any, database: Any, tmp_path: Path, wal: bool) -> None:
    file = database(theirs, tmp_path / "mlflow.db", wal=wal)
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as server:
        server.execute("INSERT INTO params VALUES ('first', '1', ?)", [theirs.runs[0].run_id])
        source = DatabaseSource(str(file))
        experiments = [e for e in source.experiments() if isinstance(e, Experiment)]
        records = source.runs(experiments[1])
        next(records)
        # In the midst of reading; it would fail at once if a lock were held.
        server.execute("INSERT INTO params VALUES ('second', '1', ?)", [theirs.runs[0].run_id])
        assert len(list(records)) == 4
        source.close()
        assert {"first", "second"} <= read(file)[0].draft.params.keys()


def test_a_database_url_works_too(theirs: Any, database: Any, tmp_path: Path) -> None:
    file = database(theirs, tmp_path / "mlflow.db")
    assert len(read(f"sqlite:///{file}")) == 6


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"none\.db"):
        DatabaseSource(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_other_databases_and_files_are_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (id)")
    with pytest.raises(InvalidValue, match="no table experiments, params, metrics, tags"):
        DatabaseSource(str(tmp_path / "other.db"))
    (tmp_path / "text").write_text("not a database, but long enough to look like one " * 50)
    with pytest.raises(StoreUnavailable, match="not a database"):
        DatabaseSource(str(tmp_path / "text"))
    with pytest.raises(StoreUnavailable, match="can't be read"):
        DatabaseSource("postgresql+psycopg://ada:secret@127.0.0.1:1/none")


def test_a_password_is_not_shown() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        DatabaseSource("postgresql+psycopg://ada:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_what_an_old_version_lacks_is_left_out(theirs: Any, database: Any, tmp_path: Path) -> None:
    file = database(theirs, tmp_path / "mlflow.db", version=2)
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in ("experiment_tags", "datasets", "inputs", "input_tags", "registered_model_aliases"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE runs DROP COLUMN deleted_time")
        connection.execute("ALTER TABLE metrics DROP COLUMN is_nan")
        connection.execute("ALTER TABLE model_versions DROP COLUMN storage_location")
    records = {record.draft.run_id: record.draft for record in read(file)}
    assert len(records) == 6
    first = records[theirs.runs[0].run_id]
    assert (first.params, first.datasets) == (theirs.runs[0].params, [])
    assert records[theirs.runs[4].run_id].deleted_time == theirs.runs[4].end


def test_workspaces_are_kept_apart(theirs: Any, database: Any, tmp_path: Path) -> None:
    file = database(theirs, tmp_path / "mlflow.db")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO experiments (experiment_id, name, workspace) VALUES (9, 'Default', 'team')")
        connection.execute("INSERT INTO registered_models (name, workspace) VALUES ('churn', 'team')")
    source = DatabaseSource(str(file))
    assert {e.name for e in source.experiments() if isinstance(e, Experiment)} >= {"Default", "Default (team)"}
    models = {record.model.name: record for record in source.models() if not hasattr(record, "reason")}  # type: ignore[union-attr]
    assert (len(models["churn"].versions), len(models["churn (team)"].versions)) == (2, 0)  # type: ignore[union-attr]
    source.close()
