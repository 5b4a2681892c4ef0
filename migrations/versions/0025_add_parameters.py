"""Add the parameters of tasks, and the values that runs were given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("parameters", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("task", sa.Column("parameter_sets", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("run", sa.Column("parameters", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "parameters")
    op.drop_column("task", "parameter_sets")
    op.drop_column("task", "parameters")
