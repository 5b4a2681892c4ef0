"""Add named sets of environment variables, and which of them tasks name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environment_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment_set")),
        sa.UniqueConstraint("name", name=op.f("uq_environment_set_name")),
    )
    op.add_column("task", sa.Column("environment_sets", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("task", sa.Column("set_variables", sa.JSON(), server_default="{}", nullable=False))


def downgrade() -> None:
    op.drop_column("task", "set_variables")
    op.drop_column("task", "environment_sets")
    op.drop_table("environment_set")
