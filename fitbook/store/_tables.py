"""Every table of the store, the registry's included: one metadata, one chain of schema revisions.

Inside, rows are joined by small integer keys; the 32-hex run ids that users see stand once, in ``runs.run_id``.
A number that SQL can't hold everywhere (NaN, ±infinity, -0.0) is kept exactly: ``special`` says which it is (1 to 4),
and ``value`` then holds what it sorts as. Texts are equal by their characters in every database (`Exact`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from fitbook.store._types import Exact

SCHEMA_REVISION = "0003"

metadata = MetaData()

# SQLite only auto-numbers INTEGER primary keys; the others want 64 bits.
_Id = BigInteger().with_variant(Integer, "sqlite")
_Double = Float(53)


# SQLite keeps the rows of what a run holds in the tree of the primary key, as MySQL does: looking one up is one way down
# a tree rather than two, an index leads to the run without the row, and a third of the file is saved.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


def _run_key() -> Column[int]:
    return Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


schema_version = Table("alembic_version", metadata, Column("version_num", Exact(32), primary_key=True))

experiments = Table(
    "experiments",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Exact(256), nullable=False, unique=True),
    Column("artifact_location", Exact, nullable=False),
    Column("lifecycle_stage", Exact(8), nullable=False),
    Column("creation_time", BigInteger, nullable=False),
    Column("last_update_time", BigInteger, nullable=False),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment", _Id, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Exact(250), primary_key=True),
    Column("value", Exact, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", Exact(32), nullable=False, unique=True),
    Column("experiment", _Id, ForeignKey("experiments.id"), nullable=False),
    Column("name", Exact(256), nullable=False),
    Column("user_id", Exact(256), nullable=False),
    Column("status", Exact(9), nullable=False),
    Column("lifecycle_stage", Exact(8), nullable=False),
    Column("start_time", BigInteger, nullable=False),
    Column("end_time", BigInteger),
    Column("deleted_time", BigInteger),
    # What the tag mlflow.parentRunId says: an id rather than a key, for the parent may come later, or never.
    Column("parent_run_id", Exact(32)),
    # Until when the run's process has promised to be alive, by the database's clock. None once somebody has ended it, and
    # 0 once it was ended because this moment had passed.
    Column("lease_until", BigInteger),
    Index("ix_runs_newest", "experiment", "lifecycle_stage", "start_time", "id"),
    Index("ix_runs_parent", "parent_run_id"),
    Index("ix_runs_lease", "lease_until"),
)

params = Table(
    "params",
    metadata,
    _run_key(),
    Column("key", Exact(250), primary_key=True),
    Column("value", Exact, nullable=False),
    Column("number", _Double),
    Index("ix_params_number", "key", "number"),
    **_CLUSTERED,
)

tags = Table(
    "tags",
    metadata,
    _run_key(),
    Column("key", Exact(250), primary_key=True),
    Column("value", Exact, nullable=False),
    **_CLUSTERED,
)

# Every correction of a parameter that was written already: the old values are never lost.
param_changes = Table(
    "param_changes",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Exact(250), nullable=False),
    Column("old_value", Exact, nullable=False),
    Column("new_value", Exact, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("user_id", Exact(256), nullable=False),
    Column("reason", Exact, nullable=False),
    Index("ix_param_changes_run", "run", "key"),
)

# The value that a metric has now: of the highest step, then the latest timestamp, then the last written. And the
# lowest and highest it ever had: NaN counts for neither, an infinity as the largest float, none if there was only NaN.
metrics = Table(
    "metrics",
    metadata,
    _run_key(),
    Column("key", Exact(250), primary_key=True),
    Column("value", _Double, nullable=False),
    Column("special", SmallInteger, nullable=False, server_default="0"),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("lowest", _Double),
    Column("highest", _Double),
    Index("ix_metrics_value", "key", "value", "special"),
    **_CLUSTERED,
)

metric_points = Table(
    "metric_points",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("key", Exact(250), nullable=False),
    Column("value", _Double, nullable=False),
    Column("special", SmallInteger, nullable=False, server_default="0"),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Index("ix_metric_points_history", "run", "key"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("experiment", _Id, ForeignKey("experiments.id"), nullable=False),
    Column("name", Exact(256), nullable=False),
    Column("digest", Exact(64), nullable=False),
    Column("source_type", Exact(36), nullable=False),
    Column("source", Exact, nullable=False),
    Column("schema", Exact),
    Column("profile", Exact),
    UniqueConstraint("experiment", "name", "digest"),
)

run_datasets = Table(
    "run_datasets",
    metadata,
    _run_key(),
    Column("dataset", _Id, ForeignKey("datasets.id"), primary_key=True),
    Column("tags", Exact, nullable=False),
    Index("ix_run_datasets_dataset", "dataset"),
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("model_id", Exact(34), nullable=False, unique=True),
    Column("run", _Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("artifact_path", Exact(500), nullable=False),
    Column("flavor", Exact(64), nullable=False),
    Column("sha256", Exact(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False),
)

# The files of runs, as they were when fitbook wrote them.
files = Table(
    "files",
    metadata,
    _run_key(),
    # MySQL's keys end at 3072 bytes, of which a character may need four.
    Column("path", Exact(700), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Exact(64), nullable=False),
)

registered_models = Table(
    "registered_models",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Exact(256), nullable=False, unique=True),
    Column("description", Exact, nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
)

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    Column("model", _Id, ForeignKey("registered_models.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Exact(250), primary_key=True),
    Column("value", Exact, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("model", _Id, ForeignKey("registered_models.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("stage", Exact(20), nullable=False),
    Column("description", Exact, nullable=False),
    Column("source", Exact, nullable=False),
    Column("run_id", Exact(32), nullable=False),
    Column("model_id", Exact(34)),
    Column("status", Exact(20), nullable=False),
    Column("creation_timestamp", BigInteger, nullable=False),
    Column("last_updated_timestamp", BigInteger, nullable=False),
    UniqueConstraint("model", "version"),
    Index("ix_model_versions_run", "run_id"),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("version", _Id, ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Exact(250), primary_key=True),
    Column("value", Exact, nullable=False),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("model", _Id, ForeignKey("registered_models.id", ondelete="CASCADE"), primary_key=True),
    Column("alias", Exact(256), primary_key=True),
    Column("version", _Id, ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False),
)

# Every move of an alias, or of a version's stage, and every decision to leave one: rows are added, and never change but
# for the name, which is the model's present one, or its last. They outlive versions and models.
model_moves = Table(
    "model_moves",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("model", _Id, ForeignKey("registered_models.id", ondelete="SET NULL")),
    Column("name", Exact(256), nullable=False),
    Column("alias", Exact(256)),  # that was moved; none if it was the stage of ``version``
    Column("version", Integer),
    Column("old_value", Exact(20)),  # the number of a version, or a stage; none where there was none
    Column("new_value", Exact(20)),
    Column("timestamp", BigInteger, nullable=False),
    Column("user_id", Exact(256), nullable=False),
    Column("reason", Exact, nullable=False),
    Column("figures", Exact),  # JSON: what a promotion was decided by
    Column("undoes", _Id),
    Column("part_of", _Id),  # the move that this one belongs to
    Index("ix_model_moves_model", "model"),
    Index("ix_model_moves_name", "name"),
)
