"""Add steps: of a task, and what has become of those of an attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt_step",
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("stdout_from", sa.BigInteger(), nullable=True),
        sa.Column("stdout_to", sa.BigInteger(), nullable=True),
        sa.Column("stderr_from", sa.BigInteger(), nullable=True),
        sa.Column("stderr_to", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_attempt_step_attempt_id_attempt")),
        sa.PrimaryKeyConstraint("attempt_id", "number", name=op.f("pk_attempt_step")),
    )
    op.create_table(
        "log_mark",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_log_mark")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("steps", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("task", "steps")
    op.drop_table("log_mark")
    op.drop_table("attempt_step")
