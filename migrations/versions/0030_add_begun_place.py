"""Add by which machine and folder the process of an agent is known that has begun a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("device_job") as batch:
        batch.add_column(sa.Column("begun_place", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    # By itself: a table that is made anew spells the default of another column otherwise.
    op.execute("ALTER TABLE device_job DROP COLUMN begun_place")
