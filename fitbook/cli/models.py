"""``fitbook models``: what is registered."""

from __future__ import annotations

import click

from fitbook.cli._common import json_option, store_option
from fitbook.cli._output import NOTHING, emit_json, moment, table
from fitbook.cli._record import opened, short
from fitbook.entities import ModelVersion

NOTHING_YET = (
    'No models are registered yet. `fitbook.autolog(registered_model_name="churn")` registers every fitted model, '
    '`fitbook.register_model("runs:/<run id>/model", "churn")` one that is recorded.'
)


@click.group()
def models() -> None:
    """List registered models and their versions."""


@models.command("list")
@click.option("--filter", "-f", "filter_string", metavar="TEXT", help="Only versions that this filter admits.")
@click.option("--max", "-n", "most", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@json_option
@store_option
def list_(filter_string: str | None, most: int, as_json: bool) -> None:
    """List registered models, each version on a line, the newest first.

    \b
    Examples:
      fitbook models list
      fitbook models list --filter "name = 'churn' AND version_number > 3"
      fitbook models list --json | jq -r '.[] | select(.stage == "Production") | .source'
    """
    registry = opened().registry
    order = ["name ASC", "version_number DESC"]
    versions = registry.search_model_versions(filter_string, max_results=most, order_by=order)
    if as_json:
        emit_json([_as_dict(version) for version in versions])
        return
    rows: list[list[str]] = [
        [
            version.name,
            str(version.version),
            ", ".join(version.aliases) or NOTHING,
            version.current_stage,
            short(version.run_id) or NOTHING,
            moment(version.creation_timestamp),
        ]
        for version in versions
    ]
    if not filter_string:
        empty = [m for m in registry.search_registered_models(max_results=1000) if not m.latest_versions]
        rows += [[m.name, NOTHING, NOTHING, NOTHING, NOTHING, moment(m.creation_timestamp)] for m in empty]
    if not rows:
        click.echo("No version fits. Leave out --filter to see more." if filter_string else NOTHING_YET)
        return
    click.echo(
        table(
            ["name", "version", "aliases", "stage", "run", "created"],
            sorted(rows, key=lambda row: row[0]),
            right=[1],
            keep=2,
        )
    )
    if versions.token:
        click.echo(f"These are the first {most} versions; --max shows more.")


def _as_dict(version: ModelVersion) -> dict[str, object]:
    return {
        "name": version.name,
        "version": version.version,
        "aliases": version.aliases,
        "stage": version.current_stage,
        "run_id": version.run_id,
        "model_id": version.model_id,
        "source": version.source,
        "status": version.status,
        "created": version.creation_timestamp,
        "updated": version.last_updated_timestamp,
        "description": version.description,
        "tags": version.tags,
    }
