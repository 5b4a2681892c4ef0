"""The same line of steps on PostgreSQL: it leads where the models are, and back again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tests.postgres import Cluster
from watchbell import resources
from watchbell.store import schema
from watchbell.store.models import metadata
from watchbell.store.session import Database

STEPS = ScriptDirectory(str(resources.migrations()))
#: All that makes up a schema, in words of the server's own.
_PARTS = (
    (
        "SELECT table_name || '.' || column_name, data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    ),
    "SELECT tablename || ':' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    (
        "SELECT conrelid::regclass || ':' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0 "
        "AND connamespace = 'public'::regnamespace"
    ),
    "SELECT tgrelid::regclass || ':' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname || '()', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)


def _schema(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = [(str(name), str(told)) for part in _PARTS for name, told in session.execute(text(part))]
    return {name: told for name, told in rows if not name.startswith("alembic_version")}


def _migrate(database: Database, action, revision: str) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(resources.migrations()))
    with database.engine.execution_options(watchbell_write=True).begin() as connection:
        config.attributes["connection"] = connection
        action(config, revision)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    database = Database.open(postgres_url)
    yield database
    database.close()


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[Database]:
    name = cluster.create()
    database = Database.open(cluster.url(name))
    yield database
    database.close()
    cluster.drop(name)


def test_the_migrations_lead_exactly_to_the_models_on_postgresql(postgres: Database, empty: Database) -> None:
    with empty.engine.begin() as connection:
        metadata.create_all(connection)
    with postgres.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        left = compare_metadata(context, metadata)

    assert left == []
    assert _schema(postgres) == _schema(empty)


def test_a_number_of_the_schema_has_64_bits_on_postgresql(postgres: Database) -> None:
    narrow = [name for name, told in _schema(postgres).items() if told.startswith(("integer", "smallint"))]

    assert narrow == []


def test_the_audit_on_postgresql_is_only_ever_added_to(postgres: Database) -> None:
    for order in ("UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(Exception, match="only ever added to"), postgres.write() as session:
            session.execute(text(order))


def test_all_steps_one_by_one_up_and_back_are_the_same_on_postgresql(empty: Database) -> None:
    steps = [step.revision for step in reversed(list(STEPS.walk_revisions()))]
    seen = [_schema(empty)]
    for step in steps:
        _migrate(empty, command.upgrade, step)
        seen.append(_schema(empty))
    for step, before in zip(reversed(steps), reversed(seen[:-1]), strict=True):
        _migrate(empty, command.downgrade, STEPS.get_revision(step).down_revision or "base")
        assert _schema(empty) == before, step

    schema.upgrade(empty)

    assert _schema(empty) == seen[-1]
