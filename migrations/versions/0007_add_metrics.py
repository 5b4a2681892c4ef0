"""Add what runs are measured by: the samples of attempts, the lines of outputs, and what each day came to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns that may be null are added without the table being written anew.
    op.add_column("attempt", sa.Column("samples", sa.LargeBinary(), nullable=True))
    op.add_column("output", sa.Column("lines", sa.Integer(), nullable=True))
    op.create_table(
        "metric_day",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("tallies", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "day", name=op.f("pk_metric_day")),
    )
    op.create_index("ix_metric_day_day", "metric_day", ["day"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_metric_day_day", table_name="metric_day")
    op.drop_table("metric_day")
    op.drop_column("output", "lines")
    op.drop_column("attempt", "samples")
