"""Add what the protocol of the agents remembers: which process of an agent asks, and which may begin what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("device") as batch:
        batch.add_column(sa.Column("incarnation", sa.String(), nullable=False, server_default=sa.text("''")))
        batch.add_column(sa.Column("incarnation_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("poll_seq", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("last_fence", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("conflict_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("conflict_from", sa.String(), nullable=False, server_default=sa.text("''")))
        batch.add_column(sa.Column("facts_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("device_job") as batch:
        batch.add_column(sa.Column("fence", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("begun_by", sa.String(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    with op.batch_alter_table("device_job") as batch:
        batch.drop_column("begun_by")
        batch.drop_column("fence")
    with op.batch_alter_table("device") as batch:
        for name in (
            "facts_at",
            "conflict_from",
            "conflict_at",
            "last_fence",
            "poll_seq",
            "incarnation_at",
            "incarnation",
        ):
            batch.drop_column(name)
