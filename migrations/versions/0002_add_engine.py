"""Add what the engine needs to keep its promises: pauses, queues, incidents, daily totals, retries and decisions of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TROUBLED = "state IN ('failed', 'timed_out', 'cancelled', 'lost', 'skipped', 'missed')"


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("incarnation", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index("ix_incident_at", ["at"], unique=False)

    op.create_table(
        "pause",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_pause")),
    )
    op.create_table(
        "queue",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_queue")),
    )
    op.create_table(
        "run_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("longest_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("day", "task_id", "state", name=op.f("pk_run_day")),
    )
    op.create_index("ix_run_day_task", "run_day", ["task_id", "day"], unique=False)
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("queue", sa.String(), server_default="default", nullable=False))
        batch_op.add_column(sa.Column("priority", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("start_by", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("rerun_of", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("decision", sa.String(), nullable=True))
        batch_op.create_index(
            "ix_run_queued",
            ["state", "priority", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.drop_index("ix_run_due")
        batch_op.create_index("ix_run_due", ["due_at", "state", "stands_for"], unique=False)
        batch_op.create_index(
            "ix_run_task_troubled",
            ["task_id", "state", "id"],
            unique=False,
            sqlite_where=sa.text(_TROUBLED),
            postgresql_where=sa.text(_TROUBLED),
        )
        batch_op.create_index(
            "ix_run_not_scheduled",
            ["trigger", "id"],
            unique=False,
            sqlite_where=sa.text("trigger <> 'schedule'"),
            postgresql_where=sa.text("trigger <> 'schedule'"),
        )
        batch_op.create_index(
            "ix_run_decision",
            ["id"],
            unique=False,
            sqlite_where=sa.text("decision = 'open'"),
            postgresql_where=sa.text("decision = 'open'"),
        )
    _count_days()


def _count_days() -> None:
    """Fill the daily totals from the runs that have ended already."""
    if op.get_bind().dialect.name == "sqlite":
        day, took = "substr(due_at, 1, 10)", "(julianday(ended_at) - julianday(started_at)) * 86400.0"
    else:
        day = "CAST(due_at AT TIME ZONE 'UTC' AS date)"
        took = "CAST(extract(epoch FROM ended_at - started_at) AS double precision)"
    op.execute(
        f"""
        INSERT INTO run_day (day, task_id, state, runs, occurrences, seconds, longest_seconds)
        SELECT {day}, task_id, state, count(*), sum(stands_for), coalesce(sum({took}), 0), coalesce(max({took}), 0)
        FROM run
        WHERE state IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'skipped', 'missed')
        GROUP BY 1, 2, 3
        """  # noqa: S608 - the two expressions stand above
    )


def downgrade() -> None:
    # Without a batch: that would make the table anew, without the promise that a number of a run never comes back.
    op.drop_index("ix_run_decision", table_name="run")
    for index in ("ix_run_queued", "ix_run_not_scheduled", "ix_run_task_troubled", "ix_run_due"):
        op.drop_index(index, table_name="run")
    op.create_index("ix_run_due", "run", ["due_at"], unique=False)
    for column in ("decision", "rerun_of", "retry_at", "start_by", "priority", "queue"):
        op.drop_column("run", column)
    for table in ("run_day", "queue", "pause", "incident"):
        op.drop_table(table)
