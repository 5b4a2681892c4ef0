"""Add the fleet: devices, templates and handlers, orders to many devices, and what the devices say.

The three templates and two handlers with which the fleet begins are put in here, so that who deletes one does not find it again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEGUN_AT = datetime(2026, 11, 29, tzinfo=UTC)
_RESTART = {
    "name": "restart",
    "type": "runCommand",
    "input": {"command": "systemctl,restart,{{SERVICE_NAME}}"},
    "runAsUser": "root",
}
_SERVICE = {"SERVICE_NAME": {"description": "Name of the service"}}
_CONFIG = {
    "CONFIG_PATH": {"description": "Path of the file on the device"},
    "CONFIG_URL": {"description": "Where the new file is fetched from"},
}
TEMPLATES = (
    {
        "name": "restart-service",
        "description": "Restart a service",
        "category": "system",
        "document": {"version": "1.0", "steps": [_RESTART], "includeStdOut": True, "variables": _SERVICE},
    },
    {
        "name": "update-config",
        "description": "Keep a copy of a configuration file, fetch the new one and restart its service",
        "category": "system",
        "document": {
            "version": "1.0",
            "steps": [
                {
                    "name": "keep a copy",
                    "type": "runCommand",
                    "input": {"command": "cp,{{CONFIG_PATH}},{{CONFIG_PATH}}.backup"},
                },
                {
                    "name": "fetch",
                    "type": "runHandler",
                    "input": {
                        "handler": "download-file",
                        "args": ["{{CONFIG_URL}}", "{{CONFIG_PATH}}"],
                        "path": "default",
                    },
                },
            ],
            "finalStep": _RESTART,
            "includeStdOut": True,
            "variables": {**_CONFIG, **_SERVICE},
        },
    },
    {
        "name": "health-check",
        "description": "Disk, memory and one service",
        "category": "maintenance",
        "document": {
            "version": "1.0",
            "steps": [
                {"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}},
                {"name": "memory", "type": "runCommand", "input": {"command": "free,-h"}},
                {"name": "service", "type": "runCommand", "input": {"command": "systemctl,status,{{SERVICE_NAME}}"}},
            ],
            "includeStdOut": True,
            "variables": {"SERVICE_NAME": {"description": "Name of the service", "defaultValue": "cron"}},
        },
    },
)
# The first argument of a handler is the user that its step names, empty or not.
HANDLERS = (
    {
        "name": "download-file",
        "description": "Fetch a file: arguments are its URL and where it goes",
        "script_content": '#!/bin/bash\n# $1 user, $2 URL, $3 destination\nexec curl -fsSL -o "$3" -- "$2"\n',
    },
    {
        "name": "backup-directory",
        "description": "Pack a directory: arguments are the directory and the name of the archive in /var/backups",
        "script_content": (
            "#!/bin/bash\n# $1 user, $2 source, $3 name\n"
            'mkdir -p /var/backups && exec tar -czf "/var/backups/$3.tar.gz" -- "$2"\n'
        ),
    },
)


def upgrade() -> None:
    _create_devices()
    _create_library()
    _create_orders()
    _create_reports()
    _fill_library()


def downgrade() -> None:
    op.drop_table("device_report")
    op.drop_table("device_job_event")
    op.drop_table("device_job")
    op.drop_table("execution")
    op.drop_table("device_tag")
    op.drop_table("device_group_member")
    op.drop_table("job_template")
    op.drop_table("job_handler")
    op.drop_table("fleet_schedule")
    op.drop_table("device_group")
    op.drop_table("device")


def _create_devices() -> None:
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=True),
        sa.Column("key_prefix", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_from", sa.String(), nullable=False),
        sa.Column("ip_address", sa.String(), nullable=False),
        sa.Column("mac_address", sa.String(), nullable=False),
        sa.Column("os_version", sa.String(), nullable=False),
        sa.Column("agent_version", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("provisioning_state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_device_key_hash")),
        sa.UniqueConstraint("uuid", name=op.f("uq_device_uuid")),
    )
    op.create_table(
        "device_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_group")),
        sa.UniqueConstraint("name", name=op.f("uq_device_group_name")),
    )
    op.create_table(
        "device_group_member",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_group_member_device_id_device"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["device_group.id"],
            name=op.f("fk_device_group_member_group_id_device_group"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("group_id", "device_id", name=op.f("pk_device_group_member")),
        sa.UniqueConstraint("device_id", "group_id", name=op.f("uq_device_group_member_device_id_group_id")),
    )
    op.create_table(
        "device_tag",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_tag_device_id_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device_id", "key", name=op.f("pk_device_tag")),
    )
    op.create_index("ix_device_tag_key_value", "device_tag", ["key", "value"], unique=False)


def _create_library() -> None:
    op.create_table(
        "job_handler",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("script_type", sa.String(), nullable=False),
        sa.Column("script_content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.Column("default_args", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_handler")),
        sa.UniqueConstraint("name", name=op.f("uq_job_handler_name")),
    )
    op.create_table(
        "job_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_template")),
        sa.UniqueConstraint("name", name=op.f("uq_job_template_name")),
    )


def _create_orders() -> None:
    op.create_table(
        "fleet_schedule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schedule_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("target_type", sa.String(), nullable=False),
        sa.Column("target_devices", sa.JSON(), nullable=True),
        sa.Column("target_filter", sa.JSON(), nullable=True),
        sa.Column("schedule_type", sa.String(), nullable=False),
        sa.Column("cron_expression", sa.String(), nullable=True),
        sa.Column("interval_minutes", sa.Integer(), nullable=True),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("max_executions", sa.Integer(), nullable=True),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("execution_count", sa.Integer(), nullable=False),
        sa.Column("last_execution_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet_schedule")),
        sa.UniqueConstraint("schedule_id", name=op.f("uq_fleet_schedule_schedule_id")),
    )
    op.create_index(
        "ix_fleet_schedule_due",
        "fleet_schedule",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "execution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("template_id", sa.Integer(), nullable=True),
        sa.Column("schedule_id", sa.Integer(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("target_type", sa.String(), nullable=False),
        sa.Column("target_filter", sa.JSON(), nullable=True),
        sa.Column("execution_type", sa.String(), nullable=False),
        sa.Column("schedule", sa.JSON(), nullable=True),
        sa.Column("max_executions", sa.Integer(), nullable=True),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["fleet_schedule.id"],
            name=op.f("fk_execution_schedule_id_fleet_schedule"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["job_template.id"],
            name=op.f("fk_execution_template_id_job_template"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_execution")),
        sa.UniqueConstraint("job_id", name=op.f("uq_execution_job_id")),
    )
    op.create_index(
        "ix_execution_open",
        "execution",
        ["id"],
        unique=False,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_index("ix_execution_state_id", "execution", ["state", "id"], unique=False)
    op.create_table(
        "device_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("execution_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_newest", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("stdout", sa.Text(), nullable=True),
        sa.Column("stderr", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("executed_steps", sa.Integer(), nullable=True),
        sa.Column("failed_step", sa.String(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("report_digest", sa.String(), nullable=True),
        sa.Column("is_cancel_told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_job_device_id_device"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["execution.id"], name=op.f("fk_device_job_execution_id_execution"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_job")),
        sa.UniqueConstraint(
            "execution_id", "device_id", "number", name=op.f("uq_device_job_execution_id_device_id_number")
        ),
    )
    op.create_index(
        "ix_device_job_active",
        "device_job",
        ["device_id", "queued_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('in_progress', 'queued')"),
        postgresql_where=sa.text("state IN ('in_progress', 'queued')"),
    )
    op.create_index("ix_device_job_counts", "device_job", ["execution_id", "is_newest", "state"], unique=False)
    op.create_index(
        "ix_device_job_deadline",
        "device_job",
        ["deadline_at"],
        unique=False,
        sqlite_where=sa.text("state = 'in_progress'"),
        postgresql_where=sa.text("state = 'in_progress'"),
    )
    op.create_index("ix_device_job_device", "device_job", ["device_id", "queued_at", "id"], unique=False)


def _create_reports() -> None:
    op.create_table(
        "device_job_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_job_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=True),
        sa.Column("to_state", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_job_id"],
            ["device_job.id"],
            name=op.f("fk_device_job_event_device_job_id_device_job"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_job_event")),
    )
    op.create_index("ix_device_job_event_device_job_id", "device_job_event", ["device_job_id", "id"], unique=False)
    op.create_table(
        "device_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("device_job_id", sa.Integer(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_report_device_id_device"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["device_job_id"],
            ["device_job.id"],
            name=op.f("fk_device_report_device_job_id_device_job"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_report")),
        sa.UniqueConstraint("device_id", "report_id", name=op.f("uq_device_report_device_id_report_id")),
    )
    op.create_index("ix_device_report_at", "device_report", ["at"], unique=False)


def _fill_library() -> None:
    begun = {"created_by": "", "is_active": True, "created_at": BEGUN_AT, "updated_at": BEGUN_AT}
    templates = sa.table(
        "job_template",
        *(sa.column(name) for name in ("name", "description", "category", "created_by")),
        sa.column("document", sa.JSON()),
        sa.column("is_active", sa.Boolean()),
        sa.column("created_at", sa.DateTime(timezone=True)),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    handlers = sa.table(
        "job_handler",
        *(
            sa.column(name)
            for name in ("name", "description", "script_type", "script_content", "sha256", "permissions", "created_by")
        ),
        sa.column("default_args", sa.JSON()),
        sa.column("is_active", sa.Boolean()),
        sa.column("created_at", sa.DateTime(timezone=True)),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    # One by one, so that each has the number of its place.
    for template in TEMPLATES:
        op.execute(templates.insert().values(**template, **begun))
    for handler in HANDLERS:
        digest = hashlib.sha256(handler["script_content"].encode()).hexdigest()
        more = {"script_type": "bash", "sha256": digest, "permissions": "700", "default_args": []}
        op.execute(handlers.insert().values(**handler, **more, **begun))
