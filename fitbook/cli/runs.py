"""``fitbook runs``: list, show, compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import click

from fitbook.cli._common import json_option, store_option
from fitbook.cli._compared import compared_as_dict, compared_as_text, lasted
from fitbook.cli._output import NOTHING, emit_json, moment, number, printable, size, table
from fitbook.cli._record import NOTHING_YET, experiments, find_run, opened, run_as_dict, short
from fitbook.entities import FileInfo, Run
from fitbook.errors import InvalidValue
from fitbook.tracking._backend import Backend
from fitbook.tracking._compare import Comparison
from fitbook.tracking._subject import Subject

PARENT = "mlflow.parentRunId"
END_REASON = "fitbook.end_reason"
METRIC_COLUMNS = 3
MOST_FILES = 200


@click.group()
def runs() -> None:
    """List, show and compare runs."""


@runs.command("list")
@click.option("--experiment", "-e", "names", multiple=True, metavar="NAME", help="Only of this experiment; repeatable.")
@click.option("--filter", "-f", "filter_string", metavar="TEXT", help="Only runs that this filter admits.")
@click.option(
    "--order-by", "-o", multiple=True, metavar="KEY [DESC]", help="Order; repeatable. The newest first if not given."
)
@click.option("--max", "-n", "most", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--metrics", "-m", metavar="A,B", help="Metrics to show; the most common if not given.")
@click.option("--children", is_flag=True, help="Also child runs, e.g. the candidates of a grid search.")
@json_option
@store_option
def list_(
    names: tuple[str, ...],
    filter_string: str | None,
    order_by: tuple[str, ...],
    most: int,
    metrics: str | None,
    children: bool,
    as_json: bool,
) -> None:
    """List runs, the newest first.

    Child runs are left out unless --children or --filter is given.

    \b
    Examples:
      fitbook runs list --experiment churn --max 5
      fitbook runs list --filter "metrics.test_accuracy > 0.9 AND params.C = '1.0'"
      fitbook runs list --order-by "metrics.rmse ASC" --metrics rmse,r2
      fitbook runs list --json | jq -r '.[].run_id'
    """
    store = opened().store
    titles = {experiment.experiment_id: experiment.name for experiment in experiments(store, names)}
    wanted = filter_string or (None if children else f"tags.`{PARENT}` IS NULL")
    found = store.search_runs(list(titles), wanted, max_results=most, order_by=list(order_by))
    if as_json:
        emit_json([run_as_dict(run, titles[run.info.experiment_id]) for run in found])
        return
    if not found:
        narrowed = names or filter_string
        click.echo("No run fits. Leave out --filter or --experiment to see more." if narrowed else NOTHING_YET)
        return
    keys = [key.strip() for key in metrics.split(",") if key.strip()] if metrics is not None else _most_common(found)
    click.echo(_runs_table(found, titles, keys))
    if found.token:
        click.echo(f"These are the first {most}; --max shows more.")


@runs.command()
@click.argument("run")
@json_option
@store_option
def show(run: str, as_json: bool) -> None:
    """Show all of one run.

    RUN is its id, or any beginning of it that no other run shares.

    \b
    Examples:
      fitbook runs show 3f2a91bc
      fitbook runs show 3f2a --json | jq .metrics
    """
    backend = opened()
    found = find_run(backend.store, run)
    run_id = found.info.run_id
    experiment = backend.store.get_experiment(found.info.experiment_id).name
    children = backend.store.search_runs([found.info.experiment_id], f"tags.`{PARENT}` = '{run_id}'", max_results=1000)
    files, more = _files(backend, run_id)
    versions = backend.registry.search_model_versions(f"run_id = '{run_id}'", order_by=["name ASC"])
    if as_json:
        emit_json(
            run_as_dict(found, experiment)
            | {
                "artifacts": [{"path": file.path, "size": file.file_size} for file in files],
                "registered": [{"name": v.name, "version": v.version, "aliases": v.aliases} for v in versions],
                "children": [child.info.run_id for child in children],
            }
        )
        return
    click.echo(_facts(found, experiment))
    for version in versions:
        click.echo(printable("  ".join([f"registered  {version.name}/{version.version}", *version.aliases])))
    _section("Params", found.data.params)
    _section("Metrics", {key: number(value) for key, value in found.data.metrics.items()})
    _section("Tags", found.data.tags)
    if files:
        click.echo(f"\nArtifacts ({len(files)}{'+' if more else ''})")
        click.echo(table(["path", "size"], [[file.path, size(file.file_size)] for file in files], right=[1]))
    if children:
        shown = children[:20]
        click.echo(f"\nChild runs ({len(children)}{'+' if children.token else ''})")
        click.echo(_runs_table(shown, {found.info.experiment_id: experiment}, _most_common(shown)))
        if len(children) > len(shown):
            click.echo(
                f"All of them: fitbook runs list --filter \"tags.`{PARENT}` = '{run_id}'\" --max {len(children)}"
            )


@runs.command()
@click.argument("run", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also parameters that all of the runs share.")
@json_option
@store_option
def compare(run: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Put runs side by side: the parameters that differ, and all metrics.

    Each RUN is an id, or any beginning of it that no other run shares. A * marks the best value of a metric: the
    highest, or the lowest where its name speaks of a loss, an error or a time.

    \b
    Examples:
      fitbook runs compare 3f2a 9b01
      fitbook runs compare 3f2a 9b01 c4d5 --all
    """
    store = opened().store
    found = list({r.info.run_id: r for r in (find_run(store, beginning) for beginning in run)}.values())
    if len(found) < 2:
        raise InvalidValue("Comparing takes two runs or more; `fitbook runs list` shows their ids.")
    ids = [r.info.run_id for r in found]
    compared = Comparison([Subject(short(run_id), r) for run_id, r in zip(ids, found, strict=True)], {})
    if as_json:
        emit_json(compared_as_dict(compared, ids, everything=everything))
    else:
        click.echo(compared_as_text(compared, everything=everything))


