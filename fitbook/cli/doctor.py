"""``fitbook doctor``: what is installed, whether the store works, and what autologging will hook."""

from __future__ import annotations

import importlib.util
import os
import platform
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from fitbook import settings
from fitbook._version import __version__
from fitbook.autolog._patch import Patches
from fitbook.autolog._switch import INTEGRATIONS
from fitbook.autolog.sklearn._points import METHODS, POINTS, Role
from fitbook.cli._common import chosen_uri, json_option, store_option
from fitbook.cli._output import emit_json, printable, size
from fitbook.entities import RunStatus
from fitbook.errors import FitbookError
from fitbook.store import Database, SqlStore, directory_of, patience
from fitbook.store import _tables as t
from fitbook.store._clock import clock_ms
from fitbook.store._urls import hide_password
from fitbook.tracking import get_tracking_uri
from fitbook.tracking._backend import open_backend

LIBRARIES = (
    "scikit-learn",
    "numpy",
    "pandas",
    "scipy",
    "joblib",
    "matplotlib",
    "SQLAlchemy",
    "wrapt",
    "lark",
    "cloudpickle",
    "click",
)
MOST_FILES = 100_000
PATIENCE = 2.0  # seconds to wait for a lock


@dataclass(frozen=True)
class Finding:
    """One line: a fact, or a problem with what to do about it."""

    name: str
    value: str
    problem: bool = False


@click.command()
@json_option
@store_option
def doctor(as_json: bool) -> None:
    """Check versions, the store, and what autologging will hook.

    Changes nothing. Exits with 1 if it finds a problem.

    \b
    Examples:
      fitbook doctor
      fitbook --tracking-uri ../other-runs doctor
      fitbook doctor --json
    """
    report = {"versions": _versions(), "store": _store(), "autologging": _hooks(), "settings": _settings()}
    problems = [finding for findings in report.values() for finding in findings if finding.problem]
    if as_json:
        emit_json(
            {part: {finding.name: finding.value for finding in findings} for part, findings in report.items()}
            | {"problems": [f"{finding.name}: {finding.value}" for finding in problems]}
        )
    else:
        for part, findings in report.items():
            click.echo(f"{part.capitalize()}")
            room = max((len(finding.name) for finding in findings), default=0)
            for finding in findings:
                mark = "!" if finding.problem else " "
                click.echo(f"{mark} {finding.name:<{room}}  {printable(finding.value)}")
            click.echo()
        click.echo(f"{len(problems)} problem(s), marked with '!'." if problems else "No problems found.")
    if problems:
        click.get_current_context().exit(1)


