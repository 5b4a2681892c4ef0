"""Add which unusual runs somebody has said were as they should be."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_expected",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_expected_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_expected")),
    )
    op.create_index("ix_run_expected_task", "run_expected", ["task_id", "run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("run_expected")
