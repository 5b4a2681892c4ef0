"""Secrets: making, replacing, deleting and giving them, and changing their key."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, KeyTrouble, NotFound
from watchbell.services import audit, failures, secrets, task_templates, tasks
from watchbell.services.tickets import Ticket
from watchbell.store import sealed
from watchbell.store import secrets as store
from watchbell.store.runs import Attempt, Output
from watchbell.store.session import Database

VALUE = "correct horse battery"
LATER = NOW + timedelta(hours=1)


def put(db: Database, name: str = "db", value: str = VALUE, *, is_new: bool = False) -> store.Secret:
    return secrets.put(db, name, value, now=NOW, actor="ann", is_new=is_new)


def ticket(db: Database, name: str = "backup", state: RunState = RunState.STARTING) -> Ticket:
    """Return a ticket of a run whose row is there."""
    task = tasks.find_by_name(db, name) if tasks.is_taken(db, name) else add_task(db, name)
    run = add_run(db, task, state)
    with db.write() as session:
        attempt = Attempt(run_id=run.id, number=1, fence=1, holder="me")
        session.add(attempt)
        session.flush()
        return Ticket(run.id, attempt.id, 1, 1, task.id, task.version, task.name, NOW, "schedule")


def end(db: Database, given: Ticket, **values: object) -> None:
    with db.write() as session:
        attempt = session.get(Attempt, given.attempt_id)
        assert attempt is not None
        attempt.ended_at = NOW
        if values:
            session.add(Output(attempt_id=attempt.id, **values))


def values(db: Database) -> list[tuple[str, int]]:
    with db.read() as session:
        return sorted((row.name, row.version) for row in session.query(store.SecretVersion))


def test_a_value_is_given_to_a_run_and_stands_nowhere_in_the_open(db: Database, database_file: Path) -> None:
    assert put(db).version == 1
    assert secrets.take(db, ["db"], ticket(db), now=NOW) == {"db": VALUE}
    audited = audit.list_page(db, limit=10)
    assert [(one.action, one.subject, one.detail) for one in audited if one.action.startswith("secret")] == [
        ("secret.create", "secret:db", {"version": 1})
    ]
    db.close()
    for path in database_file.parent.iterdir():
        assert VALUE.encode() not in path.read_bytes()


def test_a_new_value_counts_from_then_on_and_the_old_one_goes_when_no_output_needs_it(db: Database) -> None:
    put(db)
    given = ticket(db)
    secrets.take(db, ["db"], given, now=NOW)
    assert put(db, value="another value").version == 2
    # The run that goes on may still write the old one.
    assert values(db) == [("db", 1), ("db", 2)]
    assert secrets.take(db, ["db"], ticket(db), now=NOW) == {"db": "another value"}
    end(db, given)
    secrets.sweep(db, 10)
    assert values(db) == [("db", 2)]


def test_making_what_is_there_already_is_refused_if_something_new_was_meant(db: Database) -> None:
    put(db, is_new=True)
    with pytest.raises(Conflict, match="there is a secret db already"):
        put(db, is_new=True)
    assert secrets.get(db, "db").secret.version == 1


def test_a_name_that_no_environment_could_say_is_refused(db: Database) -> None:
    for name in ("", "1db", "a b", "a}", "ä", "x" * 65, "a\n", "${secret:x}"):
        with pytest.raises(InputError) as caught:
            put(db, name)
        assert [problem.field for problem in caught.value.problems] == ["name"]


def test_a_value_that_could_not_be_masked_or_given_is_refused_and_not_repeated(db: Database) -> None:
    for value in ("", "abc", "    ", "nul\0nul", "\ud800abc", "x" * 32_769):
        with pytest.raises(InputError) as caught:
            put(db, value=value)
        assert not value.strip() or value not in caught.value.message
    with pytest.raises(NotFound):
        secrets.get(db, "db")


def test_where_a_secret_is_used_is_told_and_a_deletion_that_would_hurt_asks(db: Database) -> None:
    put(db), put(db, "db2")
    task = add_task(db, "backup", environment={"P": "${secret:db}", "Q": "x${secret:db}", "R": "${secret:DB}"})
    add_task(db, "other", environment={"P": "${secret:db2}", "PLAIN": "db"})
    task_templates.save(db, task.id, now=NOW, actor="ann")
    found = secrets.get(db, "db")
    assert [(place.kind, place.name, place.variables) for place in found.places] == [
        ("task", "backup", ("P", "Q")),
        ("template", "backup", ("P", "Q")),
    ]
    assert secrets.list_missing(db) == {"DB": ["backup"]}
    with pytest.raises(Conflict, match="task backup, template backup would fail without the secret db"):
        secrets.delete(db, "db", now=NOW, actor="ann")
    assert len(secrets.delete(db, "db", now=NOW, actor="ann", is_forced=True)) == 2
    assert [view.secret.name for view in secrets.list_all(db)] == ["db2"]
    assert values(db) == [("db2", 1)]
    assert secrets.list_missing(db) == {"DB": ["backup"], "db": ["backup"]}


def test_a_secret_that_was_deleted_and_comes_back_goes_on_counting_its_versions(db: Database) -> None:
    put(db)
    secrets.delete(db, "db", now=NOW, actor="ann")
    with pytest.raises(NotFound):
        secrets.delete(db, "db", now=NOW, actor="ann")
    assert put(db, is_new=True).version == 2
    assert values(db) == [("db", 2)]


def test_what_is_missing_is_named_and_nothing_is_written_down_of_such_a_run(db: Database) -> None:
    put(db)
    with pytest.raises(NotFound, match="there is no secret mail, sms"):
        secrets.take(db, ["db", "mail", "sms"], ticket(db), now=NOW)
    assert secrets.get(db, "db").uses == []
    assert secrets.get(db, "db").secret.used_at is None


def test_uses_are_kept_in_a_bounded_number_but_never_forgotten_of_a_run_that_goes_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "KEPT_USES", 2)
    put(db)
    given = [ticket(db) for _ in range(5)]
    for one in given:
        secrets.take(db, ["db"], one, now=NOW)
    for one in given[1:]:
        end(db, one)
    while secrets.sweep(db, 1):
        continue
    assert [use.run_id for use in secrets.get(db, "db").uses] == [given[4].run_id, given[3].run_id, given[0].run_id]


def test_a_failure_is_not_grouped_by_output_that_could_not_be_masked(db: Database, tmp_path: Path) -> None:
    put(db)
    given = ticket(db, state=RunState.FAILED)
    secrets.take(db, ["db"], given, now=NOW)
    end(db, given, stream="stderr", size=30, head_size=0, dropped=0, lines=1, content=f"is {VALUE}".encode())
    with db.write() as session:
        store.mark_unmasked(session, [given.attempt_id])
        failures.group(session, [given.run_id], tmp_path)
    grouping = failures.of_run(db, given.run_id)
    assert grouping is not None
    assert "horse" not in grouping.fingerprint


def test_a_task_names_secrets_in_its_environment_only_and_rightly(db: Database) -> None:
    good = add_task(db, "good", environment={"DSN": "pg://u:${secret:db.main-1}@h", "X": "$HOME ${x}"})
    assert good.environment["DSN"] == "pg://u:${secret:db.main-1}@h"
    wrong = [
        {"command": "mail -p ${secret:db}"},
        {"command": "", "steps": [{"name": "a", "command": "echo ${secret:db}"}]},
        {"environment": {"P": "${secret:db"}},
        {"environment": {"P": "${secret:}"}},
        {"environment": {"P": "${secret:a b}"}},
        {"environment": {"P": "${secret:${secret:db}}"}},
        {"environment": {"IFS": "${secret:db}"}},
    ]
    for fields in wrong:
        with pytest.raises(InputError) as caught:
            tasks.create(db, {"name": "wrong", "command": "true", **fields}, now=NOW, actor="ann", defaults=DEFAULTS)
        assert [problem.field for problem in caught.value.problems] == [list(fields)[-1]]


def rotate(db: Database, **how: bool) -> list[secrets.Rotated]:
    return list(secrets.rotate(db, now=LATER, actor="ann", **how))


@pytest.fixture
def many(db: Database) -> Iterator[Database]:
    for number in range(25):
        put(db, f"s{number}", f"value {number}")
    return db


def opens_all(db: Database) -> bool:
    given = ticket(db)
    found = secrets.take(db, [f"s{number}" for number in range(25)], given, now=NOW)
    return found == {f"s{number}": f"value {number}" for number in range(25)}


def test_changing_the_key_seals_everything_anew_and_the_old_key_stays_until_it_is_let_go(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "SEALED_AT_ONCE", 10)
    (old,) = many.box.names()
    assert rotate(many)[-1] == secrets.Rotated(25, 0, more=False)
    new, *others = many.box.names()
    assert others == [old] != [new]
    assert secrets.keys_in_use(many) == {new: 25}
    assert opens_all(many)
    assert secrets.forget_keys(many, now=LATER, actor="ann") == 1
    assert opens_all(many)
    # A second change begins from there.
    assert rotate(many)[-1].sealed == 25
    assert many.box.names()[1:] == [new]


@pytest.mark.parametrize("commits", [0, 2])
def test_a_change_of_the_key_that_is_killed_half_way_loses_nothing_and_goes_on(
    many: Database, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    monkeypatch.setattr(secrets, "SEALED_AT_ONCE", 10)
    many.engine.dispose()
    child = os.fork()
    if not child:
        calls = itertools.count()
        real = sealed.seal_again

        def dying(*given: Any) -> int:
            done = real(*given)
            if next(calls) == commits:
                # What this transaction has done so far is lost with it.
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        monkeypatch.setattr(sealed, "seal_again", dying)
        rotate(many)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    before = many.box.names()
    assert len(before) == 2
    assert opens_all(many)
    assert rotate(many)[-1].sealed == 25 - 10 * commits
    # No further key was made for it.
    assert many.box.names() == before
    assert secrets.keys_in_use(many) == {before[0]: 25}
    assert opens_all(many)


def test_a_lost_key_is_told_and_everything_can_be_set_again_without_it(many: Database, database_file: Path) -> None:
    key = database_file.with_name("encryption.key")
    kept = key.read_text()
    key.unlink()
    for attempt in (lambda: put(many, "new"), lambda: rotate(many), lambda: opens_all(many)):
        with pytest.raises(KeyTrouble, match="is missing"):
            attempt()
    assert not key.exists()
    assert rotate(many, is_lost=True)[-1] == secrets.Rotated(0, 25, more=False)
    put(many, "s0", "value 0")
    assert secrets.take(many, ["s0"], ticket(many), now=NOW) == {"s0": "value 0"}
    with pytest.raises(KeyTrouble, match="sealed with the key"):
        opens_all(many)
    # Nothing was destroyed: with the old key beside the new one all is there again.
    key.write_text(key.read_text() + kept)
    assert opens_all(many)


def test_a_value_moved_to_another_name_in_the_database_does_not_open(many: Database, database_file: Path) -> None:
    with closing(sqlite3.connect(database_file)) as connection, connection:
        connection.execute("UPDATE secret_version SET sealed = (SELECT sealed FROM secret_version WHERE name = 's1')")
    with pytest.raises(KeyTrouble, match="put in the place of another one"):
        secrets.take(many, ["s0"], ticket(many), now=NOW)


def test_a_value_that_was_moved_keeps_nobody_from_changing_the_key_and_is_told(
    many: Database, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "SEALED_AT_ONCE", 10)
    for name in ("s0", "s7"):
        with closing(sqlite3.connect(database_file)) as connection, connection:
            moved = "UPDATE secret_version SET sealed = (SELECT sealed FROM secret_version WHERE name = 's1') WHERE name = ?"
            connection.execute(moved, (name,))
    (old,) = many.box.names()
    broken = ("secret:s0, version 1", "secret:s7, version 1")
    assert secrets.list_broken(many) == dict.fromkeys(broken, old)
    for _again in range(2):
        assert rotate(many)[-1] == secrets.Rotated(23, 0, more=False, broken=broken)
    new = many.box.names()[0]
    assert secrets.keys_in_use(many) == {new: 23, old: 2}
    # One key for what cannot be opened, until that is set again.
    assert secrets.forget_keys(many, now=LATER, actor="ann") == 1
    for name in ("s0", "s7"):
        put(many, name, f"value {name[1:]}")
    assert secrets.list_broken(many) == {}
    assert secrets.forget_keys(many, now=LATER, actor="ann") == 1
    assert opens_all(many)
