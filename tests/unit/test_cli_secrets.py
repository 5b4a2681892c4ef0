"""``watchbell secret``: setting, listing and deleting secrets, and changing their key."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from tests.database import add_task, url_of
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell import errors
from watchbell.store import secrets as store
from watchbell.store.sealed import purpose_of_secret
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database

# ruff: noqa: F811
VALUE = "correct horse battery"


@pytest.fixture
def put(shell, typed):
    def run(name="db", value=VALUE):
        typed(value)
        done = shell("secret", "set", name)
        assert done.code == 0, done.err
        assert VALUE not in done.out + done.err
        return done.out

    return run


def test_a_value_comes_from_standard_input_and_nothing_shows_it_again(shell, put, db):
    assert put(value=f"{VALUE}\n") == "Made secret db. Name it in an environment: PASSWORD=${secret:db}\n"
    assert put() == "Secret db has a new value, version 2.\n"
    add_task(db, "backup", environment={"P": "${secret:db}"})
    for command in (("list",), ("list", "--json"), ("show", "db"), ("show", "db", "--json")):
        shown = shell("secret", *command)
        assert shown.code == 0
        assert "horse" not in shown.out
        assert "backup" in shown.out
    (listed,) = shell("secret", "list", "--json").json()
    assert (listed["name"], listed["version"], listed["created_by"], listed["used_at"]) == ("db", 2, "ann", None)


def test_a_value_is_no_argument(shell, typed):
    typed("")
    assert shell("secret", "set", "db", VALUE).code == errors.EXIT_USAGE
    assert shell("secret", "set", "db", f"--value={VALUE}").code == errors.EXIT_USAGE


def test_the_line_end_behind_one_line_is_no_part_of_a_value(put, home):
    given = {
        "a": ("line\n", "line"),
        "b": ("a b\nc\n", "a b\nc\n"),
        "c": ("line \r\n", "line "),
        "d": ("a\nbc", "a\nbc"),
    }
    for name, (text, _kept) in given.items():
        put(name, text)
    opened = Database.open(url_of(home / "watchbell.db"), box=SecretBox(home / "encryption.key"))
    with opened.read() as session:
        found = {
            row.name: opened.box.open(purpose_of_secret(row.name, 1), row.sealed)
            for row in store.list_values(session, list(given))
        }
    opened.close()
    assert found == {name: kept for name, (_text, kept) in given.items()}


def test_what_cannot_be_a_secret_is_refused_without_repeating_it(shell, typed):
    for name, value in (("db", "abc"), ("no name", VALUE), ("db", "")):
        typed(value)
        done = shell("secret", "set", name)
        assert done.code == errors.EXIT_USAGE
        assert not value or value not in done.err


def test_deleting_asks_unless_told_not_to(shell, put, db):
    put()
    add_task(db, "backup", environment={"P": "${secret:db}"})
    assert shell("secret", "delete", "db").code == errors.EXIT_USAGE
    assert shell("secret", "delete", "db", "--yes").out == "Secret db is deleted.\n"
    assert shell("secret", "delete", "db", "--yes").code == errors.EXIT_NOT_FOUND
    assert shell("secret", "list", "--json").json() == []


def test_the_key_is_changed_and_doctor_tells_of_one_that_is_gone_or_wrong(shell, put, home, monkeypatch):
    monkeypatch.setenv("WATCHBELL_PORT", "0")
    put()
    key = home / "encryption.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()
    done = shell("secret", "rotate-key", "--forget-old")
    assert done.code == 0, done.err
    assert f"1 text(s) are sealed with the new key in {key}" in done.out
    assert "1 old key(s) are forgotten" in done.out

    def look():
        return {found["code"]: found for found in shell("doctor", "--json").json()}

    assert look()["secrets"]["level"] == "ok"
    new = key.read_text()
    key.write_text(before)
    assert "1 of 1 sealed text(s) do not open with the keys" in look()["encryption-key"]["words"]
    key.unlink()
    found = look()["encryption-key"]
    assert (found["level"], str(key) in found["remedy"]) == ("problem", True)
    refused = shell("secret", "rotate-key")
    assert refused.code == errors.EXIT_CONFIG
    assert "put its file back" in refused.err
    key.write_text(new)
    key.chmod(0o644)
    assert "encryption.key" in look()["home-open"]["words"]
    found = look()["encryption-key"]
    assert found["words"] == f"everybody on this machine can read or write {key}, so it is not used"
    assert f"chmod 600 {key}" in found["remedy"]
    assert "make it private with chmod 600" in shell("secret", "rotate-key").err


def test_doctor_and_the_change_of_the_key_name_a_value_that_was_put_in_the_place_of_another(
    shell, put, home, monkeypatch
):
    monkeypatch.setenv("WATCHBELL_PORT", "0")
    put()
    put("mail")
    with closing(sqlite3.connect(home / "watchbell.db")) as connection, connection:
        connection.execute("UPDATE secret_version SET sealed = (SELECT sealed FROM secret_version WHERE name = 'db')")
    for _again in range(2):
        done = shell("secret", "rotate-key", "--forget-old")
        assert done.code == 0, done.err
        assert "set them again: secret:mail, version 1" in done.err
    found = {finding["code"]: finding for finding in shell("doctor", "--json").json()}
    assert found["secret-damaged"]["level"] == "problem"
    assert "secret:mail, version 1" in found["secret-damaged"]["words"]
    assert not {"secrets", "encryption-key", "encryption-key-changing"} & set(found)


def test_doctor_names_tasks_whose_secret_is_missing(shell, db, monkeypatch):
    monkeypatch.setenv("WATCHBELL_PORT", "0")
    add_task(db, "backup", environment={"P": "${secret:mail}"})
    found = {finding["code"]: finding for finding in shell("doctor", "--json").json()}
    assert found["secret-missing"]["words"] == "there is no secret mail, and these name it: backup"
