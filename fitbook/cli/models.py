"""``fitbook models``: what is registered, what has become of it, and whether it is whole."""

from __future__ import annotations

import os

import click

from fitbook.cli._common import json_option, store_option
from fitbook.cli._output import NOTHING, emit_json, moment, printable, table
from fitbook.cli._record import opened, short
from fitbook.entities import ModelMove, ModelVersion
from fitbook.registry import PARENT_TAG
from fitbook.tracking import set_tracking_uri
from fitbook.tracking._context import user_name
from fitbook.tracking._verify import verify_model

NOTHING_YET = (
    'No models are registered yet. `fitbook.autolog(registered_model_name="churn")` registers every fitted model, '
    '`fitbook.register_model("runs:/<run id>/model", "churn")` one that is recorded.'
)


@click.group()
def models() -> None:
    """List registered models, tell and undo their history, verify models."""


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


@models.command()
@click.argument("name")
@click.option("--max", "-n", "most", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@json_option
@store_option
def history(name: str, most: int, as_json: bool) -> None:
    """Tell who has moved which alias or stage of a model, and how promotions were decided, the newest first.

    Also of a model that was deleted.

    \b
    Examples:
      fitbook models history churn
      fitbook models history churn --json | jq '.[].figures'
    """
    entries = opened().registry.get_model_history(name, most)
    if as_json:
        emit_json([entry.to_dictionary() for entry in entries])
        return
    if not entries:
        click.echo(f"No alias or stage of {printable(name)} has been moved yet.")
        return
    click.echo(_history_table(entries))
    quoted = name.replace("'", "''")
    for version in opened().registry.search_model_versions(f"name = '{quoted}'", order_by=["version_number DESC"]):
        if PARENT_TAG in version.tags:
            click.echo(printable(f"Version {version.version} comes from {version.tags[PARENT_TAG]}."))


@models.command()
@click.argument("name")
@click.option("--entry", type=click.IntRange(1), help="Number of the entry; of the last move if not given.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the history.")
@json_option
@store_option
def undo(name: str, entry: int | None, reason: str, as_json: bool) -> None:
    """Put an alias or stage back to where it was before a move; the undo becomes an entry of the history itself.

    Without --entry, each call goes one move further back.

    \b
    Examples:
      fitbook models undo churn
      fitbook models undo churn --entry 7 --reason "wrong data"
    """
    made = opened().registry.undo_model_move(name, entry, user_id=user_name(), reason=reason)
    if as_json:
        emit_json([each.to_dictionary() for each in made])
        return
    for each in made:
        back = "removed" if each.new is None else f"back at {each.new}"
        click.echo(printable(f"{each.subject[0].upper()}{each.subject[1:]} is {back} (it was {each.old or 'gone'})."))


@models.command()
@click.argument("uri")
@json_option
@store_option
def verify(uri: str, as_json: bool) -> None:
    """Look whether a model is what was written, and works here.

    Hashes its files, holds its requirements against what is installed, loads it, and predicts its input example. Exits with
    1 if something is wrong. A model whose files have changed is not loaded.

    \b
    Examples:
      fitbook models verify churn@champion
      fitbook models verify runs:/3f2a91bc…/model
      fitbook models verify ./model
    """
    set_tracking_uri(opened().uri)
    checks = []
    # A version's short form, unless it is a folder.
    is_version = ":" not in uri and not uri.startswith((".", "/", "~")) and not os.path.exists(uri)
    for check in verify_model(f"models:/{uri}" if is_version and ("/" in uri or "@" in uri) else uri):
        checks.append(check)
        if not as_json:
            mark = "-" if check.ok is None else "ok" if check.ok else "FAIL"
            click.echo(f"{mark:<4}  {check.name:<12}  {printable(check.detail)}")
    if as_json:
        emit_json([{"check": check.name, "ok": check.ok, "detail": check.detail} for check in checks])
    if any(check.ok is False for check in checks):
        click.get_current_context().exit(1)


def _history_table(entries: list[ModelMove]) -> str:
    rows = [
        [
            str(entry.number),
            moment(entry.timestamp),
            entry.user_id or NOTHING,
            f"@{entry.alias}" if entry.alias is not None else f"stage of {entry.version}",
            entry.old or NOTHING,
            "kept" if entry.old == entry.new else entry.new or NOTHING,
            "; ".join(filter(None, [f"undoes {entry.undoes}" if entry.undoes else "", entry.reason])),
        ]
        for entry in entries
    ]
    return table(["entry", "when", "who", "what", "from", "to", "why"], rows, right=[0], keep=6)


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
