"""Find what devices have not heard of without looking at all that they have done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    untold = sa.text("NOT is_cancel_told")
    op.create_index("ix_device_job_untold", "device_job", ["device_id"], sqlite_where=untold, postgresql_where=untold)


def downgrade() -> None:
    op.drop_index("ix_device_job_untold", table_name="device_job")
