"""Coming and going: a record that MLflow has kept, into a store; a store, into plain files."""

from __future__ import annotations

from pathlib import Path

from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.registry import Registry
from fitbook.store import Store
from fitbook.transfer._exported import ExportSource
from fitbook.transfer._exporting import export
from fitbook.transfer._importing import SOURCE_TAG, Importer
from fitbook.transfer._mlflow_db import DatabaseSource
from fitbook.transfer._mlflow_server import ServerSource
from fitbook.transfer._mlruns import META, MlrunsSource
from fitbook.transfer._places import local_path
from fitbook.transfer._records import Problem, Source
from fitbook.transfer._summary import Summary

__all__ = [
    "SOURCE_TAG",
    "Problem",
    "Source",
    "Summary",
    "export",
    "import_mlflow",
    "open_export",
    "open_source",
    "take",
]

DATABASE_FILE = "mlflow.db"
FOLDER = "mlruns"


def import_mlflow(
    source: str | Path, store: Store, registry: Registry, *, artifacts: bool = True, progress: bool = False
) -> Summary:
    """Open what MLflow has kept, and `take` it.

    Raises
    ------
    InvalidValue
        The source is not one that MLflow has made.
    StoreUnavailable
        The source or the store can't be reached.
    """
    opened = open_source(source)
    try:
        return take(opened, store, registry, artifacts=artifacts, progress=progress)
    finally:
        opened.close()


def take(
    source: Source, store: Store, registry: Registry, *, artifacts: bool = True, progress: bool = False
) -> Summary:
    """Take everything that a source has, but for what is there already.

    Parameters
    ----------
    source : Source
        What `open_source` has opened.
    store : Store
        Takes experiments, runs and files.
    registry : Registry
        Takes the registered models.
    artifacts : bool, default True
        Whether files are copied, or stay where they are.
    progress : bool, default False
        Whether a bar is shown, if standard error is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    StoreUnavailable
        The source or the store can't be reached any more; what was taken until then stays.
    """
    return Importer(source, store, registry, artifacts=artifacts, progress=progress).run()


def open_source(source: str | Path) -> Source:
    """Open what MLflow has kept.

    Parameters
    ----------
    source : str or Path
        The folder ``mlruns``, or one that holds it; the file ``mlflow.db``, or the folder that holds it; a SQLAlchemy URL;
        or the address of a server, ``http://…`` or ``https://…``.

    Raises
    ------
    InvalidValue
        It is none of these.
    StoreUnavailable
        It can't be opened.
    """
    text = str(source)
    if text.lower().startswith(("http://", "https://")):
        return ServerSource(text)
    if "://" in text and not text.lower().startswith("file:"):
        return DatabaseSource(text)
    path = local_path(text)
    if path is None:
        raise InvalidValue(f"{text!r} names another machine; give a path of this one, or the address of a server.")
    path = path.expanduser()
    if path.is_file():
        return DatabaseSource(str(path))
    if not path.is_dir():
        raise StoreUnavailable(
            f"There is nothing at {path}. Give the folder mlruns, the file mlflow.db, or an address."
        )
    if _is_file_store(path):
        return MlrunsSource(path)
    inside = [place for place in (path / DATABASE_FILE, path / FOLDER) if place.is_file() or _is_file_store(place)]
    if len(inside) == 1:
        return open_source(inside[0])
    if inside:
        raise InvalidValue(f"In {path} are both {DATABASE_FILE} and {FOLDER} with runs; say which one to import.")
    raise InvalidValue(
        f"{path} is not MLflow's: no folder in it has a {META}. Give the folder mlruns, the file mlflow.db, or an address."
    )


def open_export(folder: str | Path) -> Source:
    """Open a folder that `export` has written.

    Raises
    ------
    InvalidValue
        It is none, or a newer version has written it.
    """
    return ExportSource(Path(folder).expanduser().absolute())


def _is_file_store(folder: Path) -> bool:
    return next(folder.glob(f"*/{META}"), None) is not None or next(folder.glob(f".trash/*/{META}"), None) is not None
