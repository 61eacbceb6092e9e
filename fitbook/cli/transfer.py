"""``fitbook import`` and ``fitbook export``: what MLflow has kept, into the store; the store, into plain files."""

from __future__ import annotations

from collections import Counter

import click

from fitbook.cli._common import chosen_uri, json_option, store_option
from fitbook.cli._output import emit_json, table
from fitbook.cli._record import find_run, opened
from fitbook.tracking import get_tracking_uri
from fitbook.tracking._backend import open_backend
from fitbook.transfer import Source, Summary, open_export, open_source, take
from fitbook.transfer import export as export_all

_NAMED = 20  # how many of the things that were not taken are named; --json names all


@click.group(name="import")
def import_() -> None:
    """Take what another tool has recorded."""


@import_.command()
@click.argument("source")
@click.option("--to", "to", metavar="URI", help="The store to write to, instead of the one of --tracking-uri.")
@click.option("--no-artifacts", is_flag=True, help="Leave files where they are, and note where that is.")
@json_option
@store_option
@click.pass_context
def mlflow(ctx: click.Context, source: str, to: str | None, no_artifacts: bool, as_json: bool) -> None:
    """Take experiments, runs, files and registered models of MLflow; nothing is taken twice.

    SOURCE is a folder mlruns, a file mlflow.db, a database URL, or the address of a running server. It is only read.

    \b
    Examples:
      fitbook import mlflow ./mlruns
      fitbook import mlflow mlflow.db --to sqlite:///book.db
      fitbook import mlflow http://localhost:5000 --no-artifacts
    """
    _import(ctx, open_source(source), to, no_artifacts, as_json)  # opened before a store is made for it


@import_.command("export")
@click.argument("folder")
@click.option("--to", "to", metavar="URI", help="The store to write to, instead of the one of --tracking-uri.")
@json_option
@store_option
@click.pass_context
def exported(ctx: click.Context, folder: str, to: str | None, as_json: bool) -> None:
    """Take back what `fitbook export` has written; nothing is taken twice.

    \b
    Examples:
      fitbook import export ./backup --to ./restored
    """
    _import(ctx, open_export(folder), to, False, as_json)


def _import(ctx: click.Context, opened_source: Source, to: str | None, no_artifacts: bool, as_json: bool) -> None:
    try:
        backend = open_backend(to or chosen_uri() or get_tracking_uri())
        summary = take(opened_source, backend.store, backend.registry, artifacts=not no_artifacts, progress=not as_json)
    except KeyboardInterrupt:
        click.echo("Interrupted: what was taken stays, and the same command goes on from there.", err=True)
        ctx.exit(130)
    finally:
        opened_source.close()
    _report(ctx, summary, as_json, ("taken", "added to", "already there"))


@click.command()
@click.option("--to", "to", metavar="DIR", required=True, help="The folder: new, empty, or that of an earlier export.")
@click.option("--experiment", "-e", "experiments", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--run", "-r", "runs", multiple=True, metavar="ID", help="Only this run; repeatable.")
@click.option("--deleted", is_flag=True, help="Deleted experiments and runs as well.")
@json_option
@store_option
@click.pass_context
def export(
    ctx: click.Context, to: str, experiments: tuple[str, ...], runs: tuple[str, ...], deleted: bool, as_json: bool
) -> None:
    """Write runs, files and the registry as JSON, CSV and plain files.

    \b
    Examples:
      fitbook export --to backup
      fitbook export --to paper --experiment churn
      fitbook export --to one --run 3f2a
    """
    backend = opened()
    summary = export_all(
        backend.store,
        backend.registry,
        to,
        experiments=experiments,
        run_ids=[find_run(backend.store, beginning).info.run_id for beginning in runs],
        deleted=deleted,
        progress=not as_json,
    )
    _report(ctx, summary, as_json, ("written", "refreshed", "unchanged"))


def _report(ctx: click.Context, summary: Summary, as_json: bool, headers: tuple[str, str, str]) -> None:
    """Print what was done; exit with an error if something could not be taken."""
    if as_json:
        emit_json(summary.as_dict())
    else:
        rows = [(kind, str(taken), str(more), str(there)) for kind, taken, more, there in summary.rows()]
        click.echo(table(["", *headers], rows, right=(1, 2, 3)))
        if summary.problems:
            counts = Counter(problem.kind for problem in summary.problems)
            click.echo(f"\nNot taken, or not as it was: {', '.join(f'{n} × {kind}' for kind, n in counts.items())}")
            for problem in summary.problems[:_NAMED]:
                click.echo(f"  {problem.kind} {problem.key}: {problem.reason}")
            if len(summary.problems) > _NAMED:
                click.echo(f"  … and {len(summary.problems) - _NAMED} more; --json names all.")
    if summary.problems:
        ctx.exit(1)
