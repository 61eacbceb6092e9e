"""Write the database of `book` as the imported fitbook makes it into ``<revision>.sql``, beside this file.

Run it when a schema is released, and never again for that schema. For one that is older, with its sources::

    git worktree add ../old <commit>; PYTHONPATH=../old python tests/store/schemas/make.py
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fitbook.store import open_store
from fitbook.store._tables import SCHEMA_REVISION

HERE = Path(__file__).parent


def main() -> None:
    """Make the database, and write it down as text."""
    sys.path.insert(0, str(HERE))
    import book

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        book.fill(store)
        store.close()
        connection = sqlite3.connect(Path(folder, "fitbook.db"))
        text = ";\n".join(statements(connection))
        connection.close()
    (HERE / f"{SCHEMA_REVISION}.sql").write_text(text + ";\n", encoding="utf-8")


def statements(connection: sqlite3.Connection) -> Iterator[str]:
    """Write a database as SQL; unlike `sqlite3.Connection.iterdump`, every number with all of its digits."""
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).fetchall()
    for _, _, sql in made:
        yield sql
    for kind, name, _ in made:
        if kind == "table":
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield f'INSERT INTO "{name}" VALUES({", ".join(map(literal, row))})'


def literal(value: object) -> str:
    """Write a value as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else repr(value)


if __name__ == "__main__":
    main()
