"""``watchbell doctor`` on installations in which one thing is wrong each time."""

from __future__ import annotations

import os
import resource
import socket
import sqlite3
from contextlib import closing

import pytest

from tests.database import NOW, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell import errors
from watchbell.control.diagnosis import machine
from watchbell.services import tasks

# ruff: noqa: F811


@pytest.fixture(autouse=True)
def quiet_port(monkeypatch):
    """Let other programs of this machine have the usual port."""
    monkeypatch.setenv("WATCHBELL_PORT", "0")


@pytest.fixture
def look(shell, home):
    """Return the findings by their codes, and the exit code."""
    for file in home.iterdir():
        file.chmod(0o600)

    def run(*options):
        done = shell(*options, "doctor", "--json")
        return {finding["code"]: finding for finding in done.json()}, done.code

    return run


def test_nothing_is_wrong_with_a_new_installation(look):
    found, code = look()

    assert code == 0
    # Whoever runs the tests may be root, which is told and is no fault of the installation.
    assert {finding["level"] for code, finding in found.items() if code != "runs-as-root"} <= {"ok", "note"}
    assert {"home", "disk", "database", "clock", "assets", "keeper", "tasks"} <= set(found)


def test_people_are_told_what_to_do_and_only_what_is_not_as_it_should_be(shell, look, home):
    home.chmod(0o755)
    (home / "secret.key").touch(mode=0o644)

    shown = shell("doctor")

    assert shown.code == errors.EXIT_FAILURE
    assert "problem  Others on this machine can read secret.key" in shown.out
    assert f"to do: chmod 600 {home}/secret.key" in shown.out
    assert "[keeper]" not in shown.out
    assert "[keeper]" in shell("doctor", "--all").out
    assert "1 problem, " not in shown.out
    assert "1 problem." in shown.out


def test_a_directory_in_which_everybody_may_write_is_no_place_for_private_files(look, home):
    home.chmod(0o777)

    found, code = look()

    assert code == errors.EXIT_FAILURE
    assert found["home-open"]["remedy"] == f"chmod 700 {home}"


@pytest.mark.parametrize(
    "lose", [lambda file: file.unlink(), lambda file: file.write_bytes(b"")], ids=["gone", "empty"]
)
def test_a_database_that_was_lost_is_not_one_that_is_still_to_be_made(look, shell, home, lose):
    (home / "watchbell.db.made").touch(mode=0o600)
    lose(home / "watchbell.db")

    found, code = look()

    assert code == errors.EXIT_FAILURE
    assert found["database-missing"]["level"] == "problem"
    assert "restore a backup" in found["database-missing"]["remedy"]
    assert "there was one" in shell("task", "list").err


def damage(home):
    file = home / "watchbell.db"
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 40] = os.urandom(4096 * 37)
    file.write_bytes(data)


def make_older(home):
    with closing(sqlite3.connect(home / "watchbell.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()


def make_newer(home):
    with closing(sqlite3.connect(home / "watchbell.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


@pytest.mark.parametrize(
    ("breaks", "code", "level"),
    [
        (damage, "database-damaged", "problem"),
        (lambda home: (home / "watchbell.db").write_bytes(b"no database " * 1000), "database-damaged", "problem"),
        (lambda home: (home / "watchbell.db").unlink(), "database-missing", "note"),
        (make_older, "database-older", "warning"),
        (make_newer, "database-newer", "problem"),
        (lambda home: (home / "scheduler.pid").write_text("garbage"), "pid-file-damaged", "problem"),
        (lambda home: (home / "scheduler.pid").write_text("4194303\n1 boot\n"), "pid-file-stale", "note"),
        (lambda home: (home / "watchbell.toml").write_text("prot = 1"), "settings", "problem"),
    ],
    ids=["damaged", "no database", "missing", "older", "newer", "garbage PID", "stale PID", "settings"],
)
def test_what_is_wrong_has_a_code_and_a_way_out(look, home, breaks, code, level):
    breaks(home)

    found, exit_code = look()

    assert found[code]["level"] == level
    assert found[code]["remedy"]
    assert exit_code == (errors.EXIT_FAILURE if level == "problem" else 0)


def test_a_home_that_is_not_there_is_no_fault_and_is_not_made(look, tmp_path):
    found, code = look("--home", str(tmp_path / "nowhere"))

    assert code == 0
    assert found["home-missing"]["remedy"] == "watchbell up makes it"
    assert not (tmp_path / "nowhere").exists()


def test_a_port_that_another_program_has_is_told(look, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("WATCHBELL_PORT", str(other.getsockname()[1]))
        found, code = look()

    assert code == errors.EXIT_FAILURE
    assert str(other.getsockname) is not None
    assert "port-busy" in found


def test_an_address_that_is_not_of_this_machine_is_told(look, monkeypatch):
    monkeypatch.setenv("WATCHBELL_HOST", "192.0.2.1")
    monkeypatch.setenv("WATCHBELL_PORT", "8080")

    assert look()[0]["address-unusable"]["level"] == "problem"


def test_too_few_files_for_the_commands_that_are_wanted_are_told(look, monkeypatch):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setenv("WATCHBELL_MAX_RUNNING", "10000")

    found, _ = look()

    assert ("file-handles-few" in found) == (soft < 40_032)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"host": "elsewhere"}, "task-host-unknown"),
        ({"command": "/no/such/program --x"}, "task-program-missing"),
        ({"command": "no-such-program"}, "task-program-missing"),
        ({"command": "", "steps": [{"name": "a", "command": "true"}, {"name": "b", "command": "no-such-program"}]}, "task-program-missing"),
        ({"command": "no-such-program || true"}, None),
        ({"command": "print(1)", "interpreter": "no-such-program -u"}, "task-program-missing"),
        ({"command": "no-such-program || true", "interpreter": "/bin/sh -e"}, None),
        ({"command": "no-such-program || true", "interpreter": "none"}, "task-program-missing"),
        ({"command": "ls", "environment": {"PATH": "/nowhere"}}, "task-program-missing"),
        ({"enabled": False, "command": "no-such-program"}, None),
        ({"command": "ls"}, None),
    ],
)  # fmt: skip
def test_a_task_that_can_never_run_is_named(look, db, fields, code):
    add_task(db, "strange", **fields)

    found, _ = look()

    told = [one for one in found if one.startswith("task-")]
    assert told == ([code] if code else [])
    assert code is None or "strange" in found[code]["words"]


def test_a_task_whose_directory_has_gone_is_named(look, db, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    add_task(db, "lost", directory=str(gone))
    gone.rmdir()

    assert "lost" in look()[0]["task-directory-missing"]["words"]


def test_a_task_that_is_never_due_again_is_named(look, db):
    task = add_task(db, "over", at=["2026-11-22 12:30"])
    with db.write() as session:
        session.get(type(task), task.id).next_due_at = None

    assert "over" in look()[0]["task-never-due"]["words"]
    assert tasks.list_page(db).total == 1
    assert NOW


def test_programs_are_looked_for_as_a_command_would_find_them(tmp_path):
    (tmp_path / "tool").touch()

    assert machine.has_program("tool", f"/nowhere:{tmp_path}", None)
    assert machine.has_program("./tool", "", str(tmp_path))
    assert not machine.has_program("tool", "/nowhere", str(tmp_path))
