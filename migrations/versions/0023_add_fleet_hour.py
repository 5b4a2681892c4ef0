"""Add what is kept of deleted orders, and find the reports of a job without looking at all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fleet_hour",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "state", name=op.f("pk_fleet_hour")),
    )
    op.create_index("ix_device_report_device_job_id", "device_report", ["device_job_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_device_report_device_job_id", table_name="device_report")
    op.drop_table("fleet_hour")
