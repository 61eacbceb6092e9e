"""What is noted of the files of runs: path, size and digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from fitbook import _validate
from fitbook.entities import StoredFile
from fitbook.store import _tables as t
from fitbook.store._sql._part import SqlPart


class SqlFiles(SqlPart):
    """The part of the contract that is about files of runs."""

    def record_files(self, run_id: str, files: Sequence[StoredFile]) -> None:
        if not files:
            return
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            connection.execute(self.database.upsert(t.files), file_rows(run, files))

    def recorded_files(self, run_id: str, path: str = "") -> list[StoredFile]:
        f = t.files.c
        with self.database.read() as connection:
            run = self._run(connection, run_id, active=False)
            query = sa.select(f.path, f.size, f.sha256).where(f.run == run, _at_or_below(path))
            found = [StoredFile(*row) for row in connection.execute(query)]
        return sorted(found, key=lambda file: file.path)

    def forget_files(self, run_id: str, path: str = "") -> None:
        with self.database.write() as connection:
            run = self._run(connection, run_id)
            connection.execute(t.files.delete().where(t.files.c.run == run, _at_or_below(path)))


def file_rows(run: int, files: Sequence[StoredFile]) -> list[dict[str, Any]]:
    """Make the rows of files."""
    # Of one path, the last wins; PostgreSQL refuses to write a row twice in one statement.
    latest = {file.path: file for file in files}.values()
    return [
        {
            "run": run,
            "path": _validate.text("path of a file", file.path, 700),
            "size": file.size,
            "sha256": _validate.text("digest of a file", file.sha256, 64),
        }
        for file in latest
    ]


def _at_or_below(path: str) -> sa.ColumnElement[bool]:
    if not path:
        return sa.true()
    # "0" is the character after "/": an index finds this, and no character of the path means anything else.
    stored = t.files.c.path
    return sa.or_(stored == path, sa.and_(stored >= f"{path}/", stored < f"{path}0"))
