"""Add what the pages of the fleet look through: orders by their time."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_execution_queued_at", "execution", ["queued_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_execution_queued_at", table_name="execution")
