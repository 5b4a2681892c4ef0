"""Add what the pages of the fleet look through: orders by their time, and jobs of devices by when they ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ENDED = sa.text("is_newest AND completed_at IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_execution_queued_at", "execution", ["queued_at"], unique=False)
    op.create_index(
        "ix_device_job_ended",
        "device_job",
        ["completed_at", "state"],
        unique=False,
        sqlite_where=_ENDED,
        postgresql_where=_ENDED,
    )


def downgrade() -> None:
    op.drop_index("ix_device_job_ended", table_name="device_job")
    op.drop_index("ix_execution_queued_at", table_name="execution")
