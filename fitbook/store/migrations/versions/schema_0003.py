"""The history of aliases and stages."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LONGTEXT = 2**32 - 1


def upgrade() -> None:
    """Add the table; what was moved before is not known. MySQL may have kept it from an upgrade that was killed."""
    if "model_moves" in sa.inspect(op.get_bind()).get_table_names():
        return
    op.create_table(
        "model_moves",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("model", _Id, sa.ForeignKey("registered_models.id", ondelete="SET NULL")),
        sa.Column("name", _exact(256), nullable=False),
        sa.Column("alias", _exact(256)),
        sa.Column("version", sa.Integer),
        sa.Column("old_value", _exact(20)),
        sa.Column("new_value", _exact(20)),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("user_id", _exact(256), nullable=False),
        sa.Column("reason", _exact(), nullable=False),
        sa.Column("figures", _exact()),
        sa.Column("undoes", _Id),
        sa.Column("part_of", _Id),
        sa.Index("ix_model_moves_model", "model"),
        sa.Index("ix_model_moves_name", "name"),
    )


def _exact(length: int = 0) -> sa.types.TypeEngine[str]:
    """The type of a text that is equal and ordered by its characters."""
    dialect: Any = op.get_bind().dialect
    if dialect.name == "postgresql":
        return sa.String(length or None, collation="C")
    if dialect.name in ("mysql", "mariadb"):
        collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
        return sa.String(length, collation=collation) if length else sa.Text(_LONGTEXT, collation=collation)
    return sa.String(length) if length else sa.Text()
