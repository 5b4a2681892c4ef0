"""Add what each device said last that it carries, so that most requests need not look for that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("device") as batch:
        batch.add_column(sa.Column("carried_mark", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    # By itself: a table that is made anew spells the default of another column otherwise.
    op.execute("ALTER TABLE device DROP COLUMN carried_mark")
