"""``fitbook db``: check, upgrade, back up and measure the store itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click

from fitbook.artifacts import open_artifacts
from fitbook.cli._common import chosen_uri, json_option, store_option
from fitbook.cli._output import emit_json, printable, size, table
from fitbook.cli._record import every_experiment
from fitbook.entities import Experiment
from fitbook.errors import FitbookError, InvalidValue, StoreUnavailable
from fitbook.store import SqlStore, directory_of, open_store
from fitbook.store._checking import counts, problems, repair
from fitbook.store._sqlite_file import backup_name, copy, file_size, unused_bytes
from fitbook.store._tables import SCHEMA_REVISION
from fitbook.store._urls import hide_password, parsed_url, sqlite_file
from fitbook.tracking import get_tracking_uri

_DUMPS = {
    "postgresql": "pg_dump",
    "mysql": "mysqldump --single-transaction",
    "mariadb": "mariadb-dump --single-transaction",
}


@click.group()
def db() -> None:
    """Check, upgrade, back up and measure the store itself."""


@db.command()
@click.option("--repair", "mend", is_flag=True, help="First write bounds of metrics and parents of runs anew.")
@json_option
@store_option
def check(mend: bool, as_json: bool) -> None:
    """Look through the whole database for damage and for what disagrees.

    Changes nothing without --repair. Exits with 1 if it finds a problem.

    \b
    Examples:
      fitbook db check
      fitbook db check --repair
      fitbook --tracking-uri postgresql+psycopg://host/runs db check --json
    """
    store = _opened(upgrade=False)
    if mend:
        repair(store.database)
    rows, found = counts(store.database), problems(store.database)
    if as_json:
        listed = [{"what": p.what, "count": p.count, "example": p.example} for p in found]
        emit_json({"store": _place(store), "schema": SCHEMA_REVISION, "rows": rows, "problems": listed})
    else:
        facts = [("store", _place(store)), ("schema", SCHEMA_REVISION), ("database", size(_file_bytes(store)))]
        facts += [(name, f"{count:,}") for name, count in rows.items()]
        room = max(len(name) for name, _ in facts)
        for name, value in facts:
            click.echo(f"  {name:<{room}}  {printable(value)}")
        for problem in found:
            click.echo(f"! {problem.count:,} {problem.what}, e.g. {printable(problem.example)}")
        click.echo(f"{len(found)} problem(s), marked with '!'." if found else "No problems found.")
    if found:
        click.get_current_context().exit(1)


@db.command()
@json_option
@store_option
def upgrade(as_json: bool) -> None:
    """Bring the tables of an older fitbook up to date.

    A SQLite database is copied first, to a file beside it; of another, make a backup with its own tools. Older versions
    of fitbook can't use the store afterwards.

    \b
    Examples:
      fitbook db upgrade
      fitbook --tracking-uri postgresql+psycopg://host/runs db upgrade
    """
    store = _opened(upgrade=True)
    upgraded = store.database.upgraded
    if as_json:
        backup = str(upgraded.backup) if upgraded and upgraded.backup else None
        before = upgraded.before if upgraded else SCHEMA_REVISION
        emit_json({"store": _place(store), "schema": SCHEMA_REVISION, "before": before, "backup": backup})
        return
    state = f"has the newest schema already: {SCHEMA_REVISION!r}" if upgraded is None else f"was {upgraded}"
    click.echo(f"The store at {_place(store)} {state}.")


@db.command()
@click.argument("target", required=False)
@json_option
@store_option
def backup(target: str | None, as_json: bool) -> None:
    """Copy the database as it is now, while others may write to it, and check the copy.

    TARGET is a new file, or a folder to put it in; beside the database if it is not given. The files of runs are not
    part of it: they are under artifacts/, and never change once they are written.

    \b
    Examples:
      fitbook db backup
      fitbook db backup /mnt/backups/
    """
    file = _sqlite_file()
    name = backup_name(file, _revision(file))
    to = name if target is None else Path(target)
    if target is not None and target.endswith("/") and not to.is_dir():
        raise StoreUnavailable(f"There is no folder {target} to put the backup in; make it first, or name a file.")
    if to.is_dir():
        to = to / name.name
    copy(file, to)
    if as_json:
        emit_json({"database": str(file), "backup": str(to.absolute()), "bytes": file_size(to)})
        return
    click.echo(f"{size(file_size(to))} in {to}, checked. To use it, put it in the place of {file}.")


@db.command("size")
@json_option
@store_option
def size_(as_json: bool) -> None:
    """Tell how much room the database and the files of every experiment take.

    \b
    Examples:
      fitbook db size
      fitbook db size --json
    """
    store = _opened(upgrade=False)
    rows = [(experiment, *_files(experiment)) for experiment in every_experiment(store)]
    file = sqlite_file(store.database.url)
    database, unused = _file_bytes(store), None if file is None else unused_bytes(file)
    if as_json:
        experiments = [{"name": e.name, "location": e.artifact_location, "files": n, "bytes": b} for e, n, b in rows]
        emit_json({"database_bytes": database, "unused_bytes": unused, "experiments": experiments})
        return
    if database is not None:
        click.echo(f"database   {size(database)}, of which {size(unused)} are not used now")
    click.echo(f"artifacts  {size(sum(row[2] or 0 for row in rows))}\n")
    rows.sort(key=lambda row: -(row[2] or 0))
    shown = [[e.name, "?" if n is None else f"{n:,}", size(b), e.artifact_location] for e, n, b in rows]
    click.echo(table(["experiment", "files", "size", "location"], shown, right=(1, 2)))


def _files(experiment: Experiment) -> tuple[int | None, int | None]:
    """Count files and their bytes; None where they can't be reached, which is said."""
    try:
        files = open_artifacts(experiment.artifact_location).find()
    except FitbookError as error:
        click.echo(f"Of the experiment {printable(experiment.name)!r} nothing is known: {error}", err=True)
        return None, None
    return len(files), sum(file.file_size or 0 for file in files)


def _uri() -> str:
    return chosen_uri() or get_tracking_uri()


def _opened(*, upgrade: bool) -> SqlStore:
    store = open_store(_uri(), create=False, upgrade=upgrade)
    click.get_current_context().call_on_close(store.close)
    return store


def _place(store: SqlStore) -> str:
    return hide_password(store.database.url)


def _file_bytes(store: SqlStore) -> int | None:
    file = sqlite_file(store.database.url)
    return None if file is None else file_size(file)


def _sqlite_file() -> Path:
    """Name the file of the store.

    Raises
    ------
    InvalidValue
        It is in a database of another kind.
    StoreUnavailable
        There is none.
    """
    uri = _uri()
    folder = directory_of(uri)
    file = sqlite_file(uri) if folder is None else folder / "fitbook.db"
    if file is None:
        kind = parsed_url(uri).get_backend_name()
        tool = _DUMPS.get(kind)
        advice = f"use the database's own tool: {tool}" if tool else "there is no file to copy"
        raise InvalidValue(f"`fitbook db backup` is for SQLite files, and {hide_password(uri)} is none; {advice}.")
    if not file.is_file():
        raise StoreUnavailable(f"There is no fitbook store at {file}: there is nothing to back up.")
    return file


def _revision(file: Path) -> str:
    try:
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
        try:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        finally:
            connection.close()
    except (sqlite3.Error, TypeError) as error:
        raise StoreUnavailable(f"{file} is no store of fitbook's, or is damaged: {error}.") from error
