"""Find the children of chains that wait for further parents without looking at all that has ever come to one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

#: Of a chain that is over nothing waits; what goes on is judged by the scheduler.
_CLOSE = """
UPDATE chain_arrival SET used_by = 0
WHERE used_by IS NULL AND group_id <> 0 AND group_id NOT IN (
    SELECT coalesce(group_id, id) FROM run
    WHERE state IN ('queued', 'claimed', 'starting', 'running', 'cancelling', 'retry_wait')
)
"""


def upgrade() -> None:
    op.execute(_CLOSE)
    waiting = sa.text("used_by IS NULL")
    op.create_index(
        "ix_chain_arrival_open",
        "chain_arrival",
        ["group_id", "child_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    op.drop_index("ix_chain_arrival_open", table_name="chain_arrival")
