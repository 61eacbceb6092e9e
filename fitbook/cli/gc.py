"""``fitbook gc``: delete for good what was deleted."""

from __future__ import annotations

import time
from typing import Any

import click

from fitbook.cli._collect import Plan, Selection, carry_out, parse_age, plan
from fitbook.cli._common import chosen_uri, json_option, store_option
from fitbook.cli._output import emit_json, printable, size, table
from fitbook.cli._record import every_experiment, find_run, short
from fitbook.entities import Experiment, LifecycleStage
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable, WrongState
from fitbook.store import SqlStore, open_store, patience
from fitbook.store._sqlite_file import give_back_space
from fitbook.store._urls import sqlite_file
from fitbook.tracking import get_tracking_uri

_MOST_SHOWN = 20
_PATIENCE = 2.0  # seconds to wait until nobody uses the database, to make it smaller


@click.command()
@click.option("--older-than", metavar="AGE", help="Only what was deleted longer ago than this: 12h, 30d, 1w.")
@click.option("--experiment", "-e", "names", multiple=True, metavar="NAME", help="Only of this experiment; repeatable.")
@click.option("--filter", "-f", "filter_string", metavar="TEXT", help="Only deleted runs that this filter admits.")
@click.option("--run", "-r", "runs", multiple=True, metavar="ID", help="Only this deleted run; repeatable.")
@click.option("--orphans", is_flag=True, help="Also files of runs that the store does not know, when older than a day.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@store_option
def gc(
    older_than: str | None,
    names: tuple[str, ...],
    filter_string: str | None,
    runs: tuple[str, ...],
    orphans: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete for good what was deleted, with its files.

    Runs, and experiments with all their runs, that were deleted before. A run that a registered model version comes
    from stays. Interrupted, it can be run again.

    \b
    Examples:
      fitbook gc --dry-run
      fitbook gc --older-than 30d --yes
      fitbook gc --experiment churn --filter "metrics.accuracy < 0.5"
      fitbook gc --run 3f2a91bc
    """
    if as_json and not (dry_run or yes):
        raise InvalidValue("--json leaves nothing to ask: give --dry-run or --yes as well.")
    uri = chosen_uri() or get_tracking_uri()
    store = open_store(uri, create=False)
    click.get_current_context().call_on_close(store.close)
    selection = Selection(
        None if older_than is None else time.time_ns() // 1_000_000 - parse_age(older_than),
        _experiments(store, names) if names else None,
        filter_string,
        [_deleted_run(store, run) for run in runs],
    )
    found = plan(store, uri, selection, orphans=orphans)
    if not as_json:
        _show(found)
    anything = found.runs or found.experiments or found.deletable()
    if dry_run or not anything:
        if as_json:
            emit_json(_as_dict(found) | {"deleted": False})
        else:
            click.echo("Nothing was deleted: this is what would be." if anything else "There is nothing to delete.")
        return
    if not yes:
        click.confirm("Delete this for good?", abort=True)
    failed = carry_out(store, uri, found)
    freed, note = _give_back(store)
    if as_json:
        emit_json(_as_dict(found) | {"deleted": True, "failed": failed, "database_bytes_freed": freed})
    else:
        click.echo(f"Deleted. The database is {size(freed)} smaller." if freed else "Deleted.")
    for line in [*failed, *note]:
        click.echo(f"! {printable(line)}", err=True)
    if failed:
        click.get_current_context().exit(1)


def _experiments(store: SqlStore, names: tuple[str, ...]) -> list[Experiment]:
    every = every_experiment(store)
    by_key = {e.experiment_id: e for e in every} | {e.name: e for e in every}
    for name in names:
        if name not in by_key:
            raise NotFound("experiment", name, [experiment.name for experiment in every])
    return [by_key[name] for name in dict.fromkeys(names)]


def _deleted_run(store: SqlStore, beginning: str) -> str:
    run = find_run(store, beginning)
    if run.info.lifecycle_stage != LifecycleStage.DELETED:
        raise WrongState(
            f"The run {run.info.run_id} ({run.info.run_name}) is not deleted; delete it first, with delete_run()."
        )
    return run.info.run_id


def _show(found: Plan) -> None:
    for experiment in found.experiments:
        click.echo(printable(f"experiment {experiment.name} (id {experiment.experiment_id})"))
    if found.runs:
        shown = [[folder.run_id, f"{folder.files:,}", size(folder.size)] for folder in found.runs[:_MOST_SHOWN]]
        click.echo(table(["run", "files", "size"], shown, right=(1, 2)))
        if len(found.runs) > _MOST_SHOWN:
            click.echo(f"… and {len(found.runs) - _MOST_SHOWN:,} more runs; --json shows all")
    for run_id, reason in found.kept.items():
        click.echo(printable(f"kept: run {short(run_id)}: {reason}"))
    for orphan in found.orphans:
        what = f"{orphan.location}/{orphan.run_id} of no run ({_counted(orphan.files, 'file')}, {size(orphan.size)})"
        click.echo(printable(f"kept: {what}: {orphan.why_not}" if orphan.why_not else what))
    for reason in found.unread:
        click.echo(printable(f"not looked into: {reason}"))
    totals = [(len(found.experiments), "experiment"), (len(found.runs), "run"), (found.files, "file")]
    click.echo(f"In all {', '.join(_counted(*total) for total in totals)} of {size(found.size)}", nl=not found.rows)
    if found.rows:
        parts = ", ".join(f"{name} {count:,}" for name, count in found.rows.items())
        click.echo(f", {_counted(sum(found.rows.values()), 'row')} ({parts})")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _as_dict(found: Plan) -> dict[str, Any]:
    return {
        "experiments": [{"experiment_id": e.experiment_id, "name": e.name} for e in found.experiments],
        "runs": [{"run_id": f.run_id, "files": f.files, "bytes": f.size} for f in found.runs],
        "rows": found.rows,
        "files": found.files,
        "bytes": found.size,
        "kept": found.kept,
        "orphans": [
            {"location": f"{o.location}/{o.run_id}", "files": o.files, "bytes": o.size, "kept": o.why_not}
            for o in found.orphans
        ],
        "unread": found.unread,
    }


def _give_back(store: SqlStore) -> tuple[int, list[str]]:
    """Make the database smaller, where it is a file; returns by how many bytes, and what was in the way."""
    file = sqlite_file(store.database.url)
    if file is None:
        return 0, []
    store.close()
    try:
        with patience(_PATIENCE):
            return give_back_space(file), []
    except StoreUnavailable as error:
        return 0, [str(error)]
