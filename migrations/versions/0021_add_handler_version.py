"""Add what each handler has said before, beginning with what it says now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_handler_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handler_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("script_type", sa.String(), nullable=False),
        sa.Column("script_content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("default_args", sa.JSON(), nullable=False),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["handler_id"],
            ["job_handler.id"],
            name=op.f("fk_job_handler_version_handler_id_job_handler"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_handler_version")),
        sa.UniqueConstraint("handler_id", "number", name=op.f("uq_job_handler_version_handler_id_number")),
    )
    op.execute(
        "INSERT INTO job_handler_version (handler_id, number, script_type, script_content, sha256, default_args,"
        " created_by, created_at)"
        " SELECT id, 1, script_type, script_content, sha256, default_args, created_by, updated_at FROM job_handler"
    )


def downgrade() -> None:
    op.drop_table("job_handler_version")
