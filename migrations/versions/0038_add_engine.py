"""Add the engine: workers, announcements, what their commands are writing, the broker, and which queues it carries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_WHOLE = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    op.add_column("queue", sa.Column("carrier", sa.String(), server_default="scheduler", nullable=False))
    op.create_table(
        "engine_worker",
        sa.Column("incarnation", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("pid", _WHOLE, nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("max_running", _WHOLE, nullable=False),
        sa.Column("running", _WHOLE, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beats", _WHOLE, nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("stopping_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("incarnation", name=op.f("pk_engine_worker")),
    )
    op.create_table(
        "announcement",
        sa.Column("run_id", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", _WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_announcement")),
    )
    op.create_table(
        "live_output",
        sa.Column("attempt_id", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("start", _WHOLE, nullable=False),
        sa.Column("size", _WHOLE, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", "stream", name=op.f("pk_live_output")),
    )
    op.create_table(
        "engine_broker",
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_engine_broker")),
    )


def downgrade() -> None:
    op.drop_table("engine_broker")
    op.drop_table("live_output")
    op.drop_table("announcement")
    op.drop_table("engine_worker")
    op.drop_column("queue", "carrier")
