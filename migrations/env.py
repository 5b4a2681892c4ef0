"""Run migrations on the connection that Watchbell hands over, or on Flask-Migrate's for ``flask db``."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl

from watchbell.store.base import UTCDateTime
from watchbell.store.models import metadata
from watchbell.store.schema import copying_tables


class WithWideNumbers(PostgresqlImpl):
    """Make every INTEGER of a migration one of 64 bits on PostgreSQL, too, as it is on SQLite and in the models.

    Alembic finds it by the name of its dialect.
    """

    __dialect__ = "postgresql"

    def create_table(self, table, **options):
        for column in table.columns:
            _widen(column)
        super().create_table(table, **options)

    def add_column(self, table_name, column, **options):
        _widen(column)
        super().add_column(table_name, column, **options)


def _widen(column) -> None:
    if type(column.type) is sa.Integer:
        column.type = sa.BigInteger()


def render_item(kind, item, _context):
    """Write our own column types as the plain type they stand on, so that a migration never imports the package."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and type(item) is sa.Integer:
        return "sa.Integer()"
    return False


def run(connection) -> None:
    """Apply the chosen migrations to one connection, all in its one transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot alter constraints in place, so a table is copied instead.
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from flask import current_app

    with current_app.extensions["migrate"].db.engine.connect() as own, copying_tables(own):
        run(own)
        own.commit()