def _runs_table(found: Sequence[Run], titles: Mapping[str, str], keys: Sequence[str]) -> str:
    rows = [
        [
            short(run.info.run_id),
            run.info.run_name,
            titles[run.info.experiment_id],
            run.info.status,
            moment(run.info.start_time)[:16],
            lasted(run),
            *(number(run.data.metrics[key]) if key in run.data.metrics else NOTHING for key in keys),
        ]
        for run in found
    ]
    headers = ["run", "name", "experiment", "status", "start", "duration", *keys]
    return table(headers, rows, right=range(5, len(headers)), whole=[0, *range(3, len(headers))], keep=2)


def _most_common(found: Sequence[Run]) -> list[str]:
    counts = Counter(key for run in found for key in sorted(run.data.metrics))
    return [key for key, _ in counts.most_common(METRIC_COLUMNS)]


def _facts(run: Run, experiment: str) -> str:
    info, tags = run.info, run.data.tags
    facts = [
        ("run", info.run_id),
        ("name", info.run_name),
        ("experiment", f"{experiment} (id {info.experiment_id})"),
        ("status", info.status if info.lifecycle_stage == "active" else f"{info.status}, deleted"),
        ("start", moment(info.start_time)),
        ("duration", lasted(run)),
        ("why", tags.get(END_REASON)),
        ("user", info.user_id),
        ("parent", tags.get(PARENT)),
        ("source", tags.get("mlflow.source.name")),
        ("artifacts", info.artifact_uri),
    ]
    return "\n".join(f"{name:<10}  {printable(value)}" for name, value in facts if value)


def _section(title: str, pairs: Mapping[str, str]) -> None:
    if pairs:
        click.echo(f"\n{title} ({len(pairs)})")
        click.echo(table(["key", "value"], [[key, pairs[key]] for key in sorted(pairs)]))


def _files(backend: Backend, run_id: str) -> tuple[list[FileInfo], bool]:
    """The first files of a run, depth first, and whether there are more."""
    artifacts = backend.artifacts(run_id)
    files: list[FileInfo] = []
    waiting = artifacts.list()[::-1]
    while waiting and len(files) < MOST_FILES:
        entry = waiting.pop()
        if entry.is_dir:
            waiting += artifacts.list(entry.path)[::-1]
        else:
            files.append(entry)
    return files, bool(waiting)
