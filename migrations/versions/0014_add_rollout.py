"""Add rollouts: orders that go through a fleet wave by wave, pause, and are rolled back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ROLLING = sa.text("rollout IS NOT NULL AND completed_at IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("execution") as batch:
        batch.add_column(sa.Column("rollout", sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("wave", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("waves", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("wave_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("paused_reason", sa.Text(), nullable=True))
        batch.add_column(sa.Column("let_pass", sa.JSON(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("rollback_document", sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("rollback_of", sa.String(), nullable=True))
        batch.create_unique_constraint(op.f("uq_execution_rollback_of"), ["rollback_of"])
    with op.batch_alter_table("device_job") as batch:
        batch.add_column(sa.Column("wave", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("is_held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_execution_rolling", "execution", ["id"], sqlite_where=_ROLLING, postgresql_where=_ROLLING)


def downgrade() -> None:
    op.drop_index("ix_execution_rolling", table_name="execution")
    with op.batch_alter_table("device_job") as batch:
        batch.drop_column("is_held")
        batch.drop_column("wave")
    with op.batch_alter_table("execution") as batch:
        batch.drop_constraint(op.f("uq_execution_rollback_of"), type_="unique")
        for name in (
            "rollback_of",
            "rollback_document",
            "let_pass",
            "paused_reason",
            "wave_at",
            "waves",
            "wave",
            "rollout",
        ):
            batch.drop_column(name)
