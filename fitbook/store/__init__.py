"""Where run data lives: one contract, several databases behind it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.store._base import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME, Store
from fitbook.store._database import Database
from fitbook.store._engines import patience
from fitbook.store._failures import retrying
from fitbook.store._sql import SqlStore
from fitbook.store._urls import absolute_url, hide_password, sqlite_file

__all__ = [
    "DEFAULT_EXPERIMENT_ID",
    "DEFAULT_EXPERIMENT_NAME",
    "Database",
    "SqlStore",
    "Store",
    "absolute_uri",
    "directory_of",
    "open_store",
    "patience",
    "retrying",
]

DATABASE_FILE = "fitbook.db"


def open_store(uri: str | Path, *, create: bool = True, upgrade: bool | None = None) -> SqlStore:
    """Open the store at a tracking URI.

    Parameters
    ----------
    uri : str or Path
        A folder, as path or ``file:`` URI: its ``fitbook.db`` holds the runs, ``artifacts/`` the files. Or a
        SQLAlchemy URL such as ``sqlite:///runs.db``; the files are then in ``fitbook-artifacts`` beside a SQLite file,
        or else in the working directory.
    create : bool, default True
        Whether a store that does not exist yet is made; otherwise `StoreUnavailable` says that nothing is there.
    upgrade : bool, optional
        Whether a store of an older fitbook is brought up to date; otherwise `StoreIncompatible` says how that is done.
        If it is not given, in SQLite only: other databases are shared.

    Raises
    ------
    StoreUnavailable, StoreIncompatible
        The store can't be used.
    InvalidValue
        The URI is not one that fitbook knows.
    """
    folder = directory_of(uri)
    if folder is None:
        return _open_sql(str(uri), create=create, upgrade=upgrade)
    database = folder / DATABASE_FILE
    if not _exists(database):
        if not create:
            raise StoreUnavailable(
                f"There is no fitbook store in {folder}. Set FITBOOK_TRACKING_URI or pass the tracking URI of a store; "
                "a script that records something makes one."
            )
        _prepare_directory(folder)
    prepare = partial(_prepare_directory, folder)
    opened = Database.of_file(database, prepare=prepare, upgrade=upgrade, create=create or upgrade is True)
    return SqlStore(opened, (folder / "artifacts").as_uri())


def directory_of(uri: str | Path) -> Path | None:
    """Tell which folder a tracking URI means; None if it is a database URL.

    Raises
    ------
    InvalidValue
        The URI has a scheme that nobody here speaks.
    """
    text = str(uri)
    scheme = urlsplit(text).scheme.lower() if "://" in text or text.lower().startswith("file:") else ""
    if scheme == "":
        return _plain(Path(text))
    if scheme == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise InvalidValue(f"The tracking URI {text!r} names the host {parts.netloc!r}; write file:///path.")
        return _plain(Path(unquote(parts.path)))
    if scheme.split("+")[0] in ("sqlite", "postgresql", "mysql", "mariadb"):
        return None
    raise InvalidValue(
        f"The tracking URI {hide_password(text)!r} has the scheme {scheme!r}; give a folder, file:///…, sqlite:///…, "
        "postgresql+psycopg://… or mysql+pymysql://…"
    )


def absolute_uri(uri: str | Path) -> str:
    """Write a tracking URI in the one way that means the same from every working directory.

    Raises
    ------
    InvalidValue
        It is neither text nor a path, or not a URI that fitbook knows.
    """
    if not isinstance(uri, (str, Path)):
        raise InvalidValue(f"The tracking URI {uri!r} is a {type(uri).__name__}; give a text or a Path.")
    try:
        is_name = b"\0" not in os.fsencode(str(uri))
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise InvalidValue(f"The tracking URI {str(uri)!r} has a character that no name of a file can have.")
    folder = directory_of(uri)
    return absolute_url(str(uri)) if folder is None else folder.as_uri()


def _open_sql(url: str, *, create: bool, upgrade: bool | None) -> SqlStore:
    beside = Path.cwd()
    file = sqlite_file(url)
    if file is not None:
        beside = _plain(file.parent)
        if not create and not _exists(file):
            raise StoreUnavailable(f"There is no fitbook store at {url}; a script that records something makes one.")
    # Who upgrades an empty database wants its tables.
    return SqlStore(
        Database(url, upgrade=upgrade, create=create or upgrade is True), (beside / "fitbook-artifacts").as_uri()
    )


def _plain(folder: Path) -> Path:
    """Give a folder's absolute path without ``..``, which no location of artifacts may have."""
    folder = folder.expanduser().absolute()
    return folder.resolve() if ".." in folder.parts else folder


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:
        raise StoreUnavailable(
            f"The store at {file} can't be reached: {error.strerror}. Check the path, and that this user may open its "
            "folder, or choose another with set_tracking_uri() or FITBOOK_TRACKING_URI."
        ) from error


def _prepare_directory(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# Made by fitbook: the record is data, not source.\n*\n")
    except OSError as error:
        raise StoreUnavailable(
            f"The tracking directory {folder} can't be made: {error.strerror}. Make it writable, or choose another with "
            "set_tracking_uri() or FITBOOK_TRACKING_URI."
        ) from error
