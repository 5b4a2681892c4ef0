"""Add links between tasks, how parents have ended, and the groups of runs that come of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_GROUPED = sa.text("group_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("task", sa.Column("after", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("task", sa.Column("join", sa.String(), server_default="all", nullable=False))
    op.add_column("run", sa.Column("group_id", sa.Integer(), nullable=True))
    op.add_column("run", sa.Column("round", sa.Integer(), server_default="0", nullable=False))
    op.add_column("run", sa.Column("parents", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "ix_run_group", "run", ["group_id", "round"], unique=False, sqlite_where=_GROUPED, postgresql_where=_GROUPED
    )
    op.create_table(
        "task_link",
        sa.Column("child_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.Column("on_end", sa.String(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["child_id"], ["task.id"], name=op.f("fk_task_link_child_id_task")),
        sa.ForeignKeyConstraint(["parent_id"], ["task.id"], name=op.f("fk_task_link_parent_id_task")),
        sa.PrimaryKeyConstraint("child_id", "parent_id", name=op.f("pk_task_link")),
    )
    op.create_index("ix_task_link_parent", "task_link", ["parent_id"], unique=False)
    op.create_table(
        "chain_arrival",
        sa.Column("child_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("used_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["child_id"], ["task.id"], name=op.f("fk_chain_arrival_child_id_task")),
        sa.ForeignKeyConstraint(["parent_id"], ["task.id"], name=op.f("fk_chain_arrival_parent_id_task")),
        sa.PrimaryKeyConstraint("child_id", "group_id", "parent_id", name=op.f("pk_chain_arrival")),
    )
    op.create_index("ix_chain_arrival_run", "chain_arrival", ["run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("chain_arrival")
    op.drop_table("task_link")
    op.drop_index("ix_run_group", table_name="run")
    op.drop_column("run", "parents")
    op.drop_column("run", "round")
    op.drop_column("run", "group_id")
    op.drop_column("task", "join")
    op.drop_column("task", "after")
