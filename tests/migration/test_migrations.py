"""The folder of migrations: one line of steps, that lead where the models are and back again."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Table, create_engine, text

from tests.database import NOW, add_run, add_task, url_of
from watchbell import resources
from watchbell.domain.run_state import RunState
from watchbell.services import totals
from watchbell.store import schema
from watchbell.store.models import metadata
from watchbell.store.session import Database

VERSIONS = sorted((resources.migrations() / "versions").glob("*.py"))
STEPS = ScriptDirectory(str(resources.migrations()))


def _schema(engine: Engine) -> dict[str, str]:
    """Return every table and index as SQLite keeps it, in a form that does not depend on how it was written."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")).all()
    return {name: _plain(sql) for name, sql in rows if name not in {"alembic_version", "sqlite_sequence"}}


def _plain(sql: str) -> str:
    """Return a statement with its columns and constraints in order, because a migration may list them differently."""
    text_of = re.sub(r"\s+", " ", sql.replace('"', "")).strip()
    head, bracket, body = text_of.partition("(")
    if not bracket or not head.upper().startswith("CREATE TABLE"):
        return text_of
    parts = re.split(r", (?![^(]*\))", body.rsplit(")", 1)[0].strip())
    return head + " | ".join(sorted(part.strip() for part in parts))


def _migrate(database: Database, action, revision: str) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(resources.migrations()))
    with database.engine.execution_options(watchbell_write=True).begin() as connection:
        config.attributes["connection"] = connection
        action(config, revision)


@pytest.fixture
def empty(tmp_path: Path):
    database = Database.open(url_of(tmp_path / "empty.db"))
    yield database
    database.close()


def test_the_migrations_lead_exactly_to_the_models(db: Database, tmp_path: Path) -> None:
    models = create_engine(url_of(tmp_path / "models.db"))
    metadata.create_all(models)

    assert _schema(db.engine) == _schema(models)
    assert "uq_task_name_alive" in _schema(db.engine)
    models.dispose()


def test_alembic_finds_nothing_left_to_migrate(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_constraint_and_index_has_a_name_that_a_later_migration_can_use(table: Table) -> None:
    for part in (*table.constraints, *table.indexes):
        assert part.name, part


def test_all_the_way_back_and_up_again_is_the_same(db: Database) -> None:
    before = _schema(db.engine)

    _migrate(db, command.downgrade, "base")
    assert _schema(db.engine) == {}
    schema.upgrade(db)

    assert _schema(db.engine) == before


@pytest.mark.parametrize("step", [script.revision for script in STEPS.walk_revisions()])
def test_each_step_can_be_taken_back_by_itself(empty: Database, step: str) -> None:
    script = STEPS.get_revision(step)
    _migrate(empty, command.upgrade, script.down_revision or "base")
    before = _schema(empty.engine)

    _migrate(empty, command.upgrade, step)
    _migrate(empty, command.downgrade, script.down_revision or "base")

    assert _schema(empty.engine) == before


def test_runs_of_an_earlier_version_are_counted_in_the_totals_of_their_days(db: Database) -> None:
    task = add_task(db)
    took = {"started_at": NOW - timedelta(seconds=2.5), "ended_at": NOW}
    for state in (*RunState, RunState.SUCCEEDED):
        add_run(db, task, state, stands_for=7 if state is RunState.MISSED else 1, **took)
    add_run(db, task, RunState.SUCCEEDED, due_at=NOW - timedelta(hours=12, seconds=1))

    _migrate(db, command.downgrade, "0001")
    schema.upgrade(db)

    assert totals.verify(db, complete=True) == []
    days = totals.list_days(db, since=NOW.date() - timedelta(days=1), until=NOW.date())
    assert {(d.day.day, d.state): (d.runs, d.occurrences) for d in days} == {
        (21, "succeeded"): (1, 1),
        (22, "succeeded"): (2, 2),
        (22, "missed"): (1, 7),
        **{(22, state): (1, 1) for state in ("failed", "timed_out", "cancelled", "lost", "skipped")},
    }
    assert [d.seconds for d in days if d.day == NOW.date() and d.runs == 1] == pytest.approx([2.5] * 6, abs=0.01)


def test_there_is_one_line_of_steps_with_one_end() -> None:
    assert len(STEPS.get_heads()) == 1
    assert len(STEPS.get_bases()) == 1
    assert [s for s in STEPS.walk_revisions() if s.is_merge_point or s.is_branch_point] == []


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.name)
def test_a_migration_is_named_by_number_verb_and_object(path: Path) -> None:
    assert re.fullmatch(r"\d{4}_[a-z]+_[a-z0-9_]+\.py", path.name)
    assert STEPS.get_revision(path.name[:4]).module.__doc__


def test_the_numbers_have_no_gap() -> None:
    assert [path.name[:4] for path in VERSIONS] == [f"{n:04d}" for n in range(1, len(VERSIONS) + 1)]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.name)
def test_a_migration_does_not_depend_on_the_code_of_today(path: Path) -> None:
    assert "watchbell" not in re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_template_of_new_migrations_states_the_rules() -> None:
    template = (resources.migrations() / "script.py.mako").read_text(encoding="utf-8")

    assert "NNNN_verb_object.py" in template
    assert "one linear head" in template
