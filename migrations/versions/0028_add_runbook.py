"""Add runbooks and links of tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("runbook", sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column("task", sa.Column("links", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("task", "links")
    op.drop_column("task", "runbook")
