"""Parents and leases of runs, bounds of metrics, corrections of parameters, files; texts that compare exactly.

MySQL commits with every change of a table, so a migration may have to go on where another was killed: each step looks
whether it was done.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Double = sa.Float(53)
_NAN = 1
_LONGTEXT = 2**32 - 1

# Every text of schema 0001: its table and name, the length (0 for any), and whether it may be null.
_TEXTS = """
    alembic_version.version_num 32
    experiments.name 256            experiments.artifact_location 0  experiments.lifecycle_stage 8
    experiment_tags.key 250         experiment_tags.value 0
    runs.run_id 32                  runs.name 256                    runs.user_id 256
    runs.status 9                   runs.lifecycle_stage 8
    params.key 250                  params.value 0
    tags.key 250                    tags.value 0
    metrics.key 250                 metric_points.key 250
    datasets.name 256               datasets.digest 64               datasets.source_type 36
    datasets.source 0               datasets.schema null             datasets.profile null
    run_datasets.tags 0
    logged_models.model_id 34       logged_models.artifact_path 500  logged_models.flavor 64
    logged_models.sha256 64
    registered_models.name 256      registered_models.description 0
    registered_model_tags.key 250   registered_model_tags.value 0
    model_versions.stage 20         model_versions.description 0     model_versions.source 0
    model_versions.run_id 32        model_versions.model_id 34null   model_versions.status 20
    model_version_tags.key 250      model_version_tags.value 0
    model_aliases.alias 256
"""


def upgrade() -> None:
    """Change the tables, then fill in what they already say elsewhere."""
    if op.get_bind().dialect.name != "sqlite":
        _make_texts_exact()
    _add_columns("runs", sa.Column("parent_run_id", _exact(32)), sa.Column("lease_until", sa.BigInteger))
    _add_columns("metrics", sa.Column("lowest", _Double), sa.Column("highest", _Double))
    _add_index("ix_runs_parent", "runs", "parent_run_id")
    _add_index("ix_runs_lease", "runs", "lease_until")
    _add_index("ix_run_datasets_dataset", "run_datasets", "dataset")
    _add_tables()
    _fill_bounds()
    _fill_parents()
    _lend_time()
    _widen_index_of_metrics()
    if op.get_bind().dialect.name == "sqlite":
        _cluster("params", sa.Index("ix_params_number", "key", "number"))
        _cluster("tags")
        _cluster("metrics", sa.Index("ix_metrics_value", "key", "value", "special"))


def _lend_time() -> None:
    """Give a week to every run that is said to go on: most of their processes have died long ago, and nobody noted it."""
    runs = sa.table("runs", sa.column("status", sa.String), sa.column("lease_until", sa.BigInteger))
    unattended = sa.and_(runs.c.status == "RUNNING", runs.c.lease_until.is_(None))
    until = int((time.time() + 7 * 24 * 3600) * 1000)
    op.execute(runs.update().where(unattended).values(lease_until=until))


def _exact(length: int = 0) -> sa.types.TypeEngine[str]:
    """The type of a text that is equal and ordered by its characters."""
    dialect: Any = op.get_bind().dialect
    if dialect.name == "postgresql":
        return sa.String(length or None, collation="C")
    if dialect.name in ("mysql", "mariadb"):
        collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
        return sa.String(length, collation=collation) if length else sa.Text(_LONGTEXT, collation=collation)
    return sa.String(length) if length else sa.Text()


def _make_texts_exact() -> None:
    words = _TEXTS.split()
    for place, form in zip(words[::2], words[1::2], strict=True):
        table, _, column = place.partition(".")
        length = int(form.removesuffix("null") or 0)
        op.alter_column(table, column, type_=_exact(length), existing_nullable=form.endswith("null"))


def _add_columns(table: str, *columns: sa.Column[Any]) -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)


def _add_index(name: str, table: str, *columns: str) -> None:
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns))


def _add_tables() -> None:
    there = sa.inspect(op.get_bind()).get_table_names()
    if "param_changes" not in there:
        op.create_table(
            "param_changes",
            sa.Column("id", _Id, primary_key=True),
            sa.Column("run", _Id, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
            sa.Column("key", _exact(250), nullable=False),
            sa.Column("old_value", _exact(), nullable=False),
            sa.Column("new_value", _exact(), nullable=False),
            sa.Column("timestamp", sa.BigInteger, nullable=False),
            sa.Column("user_id", _exact(256), nullable=False),
            sa.Column("reason", _exact(), nullable=False),
            sa.Index("ix_param_changes_run", "run", "key"),
        )
    if "files" not in there:
        op.create_table(
            "files",
            sa.Column("run", _Id, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("path", _exact(700), primary_key=True),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("sha256", _exact(64), nullable=False),
        )


def _fill_bounds() -> None:
    m = sa.table("metrics", *map(sa.column, ("run", "key", "lowest", "highest")))
    p = sa.table("metric_points", *map(sa.column, ("run", "key", "value", "special")))
    numbers = sa.and_(p.c.run == m.c.run, p.c.key == m.c.key, p.c.special != _NAN)
    op.execute(
        m.update().values(
            lowest=sa.select(sa.func.min(p.c.value)).where(numbers).scalar_subquery(),
            highest=sa.select(sa.func.max(p.c.value)).where(numbers).scalar_subquery(),
        )
    )


def _fill_parents() -> None:
    runs = sa.table("runs", sa.column("id"), sa.column("parent_run_id"))
    tags = sa.table("tags", *map(sa.column, ("run", "key", "value")))
    connection = op.get_bind()
    found = connection.execute(sa.select(tags.c.run, tags.c.value).where(tags.c.key == "mlflow.parentRunId"))
    rows = [{"child": run, "parent": parent} for run, parent in found if parent.isascii() and 0 < len(parent) <= 32]
    if rows:
        change = runs.update().where(runs.c.id == sa.bindparam("child")).values(parent_run_id=sa.bindparam("parent"))
        connection.execute(change, rows)


def _widen_index_of_metrics() -> None:
    found = {index["name"]: index["column_names"] for index in sa.inspect(op.get_bind()).get_indexes("metrics")}
    if found.get("ix_metrics_value") == ["key", "value"]:
        op.drop_index("ix_metrics_value", "metrics")
    _add_index("ix_metrics_value", "metrics", "key", "value", "special")


def _cluster(name: str, *indices: sa.Index) -> None:
    """Move a table of SQLite's to the tree of its primary key."""
    old = sa.Table(name, sa.MetaData(), autoload_with=op.get_bind(), resolve_fks=False)
    columns = [column.name for column in old.columns]
    copies = [
        sa.Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable, server_default=c.server_default)
        for c in old.columns
    ]
    owner = sa.ForeignKeyConstraint(["run"], ["runs.id"], ondelete="CASCADE")
    op.create_table(f"{name}_clustered", *copies, owner, sqlite_with_rowid=False)
    new = sa.table(f"{name}_clustered", *map(sa.column, columns))
    op.execute(new.insert().from_select(columns, sa.select(old).order_by(old.c.run, old.c.key)))
    op.drop_table(name)
    op.rename_table(f"{name}_clustered", name)
    for index in indices:
        op.create_index(index.name, name, [str(expression) for expression in index.expressions])
