"""A migrated database for each test, and rows with defaults that are valid, so that a test states only what matters."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, event, text
from sqlalchemy.util import LRUCache

from watchbell.domain.run_state import FINAL, RunState
from watchbell.domain.task_definition import Defaults
from watchbell.services import alert_rules, tasks
from watchbell.store import alerts as alert_store
from watchbell.store import ledger, schema, totals
from watchbell.store import runs as run_store
from watchbell.store.runs import Run
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: The one moment that tests call now.
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)
#: Kind of database -> how statements are translated for it, and those that have been.
_TRANSLATED: dict[str, tuple[Dialect, LRUCache[Any, Any]]] = {}
DEFAULTS = Defaults(zone="UTC", owner="ann", host="watchtower")


def url_of(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with the schema of this version, to be copied and never opened."""
    path = tmp_path_factory.mktemp("migrated") / "watchbell.db"
    database = Database.open(url_of(path))
    schema.upgrade(database)
    # Closing the last connection moves everything from the log beside the file into it.
    database.close()
    return path


@pytest.fixture
def database_file(migrated_file: Path, tmp_path: Path) -> Path:
    """Return the test's own database file."""
    path = tmp_path / "watchbell.db"
    shutil.copyfile(migrated_file, path)
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """Return the URL of the test's own database."""
    if database_kind == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return url_of(request.getfixturevalue("database_file"))


@pytest.fixture
def db(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """Give the test's own database, open."""
    opened = Database.open(database_url)
    if opened.is_sqlite:
        event.listen(opened.engine, "connect", _wait_for_no_disk)
    _share_statements(opened.engine)
    database = Database(opened.engine, SecretBox(tmp_path / "encryption.key"))
    yield database
    database.close()


def _wait_for_no_disk(connection: Any, _record: object) -> None:
    """What is durable is tried in tests/process and tests/fault, with databases of their own."""
    connection.execute("PRAGMA synchronous=OFF")


def _share_statements(engine: Engine) -> None:
    """Let the databases of all tests of a process use each statement that SQLAlchemy has translated for one of them.

    It keeps them for each engine by the engine's dialect, and each test has an engine of its own: a third of what a page costs
    in a test was translating the same statements again.
    """
    if engine.dialect.name not in _TRANSLATED:
        # It learns from its first connection which version it speaks to.
        engine.connect().close()
        _TRANSLATED[engine.dialect.name] = engine.dialect, LRUCache(5_000)
    engine.dialect, statements = _TRANSLATED[engine.dialect.name]
    engine.update_execution_options(compiled_cache=statements)


def fill_as_before(db: Database, fill: Callable[[], None], kept: dict[str, bytes]) -> None:
    """Fill the test's own database, which nobody has used yet; the embedded one as a copy of what was kept of the first time.

    What is filled in must be the same each time, and its secrets are kept with it.
    """
    if db.file is None:
        fill()
        return
    key = db.file.with_name("encryption.key")
    if not kept:
        fill()
        # Closing the last connection moves everything from the log beside the file into it.
        db.close()
        kept.update({path.name: path.read_bytes() for path in (db.file, key)})
        return
    for path in (db.file, key):
        path.write_bytes(kept[path.name])
        path.chmod(0o600)


@contextlib.contextmanager
def refusing(db: Database, what: str, words: str) -> Iterator[None]:
    """Let the database itself refuse something inside the block, such as ``DELETE ON run``, in these words."""
    if db.is_sqlite:
        made = [f"CREATE TRIGGER refused BEFORE {what} BEGIN SELECT raise(ABORT, '{words}'); END"]
        gone = ["DROP TRIGGER refused"]
    else:
        function = f"BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END"
        made = [
            f"CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $${function}$$",
            f"CREATE TRIGGER refused BEFORE {what} FOR EACH ROW EXECUTE FUNCTION refused()",
        ]
        # Its trigger goes with it.
        gone = ["DROP FUNCTION refused() CASCADE"]
    _tell(db, made)
    try:
        yield
    finally:
        _tell(db, gone)


def _tell(db: Database, statements: list[str]) -> None:
    with db.write() as session:
        for statement in statements:
            session.execute(text(statement))


def add_task(db: Database, name: str = "backup", *, now: datetime = NOW, actor: str = "ann", **fields: object) -> Task:
    """Make a task; one of which nothing else is said starts by hand only."""
    given: dict[str, object] = {"name": name, "command": "true", **fields}
    return tasks.create(db, given, now=now, actor=actor, defaults=DEFAULTS)


def run_row(task: Task, state: RunState = RunState.QUEUED, key: str = "", **values: Any) -> dict[str, Any]:
    """Return a run as the ledger inserts it, in any state, as if it had come there by itself."""
    return {
        "task_id": task.id,
        "task_name": task.name,
        "task_version": task.version,
        "occurrence_key": key or f"test:{next(_numbers)}",
        "trigger": "schedule",
        "due_at": NOW,
        "state": state.value,
        "created_at": NOW,
        "ended_at": NOW if state in FINAL else None,
        **values,
    }


def add_run(db: Database, task: Task, state: RunState = RunState.QUEUED, key: str = "", **values: Any) -> Run:
    """Put a run into the ledger."""
    with db.write() as session:
        (run_id,) = ledger.insert_runs(session, [run_row(task, state, key, **values)]).values()
        if state in FINAL:
            totals.count_ended(session, [run_id])
        found = run_store.find_run(session, run_id)
    assert found is not None
    return found


def add_alert(db: Database, run: Run, rule: str = "failing", **values: Any) -> int:
    """Add an alert about a run, and the rule that has raised it unless there is one of that name; return the alert's id."""
    given = {"name": rule, "expression": "success == 0"}
    with db.read() as session:
        known = alert_store.find_rule_by_name(session, rule)
    rule_id = known.id if known else alert_rules.create(db, given, now=NOW, actor="ann").rule.id
    with db.write() as session:
        alert = alert_store.Alert(
            **{
                "rule_id": rule_id, "rule_name": rule, "severity": "warning", "expression": "success == 0",
                "run_id": run.id, "task_id": run.task_id, "task_name": run.task_name, "at": NOW,
                "seen": {"success": 0.0}, "message": f"{rule}: success == 0 (success 0)", "further": 0,
                "last_run_id": run.id, "acknowledged_at": None, "acknowledged_by": "", **values,
            }
        )  # fmt: skip
        alert_store.add(session, alert)
        return alert.id
