"""``watchbell audit`` and what ``watchbell user`` changes: lists, the proof, and exit codes."""

from __future__ import annotations

import math
import re
import sqlite3
from datetime import timedelta

import pytest

from tests.database import NOW
from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import clock
from watchbell.domain import audit_chain
from watchbell.errors import EXIT_CONFLICT, EXIT_FAILURE
from watchbell.scheduler import chores
from watchbell.services import accounts, audit
from watchbell.services.retention import Rules
from watchbell.store.audit import AuditEntry

# ruff: noqa: F811


def test_what_is_done_from_the_shell_is_listed_with_the_way_it_came(shell, db):
    shell("task", "add", "backup", "--command", "true", "--every", "1h")
    shell("task", "disable", "backup")

    listed = shell("audit", "list", "--action", "task.", "--json").json()
    shown = shell("audit", "list", "--action", "task.disable")

    assert [(one["action"], one["way"], one["name"]) for one in listed] == [
        ("task.disable", "shell", "backup"),
        ("task.create", "shell", "backup"),
    ]
    assert "task.disable" in shown.out and "task.create" not in shown.out


def test_the_chain_is_proven_and_a_forged_one_is_an_error(shell, db):
    shell("task", "add", "backup", "--command", "true", "--every", "1h")
    shell("task", "disable", "backup")
    anchor = shell("audit", "anchor").out.strip()

    whole = shell("audit", "verify", "--anchor", anchor)
    with sqlite3.connect(db.file) as connection:
        connection.execute("DROP TRIGGER audit_entry_no_update")
        connection.execute("UPDATE audit_entry SET actor = 'eve' WHERE id = 1")
    forged = shell("audit", "verify")
    as_json = shell("audit", "verify", "--json")

    assert whole.code == 0 and anchor in whole.out
    assert forged.code == EXIT_FAILURE and "entry 1, it was changed after it was written" in forged.err
    assert as_json.code == EXIT_FAILURE and as_json.json()["broken_at"] == 1


def cut(connection, _db):
    """Take the newest entry away, and let the database remember the one before it."""
    connection.execute("DELETE FROM audit_entry WHERE id = 2")
    connection.execute("UPDATE audit_head SET entry_id = 1, digest = (SELECT digest FROM audit_entry WHERE id = 1)")


def write_anew(connection, db):
    """Change an entry, and make a chain of all of them that agrees with it."""
    connection.execute("UPDATE audit_entry SET actor = 'eve' WHERE id = 1")
    connection.commit()
    previous = audit_chain.FIRST
    with db.read() as session:
        rows = [(one.id, {name: getattr(one, name) for name in audit._COLUMNS}) for one in session.query(AuditEntry)]
    for number, row in sorted(rows, key=lambda pair: pair[0]):
        digest = audit_chain.digest(previous, audit._content(row))
        connection.execute("UPDATE audit_entry SET previous = ?, digest = ? WHERE id = ?", (previous, digest, number))
        previous = digest
    connection.execute("UPDATE audit_head SET digest = ?", (previous,))


@pytest.mark.parametrize("forge", [cut, write_anew])
def test_the_digest_that_the_scheduler_writes_once_a_day_tells_of_a_chain_that_was_made_anew(
    shell, db, caplog, monkeypatch, forge
):
    monkeypatch.setattr(chores, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(chores, "PAUSE_SECONDS", 0.0)
    caplog.set_level("INFO", logger="watchbell")
    shell("task", "add", "backup", "--command", "true", "--every", "1h")
    shell("task", "disable", "backup")
    work = chores.Chores(db, Rules(), db.file.parent / "output", actor="scheduler@x")
    for days in (0, 0, 1):
        work.ask()
        while work.step(NOW + timedelta(days=days), busy=False, due_at=None) < math.inf:
            pass

    told = re.findall(r"Audit: the digest of entry (\d+) is ([0-9a-f]{64})$", caplog.text, re.MULTILINE)
    assert [number for number, _ in told] == ["2", "2"]
    assert shell("audit", "verify", "--anchor", told[0][1]).code == 0
    with sqlite3.connect(db.file) as connection:
        for order in ("update", "delete"):
            connection.execute(f"DROP TRIGGER audit_entry_no_{order}")
        forge(connection, db)
    alone, held = shell("audit", "verify"), shell("audit", "verify", "--anchor", told[0][1])

    # The chain itself agrees with everything that it says.
    assert alone.code == 0, alone.err
    assert held.code == EXIT_FAILURE and "cut short or written anew" in held.err


def test_an_anchor_that_is_not_in_the_chain_is_an_error(shell, db):
    shell("task", "add", "backup", "--command", "true", "--every", "1h")

    assert shell("audit", "verify", "--anchor", "f" * 64).code == EXIT_FAILURE


def test_an_account_is_given_another_role_disabled_and_enabled(shell, db):
    accounts.ensure_first(db, now=clock.now())
    shell("user", "add", "ann", "--no-password")

    assert shell("user", "role", "ann", "operator").code == 0
    assert shell("user", "disable", "ann").code == 0
    assert not accounts.find(db, "ann").is_active
    assert shell("user", "enable", "ann").code == 0
    assert accounts.find(db, "ann").role == "operator"
    assert shell("user", "disable", "admin").code == EXIT_CONFLICT
    assert [one.action for one in audit.list_page(db, limit=3)] == ["account.enable", "account.disable", "account.role"]
