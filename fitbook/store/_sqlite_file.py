"""What is done to a SQLite database as one file: copying, checking, and giving back the space that nothing uses."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fitbook.errors import AlreadyExists, StoreUnavailable
from fitbook.store._engines import seconds_to_wait


def backup_name(file: Path, revision: str) -> Path:
    """Name a backup of now, beside the database."""
    return file.with_name(f"{file.name}.backup-{revision}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")


def copy(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, while others may write to it, and check the copy.

    Only this user may read the copy. It is one file, without another one beside it.

    Parameters
    ----------
    source : Path
        The database.
    target : Path
        Where the copy goes; nothing may be there yet.

    Raises
    ------
    AlreadyExists
        There is a file at ``target``.
    StoreUnavailable
        There is no room for the copy, or it can't be made, or is damaged; nothing is left at ``target``.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        raise AlreadyExists("file", str(target), "Choose another name for the backup, or remove the file.") from None
    except OSError as error:
        raise StoreUnavailable(f"The backup {target} can't be made: {error.strerror}.") from error
    try:
        _check_room(source, target)
        with _opened(source, read_only=True) as original, _opened(target) as made:
            original.backup(made)
            made.execute("PRAGMA journal_mode=DELETE").fetchone()
            problems = damages(made)
        if problems:
            raise StoreUnavailable(
                f"The copy {target} of {source} is damaged, so probably is the database: {problems[0]}."
            )
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise StoreUnavailable(f"{source} can't be copied to {target}: {error}.") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def damages(connection: sqlite3.Connection) -> list[str]:
    """Let SQLite look through the whole file, and return what it complains of."""
    return [row[0] for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]


def file_size(file: Path) -> int:
    """Tell how many bytes a database takes, with what is still in its log."""
    sizes = 0
    for part in (file, file.with_name(file.name + "-wal")):
        with contextlib.suppress(FileNotFoundError):
            sizes += part.stat().st_size
    return sizes


def unused_bytes(file: Path) -> int:
    """Tell how many bytes of a database hold nothing now; what is written next goes there."""
    with _opened(file, read_only=True) as connection:
        pages, page = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    return int(pages * page)


def give_back_space(file: Path) -> int:
    """Write the database anew without what was deleted from it, and return how many bytes that has freed.

    Other writers wait meanwhile, and it takes as much room again for a moment.

    Raises
    ------
    StoreUnavailable
        Another process uses the database, or there is no room; nothing has changed.
    """
    try:
        with _opened(file) as connection:
            if unused_bytes(file) == 0:
                return 0
            before = file_size(file)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return max(0, before - file_size(file))
    except sqlite3.Error as error:
        raise StoreUnavailable(f"The space in {file} that is unused now can't be given back yet: {error}.") from error


def _check_room(source: Path, target: Path) -> None:
    needed, free = file_size(source), shutil.disk_usage(target.parent).free
    if free < needed:
        raise StoreUnavailable(
            f"There is no room for the backup {target}: it takes {needed:,} bytes, and {free:,} are free. Make room first."
        )


@contextlib.contextmanager
def _opened(file: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    uri = f"{file.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(uri, uri=True, timeout=seconds_to_wait(), isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
