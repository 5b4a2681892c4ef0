"""Add schedules that devices carry: what each device was given, and what has become of the moments there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_CARRIED = sa.text("is_carried AND is_active")


def upgrade() -> None:
    with op.batch_alter_table("fleet_schedule") as batch:
        batch.add_column(sa.Column("is_carried", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("catch_up", sa.String(), nullable=False, server_default="last"))
        batch.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("counts_from", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_fleet_schedule_carried", "fleet_schedule", ["id"], sqlite_where=_CARRIED, postgresql_where=_CARRIED
    )
    with op.batch_alter_table("execution") as batch:
        batch.add_column(sa.Column("moment_key", sa.String(), nullable=True))
    op.create_index("ix_execution_moment", "execution", ["moment_key"], unique=True)
    _create_tables()


def _create_tables() -> None:
    op.create_table(
        "carried_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schedule_uuid", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carried_version")),
        sa.UniqueConstraint("schedule_uuid", "version", name=op.f("uq_carried_version_schedule_uuid_version")),
    )
    op.create_table(
        "carried_copy",
        sa.Column("schedule_uuid", sa.String(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("given_version", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_carried_copy_device_id_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("schedule_uuid", "device_id", name=op.f("pk_carried_copy")),
    )
    op.create_index("ix_carried_copy_device", "carried_copy", ["device_id"])
    op.create_table(
        "carried_moment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schedule_uuid", sa.String(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("stands_for", sa.Integer(), nullable=False),
        sa.Column("device_job_id", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_carried_moment_device_id_device"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["device_job_id"],
            ["device_job.id"],
            name=op.f("fk_carried_moment_device_job_id_device_job"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carried_moment")),
        sa.UniqueConstraint(
            "schedule_uuid", "device_id", "key", name=op.f("uq_carried_moment_schedule_uuid_device_id_key")
        ),
    )
    op.create_index("ix_carried_moment_due", "carried_moment", ["schedule_uuid", "due_at", "id"])
    op.create_index("ix_carried_moment_reported", "carried_moment", ["reported_at"])
    op.create_index("ix_carried_moment_device_job_id", "carried_moment", ["device_job_id"])


def downgrade() -> None:
    for name in ("carried_moment", "carried_copy", "carried_version"):
        op.drop_table(name)
    op.drop_index("ix_execution_moment", table_name="execution")
    with op.batch_alter_table("execution") as batch:
        batch.drop_column("moment_key")
    op.drop_index("ix_fleet_schedule_carried", table_name="fleet_schedule")
    with op.batch_alter_table("fleet_schedule") as batch:
        for name in ("counts_from", "version", "catch_up", "is_carried"):
            batch.drop_column(name)
