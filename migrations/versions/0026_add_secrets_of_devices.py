"""Add which device was given a secret."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_ADDED = {"secret": ("used_device_uuid", "used_device_name"), "secret_use": ("device_uuid", "device_name", "job_id")}


def upgrade() -> None:
    for table, names in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.add_column(sa.Column(name, sa.String(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    # What is left would be taken for runs of the number 0.
    op.execute("DELETE FROM secret_use WHERE device_uuid <> ''")
    for table, names in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.drop_column(name)
