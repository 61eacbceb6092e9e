"""``fitbook compare``: runs, or versions of registered models, side by side."""

from __future__ import annotations

import click

from fitbook.cli._common import json_option, store_option
from fitbook.cli._compared import compared_as_dict, compared_as_text
from fitbook.cli._output import emit_json
from fitbook.cli._record import find_run, opened, short
from fitbook.entities import Run
from fitbook.tracking._backend import Backend
from fitbook.tracking._compare import comparison, found, write_report


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="RUN_OR_VERSION...")
@click.option("--html", metavar="FILE", type=click.Path(dir_okay=False), help="Also write a report: one HTML file.")
@click.option("--all", "everything", is_flag=True, help="Also parameters that all of them share.")
@json_option
@store_option
def compare(sides: tuple[str, ...], html: str | None, everything: bool, as_json: bool) -> None:
    """Put runs, or versions of registered models, side by side.

    Each is the id of a run, or any beginning of it that no other run shares, or a version: NAME/VERSION, NAME@ALIAS. Shows
    the parameters that differ, all metrics, and, of those that were scored on the same folds as the first, whether they
    differ by more than chance. The report has curves and confusion matrices, too. No model is loaded.

    \b
    Examples:
      fitbook compare 3f2a 9b01
      fitbook compare churn@champion churn/7 --html report.html
    """
    backend = opened()
    compared = comparison(backend, [_side(backend, text) for text in sides])
    if html is not None:
        write_report(backend, compared, html)
    if as_json:
        names = [subject.label for subject in compared.subjects]
        told = compared_as_dict(compared, names, everything=everything)
        emit_json(told | {"significance": compared.significance()})
        return
    click.echo(compared_as_text(compared, everything=everything))
    if html is not None:
        click.echo(f"\nThe report is in {click.format_filename(html)}.")


def _side(backend: Backend, text: str) -> tuple[str, Run]:
    if "/" in text or "@" in text:
        return found(backend, text)
    run = find_run(backend.store, text)
    return short(run.info.run_id), run
