"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite only auto-numbers INTEGER primary keys.
_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Double = sa.Float(53)


def upgrade() -> None:
    """Make all tables."""
    _experiments_and_runs()
    _contents()
    _datasets_and_models()
    _registry()


def _id() -> sa.Column[int]:
    return sa.Column("id", _Id, primary_key=True)


def _text(name: str, length: int | None = None, *, nullable: bool = False, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text() if length is None else sa.String(length), nullable=nullable, **more)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _owner(name: str, table: str, *, key: bool = True, index: bool = False) -> sa.Column[int]:
    owner = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, _Id, owner, primary_key=key, nullable=False, index=index)


def _value(name: str) -> sa.Column[float]:
    return sa.Column(name, _Double, nullable=False)


def _special() -> sa.Column[int]:
    return sa.Column("special", sa.SmallInteger, nullable=False, server_default="0")


def _experiments_and_runs() -> None:
    op.create_table(
        "experiments",
        _id(),
        _text("name", 256, unique=True),
        _text("artifact_location"),
        _text("lifecycle_stage", 8),
        _number("creation_time"),
        _number("last_update_time"),
    )
    op.create_table(
        "experiment_tags", _owner("experiment", "experiments"), _text("key", 250, primary_key=True), _text("value")
    )
    op.create_table(
        "runs",
        _id(),
        _text("run_id", 32, unique=True),
        sa.Column("experiment", _Id, sa.ForeignKey("experiments.id"), nullable=False),
        _text("name", 256),
        _text("user_id", 256),
        _text("status", 9),
        _text("lifecycle_stage", 8),
        _number("start_time"),
        _number("end_time", nullable=True),
        _number("deleted_time", nullable=True),
        sa.Index("ix_runs_newest", "experiment", "lifecycle_stage", "start_time", "id"),
    )


def _contents() -> None:
    op.create_table(
        "params",
        _owner("run", "runs"),
        _text("key", 250, primary_key=True),
        _text("value"),
        sa.Column("number", _Double),
        sa.Index("ix_params_number", "key", "number"),
    )
    op.create_table("tags", _owner("run", "runs"), _text("key", 250, primary_key=True), _text("value"))
    op.create_table(
        "metrics",
        _owner("run", "runs"),
        _text("key", 250, primary_key=True),
        _value("value"),
        _special(),
        _number("step"),
        _number("timestamp"),
        sa.Index("ix_metrics_value", "key", "value"),
    )
    op.create_table(
        "metric_points",
        _id(),
        _owner("run", "runs", key=False),
        _text("key", 250),
        _value("value"),
        _special(),
        _number("step"),
        _number("timestamp"),
        sa.Index("ix_metric_points_history", "run", "key"),
    )


def _datasets_and_models() -> None:
    op.create_table(
        "datasets",
        _id(),
        sa.Column("experiment", _Id, sa.ForeignKey("experiments.id"), nullable=False),
        _text("name", 256),
        _text("digest", 64),
        _text("source_type", 36),
        _text("source"),
        _text("schema", nullable=True),
        _text("profile", nullable=True),
        sa.UniqueConstraint("experiment", "name", "digest"),
    )
    op.create_table(
        "run_datasets",
        _owner("run", "runs"),
        sa.Column("dataset", _Id, sa.ForeignKey("datasets.id"), primary_key=True),
        _text("tags"),
    )
    op.create_table(
        "logged_models",
        _id(),
        _text("model_id", 34, unique=True),
        _owner("run", "runs", key=False, index=True),
        _text("artifact_path", 500),
        _text("flavor", 64),
        _text("sha256", 64),
        _number("size_bytes"),
        _number("creation_timestamp"),
    )


def _registry() -> None:
    op.create_table(
        "registered_models",
        _id(),
        _text("name", 256, unique=True),
        _text("description"),
        _number("creation_timestamp"),
        _number("last_updated_timestamp"),
    )
    op.create_table(
        "registered_model_tags",
        _owner("model", "registered_models"),
        _text("key", 250, primary_key=True),
        _text("value"),
    )
    op.create_table(
        "model_versions",
        _id(),
        _owner("model", "registered_models", key=False),
        sa.Column("version", sa.Integer, nullable=False),
        _text("stage", 20),
        _text("description"),
        _text("source"),
        _text("run_id", 32),
        _text("model_id", 34, nullable=True),
        _text("status", 20),
        _number("creation_timestamp"),
        _number("last_updated_timestamp"),
        sa.UniqueConstraint("model", "version"),
        sa.Index("ix_model_versions_run", "run_id"),
    )
    op.create_table(
        "model_version_tags", _owner("version", "model_versions"), _text("key", 250, primary_key=True), _text("value")
    )
    op.create_table(
        "model_aliases",
        _owner("model", "registered_models"),
        _text("alias", 256, primary_key=True),
        _owner("version", "model_versions", key=False),
    )
