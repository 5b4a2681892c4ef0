"""``watchbell audit`` and what ``watchbell user`` changes: lists, the proof, and exit codes."""

from __future__ import annotations

import sqlite3

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import clock
from watchbell.errors import EXIT_CONFLICT, EXIT_FAILURE
from watchbell.services import accounts, audit

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