def _versions() -> list[Finding]:
    found = [Finding("fitbook", __version__)]
    found += [Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")]
    for library in LIBRARIES:
        try:
            found.append(Finding(library, metadata.version(library)))
        except metadata.PackageNotFoundError:
            found.append(Finding(library, f"not installed: pip install {library}", problem=True))
    return [*found, Finding("SQLite", sqlite3.sqlite_version)]


def _store() -> list[Finding]:
    uri = chosen_uri() or get_tracking_uri()
    found = [Finding("uri", hide_password(uri))]
    try:
        folder = directory_of(uri)
        if folder is not None and not (folder / "fitbook.db").exists():
            return [*found, _not_made_yet(folder)]
        store = open_backend(uri, create=False).store
        found.append(Finding("reachable", "yes"))
        if isinstance(store, SqlStore):
            found += _database(store.database)
    except (FitbookError, OSError) as error:
        return [*found, Finding("reachable", f"no: {error}", problem=True)]
    return [*found, _artifacts(folder / "artifacts")] if folder is not None else found


def _not_made_yet(folder: Path) -> Finding:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("reachable", "not made yet; the first recorded run makes it")
    advice = "choose another with FITBOOK_TRACKING_URI"
    return Finding(
        "reachable", f"not made yet, and {there} is not a folder that you may write to: {advice}", problem=True
    )


def _database(database: Database) -> list[Finding]:
    found = [_writable(database)]
    tables = {"experiments": t.experiments, "runs": t.runs, "registered models": t.registered_models}
    with database.read() as connection:
        found += [
            Finding(name, f"{connection.scalar(sa.select(sa.func.count()).select_from(table)):,}")
            for name, table in tables.items()
        ]
        found.insert(3, _running(connection))
    file = database.engine.url.database
    if database.dialect == "sqlite" and file:
        parts = [Path(file + ending) for ending in ("", "-wal")]
        found.append(Finding("database", size(sum(part.stat().st_size for part in parts if part.exists()))))
    return found


def _running(connection: sa.Connection) -> Finding:
    r = t.runs.c
    parts = {"all": sa.true(), "dead": r.lease_until < clock_ms(), "without": r.lease_until.is_(None)}
    counts = [sa.func.count(sa.case((condition, r.id))).label(name) for name, condition in parts.items()]
    row = connection.execute(sa.select(*counts).where(r.status == RunStatus.RUNNING)).one()
    dead = f", {row.dead:,} of a dead process: FAILED when they are read next" if row.dead else ""
    without = f", {row.without:,} without a lease: until somebody ends them" if row.without else ""
    return Finding("running", f"{row.all:,}{dead}{without}")


class _Undo(Exception):
    """Rolls a transaction back."""


def _writable(database: Database) -> Finding:
    # A transaction that inserts and is undone: permissions, locks and a full disk show, and nothing changes.
    try:
        with patience(PATIENCE), database.write() as connection:
            connection.execute(t.schema_version.insert(), {"version_num": "doctor"})
            raise _Undo
    except _Undo:
        return Finding("writable", "yes")
    except FitbookError as error:
        return Finding("writable", f"no: {error}", problem=True)


def _artifacts(folder: Path) -> Finding:
    files = list(islice((Path(at, name) for at, _, names in os.walk(folder) for name in names), MOST_FILES))
    total = sum(file.lstat().st_size for file in files if file.is_symlink() or file.exists())
    more = "at least " if len(files) == MOST_FILES else ""
    return Finding("artifacts", f"{more}{size(total)} in {len(files):,} file{'' if len(files) == 1 else 's'}")


def _hooks() -> list[Finding]:
    found = []
    for integration in INTEGRATIONS.values():
        problem = integration.problem()
        found.append(
            Finding(integration.name, problem or f"can be hooked ({integration.requirement})", problem is not None)
        )
        if problem is None and integration.name == "sklearn":
            found += _sklearn_hooks()
    return found


def _sklearn_hooks() -> list[Finding]:
    """Look at every hook point as it is in the installed scikit-learn."""
    from sklearn.utils import all_estimators  # noqa: PLC0415

    hooked: dict[Role, list[str]] = defaultdict(list)
    missing, closed = [], []
    for point in POINTS:
        if importlib.util.find_spec(point.module.partition(".")[0]) is None:
            continue  # a booster that is not here
        target = getattr(importlib.import_module(point.module), point.path, None)
        if target is None:
            missing.append(point.path)
        elif point.role in (Role.METRIC, Role.FUNCTION) and not _has_door(target):
            closed.append(point.path)
        else:
            hooked[point.role].append(f"{point.module}.{point.path}")
    estimators = [cls for _, cls in all_estimators() if hasattr(cls, "fit")]
    methods = ", ".join(METHODS)
    found = [
        Finding("estimator classes", f"{len(estimators)} of scikit-learn's, and those of your own"),
        Finding("methods", methods),
        Finding("metric functions", f"{len(hooked[Role.METRIC])} of sklearn.metrics"),
        Finding("functions", ", ".join(hooked[Role.FUNCTION])),
        Finding("worker threads", ", ".join(hooked[Role.TASKS]) or "none", problem=not hooked[Role.TASKS]),
    ]
    if missing:
        found.append(Finding("not in this version", ", ".join(missing)))
    if closed:
        found.append(Finding("can't be hooked", f"{', '.join(closed)}: their values are not recorded", problem=True))
    return found


def _has_door(metric: Any) -> bool:
    # The very patch that autologging makes, put in and taken out.
    patches = Patches()
    try:
        return patches.cell(metric, "func", lambda original: original)
    finally:
        patches.undo()


def _settings() -> list[Finding]:
    found = [Finding(name, os.environ[name]) for name in sorted(os.environ) if name.startswith("FITBOOK_")]
    return [_checked(finding) for finding in found] or [Finding("environment", "no FITBOOK_ variables are set")]


def _checked(finding: Finding) -> Finding:
    setting: Any = next((setting for setting in settings.ALL if setting.name == finding.name), None)
    try:
        if setting is not None:
            setting.get()
            return finding
        return Finding(finding.name, f"{finding.value} (fitbook knows no such variable)", problem=True)
    except FitbookError as error:
        return Finding(finding.name, str(error), problem=True)
