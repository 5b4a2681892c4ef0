"""Add when a schedule is due to what devices were given of it, so that they can tell of no other moments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("carried_version", sa.Column("timing", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("carried_version", "timing")
