"""Add the lease of the scheduler that does what is done once for all of them, and how busy each one's machine is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.add_column("scheduler", sa.Column("load", sa.Double(), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE scheduler DROP COLUMN load")
    op.drop_table("lease")
