"""Add what runs were like beside the earlier ones of their tasks, and which failures are the same one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_verdict",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_verdict_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_verdict")),
    )
    op.create_index("ix_run_verdict_task", "run_verdict", ["task_id", "run_id"], unique=False)
    op.create_table(
        "failure_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_run_id", sa.Integer(), nullable=False),
        sa.Column("first_task_name", sa.String(), nullable=False),
        sa.Column("first_task_version", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run_id", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("note_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure_group")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_failure_group_fingerprint")),
    )
    op.create_table(
        "failure",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("task_version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["failure_group.id"], name=op.f("fk_failure_group_id_failure_group")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_failure_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_failure")),
    )
    op.create_index("ix_failure_group", "failure", ["group_id", "task_id", "run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("failure")
    op.drop_table("failure_group")
    op.drop_table("run_verdict")
