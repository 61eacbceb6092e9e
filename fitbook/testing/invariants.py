"""What holds of every tracking directory at every moment, whatever was interrupted there: looked at from outside."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Of each metric: its rank by step, timestamp and age, and its bounds without NaN.
_POINTS = """
WITH ranked AS (
    SELECT run, key, value, special, step, timestamp,
           row_number() OVER (PARTITION BY run, key ORDER BY step DESC, timestamp DESC, id DESC) AS place,
           min(CASE special WHEN 1 THEN NULL ELSE value END) OVER (PARTITION BY run, key) AS lowest,
           max(CASE special WHEN 1 THEN NULL ELSE value END) OVER (PARTITION BY run, key) AS highest
    FROM metric_points)
SELECT run, key, value, special, step, timestamp, lowest, highest FROM ranked WHERE place = 1
"""
_ORPHANS = """
SELECT child.run_id FROM runs child
WHERE child.parent_run_id IS NOT NULL AND child.parent_run_id NOT IN (SELECT run_id FROM runs)
"""
# A run begins with its tags, so without any it is half a run.
_HALF = "SELECT run_id FROM runs WHERE id NOT IN (SELECT run FROM tags)"
_FOR_EVER = "SELECT run_id FROM runs WHERE status = 'RUNNING' AND lease_until IS NULL"
_FILES = "SELECT r.experiment, r.run_id, f.path, f.size, f.sha256 FROM files f JOIN runs r ON f.run = r.id"
_MODELS = "SELECT r.experiment, r.run_id, m.artifact_path, m.sha256 FROM logged_models m JOIN runs r ON m.run = r.id"


def problems(folder: Path) -> list[str]:
    """Say what is wrong with a tracking directory; an empty list if nothing is.

    Looked at are the database's integrity, foreign keys, that every metric's summary is that of its points, that no run
    can stay RUNNING for ever, that children have parents, and that files and models are there as they are noted.
    """
    database = folder / "fitbook.db"
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return []  # a store is made in one transaction, which was interrupted
            return [*_of_rows(connection), *_of_files(connection, folder / "artifacts")]
        except sqlite3.DatabaseError as error:
            return [f"integrity: {error}"]


def _of_rows(connection: sqlite3.Connection) -> Iterator[str]:
    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    yield from (f"integrity: {text}" for (text,) in rows("PRAGMA integrity_check") if text != "ok")
    yield from (f"foreign key: {row}" for row in rows("PRAGMA foreign_key_check"))
    summaries = set(rows("SELECT run, key, value, special, step, timestamp, lowest, highest FROM metrics"))
    points = set(rows(_POINTS))
    yield from (f"metric without such points: {row}" for row in summaries - points)
    yield from (f"points without such a metric: {row}" for row in points - summaries)
    yield from (f"a run without its tags: {run_id}" for (run_id,) in rows(_HALF))
    yield from (f"RUNNING for ever: {run_id}" for (run_id,) in rows(_FOR_EVER))
    yield from (f"a child without its parent: {run_id}" for (run_id,) in rows(_ORPHANS))


def _of_files(connection: sqlite3.Connection, root: Path) -> Iterator[str]:
    for experiment, run_id, path, size, sha256 in connection.execute(_FILES):
        file = root / str(experiment) / run_id / "artifacts" / path
        # Without a digest, it is being written, or whoever wrote it was interrupted.
        if sha256 and not file.is_file():
            yield f"a file is noted and not there: {file}"
        elif sha256 and (size, sha256) != (file.stat().st_size, _digest(file)):
            yield f"a file is not what is noted: {file}"
    for experiment, run_id, path, sha256 in connection.execute(_MODELS):
        model = root / str(experiment) / run_id / "artifacts" / path
        if not (model / "MLmodel").is_file():
            yield f"a model is noted and has no MLmodel: {model}"
        if sha256 and sha256 not in {_digest(file) for file in model.rglob("*") if file.is_file()}:
            yield f"a model is not what is noted: {model}"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
