"""Starts that are impossible: one line, exit code 78, and nothing that serves with less safety than was asked for."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.database import migrated_file  # noqa: F401 - a fixture.
from watchbell import RunDashboard, dashboard, resources, scheduler_tools
from watchbell.cli.main import main
from watchbell.config import Config
from watchbell.errors import EXIT_CONFIG, ConfigError

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def refused(capsys, home, monkeypatch):
    """Start page and scheduler, expect a refusal and return its one line."""

    def start(*options, place=home, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = main(["--home", str(place), "up", "--port", "0", *options])
        out, err = capsys.readouterr()
        assert code == EXIT_CONFIG, out + err
        assert err.startswith("watchbell: error: ")
        assert err.count("\n") == 1
        assert out == ""
        return err

    return start


def damage_settings(home, _template):
    (home / "watchbell.toml").write_text('port = "50')


def unknown_setting(home, _template):
    (home / "watchbell.toml").write_text("prot = 5000\n")


def wrong_setting(home, _template):
    (home / "watchbell.toml").write_text("max_running = 0\n")


def damage_database(home, _template):
    (home / "watchbell.db").write_bytes(b"this is not a database, however long it may be " * 200)


def newer_schema(home, template):
    shutil.copy(template, home / "watchbell.db")
    with contextlib.closing(sqlite3.connect(home / "watchbell.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")


def garbage_pid(home, template):
    shutil.copy(template, home / "watchbell.db")
    (home / "scheduler.pid").write_text("garbage")


@pytest.mark.parametrize(
    ("breakage", "says"),
    [
        (damage_settings, "watchbell.toml is damaged"),
        (unknown_setting, "prot"),
        (wrong_setting, "max_running"),
        (damage_database, "damaged or not a database"),
        (newer_schema, "made by a newer Watchbell"),
        (garbage_pid, "something else than a PID"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_damaged_stops_the_start(refused, home, migrated_file, breakage, says):  # noqa: F811
    home.mkdir(mode=0o700)
    breakage(home, migrated_file)

    assert says in refused()


def test_a_home_that_is_a_file_stops_the_start(refused, home):
    home.write_text("not a directory")

    assert "Not a directory" in refused()


def test_a_home_that_cannot_be_made_stops_the_start(refused):
    assert "/proc/watchbell cannot be made" in refused(place=Path("/proc/watchbell"))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 300])
def test_an_address_that_is_not_ours_stops_the_start(refused, host):
    # Unguarded, so that the refusal would come from elsewhere if the guard came first; both name the address.
    assert host in refused("--host", host)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "WATCHBELL_BEHIND_PROXY=on"),
        ({"WATCHBELL_AUTH": "off", "WATCHBELL_BEHIND_PROXY": "on"}, "WATCHBELL_AUTH=on"),
        ({"WATCHBELL_BEHIND_PROXY": "on"}, "WATCHBELL_PROXY_FROM=ADDRESS"),
        ({"WATCHBELL_BEHIND_PROXY": "on", "WATCHBELL_PROXY_FROM": "10.0.0.5"}, "watchbell user passwd admin"),
        ({"WATCHBELL_PASSWORD": "correct horse"}, "WATCHBELL_BEHIND_PROXY=on"),
    ],
    ids=["with nothing", "without login", "without a named proxy", "without a password", "without a proxy"],
)
def test_what_other_machines_can_reach_is_guarded_first(refused, settings, says):
    assert says in refused("--host", "0.0.0.0", **settings)


def test_missing_browser_libraries_stop_the_start(refused, monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "static", lambda: tmp_path)

    assert "browser libraries are missing" in refused()


def test_a_key_that_is_too_short_stops_the_start_before_anything_is_made(refused, home):
    assert "WATCHBELL_SECRET_KEY must be at least 32 characters" in refused(WATCHBELL_SECRET_KEY="short")
    assert not home.exists()


@pytest.mark.parametrize("content", [b"half a key", b"", b"\xff" * 64], ids=["short", "empty", "not text"])
def test_a_damaged_key_stops_the_start_with_one_line(refused, home, content):
    home.mkdir(mode=0o700)
    (home / "secret.key").write_bytes(content)

    assert "secret.key" in refused()


def test_the_page_alone_refuses_a_short_key_too(capsys, home, monkeypatch):
    monkeypatch.setenv("WATCHBELL_SECRET_KEY", "short")

    assert main(["--home", str(home), "dashboard", "--port", "0"]) == EXIT_CONFIG
    assert capsys.readouterr().err.count("\n") == 1


def test_a_script_that_names_no_address_gets_that_of_the_settings(monkeypatch, home, capsys):
    monkeypatch.setenv("WATCHBELL_HOME", str(home))
    monkeypatch.setenv("WATCHBELL_HOST", "192.0.2.7")

    with pytest.raises(ConfigError, match=r"192\.0\.2\.7"):
        RunDashboard(block=False)
    with pytest.raises(SystemExit) as ended:
        RunDashboard()
    assert ended.value.code == EXIT_CONFIG
    assert "192.0.2.7" in capsys.readouterr().err


def test_the_address_that_a_script_names_goes_before_that_of_the_settings(monkeypatch, home):
    monkeypatch.setenv("WATCHBELL_HOME", str(home))
    monkeypatch.setenv("WATCHBELL_HOST", "192.0.2.7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is in use"):
            RunDashboard(port=port, host="127.0.0.1", block=False)


def test_the_signature_shows_the_defaults_that_people_know():
    shown = inspect.signature(scheduler_tools.RunDashboard).parameters

    assert {name: one.default for name, one in shown.items()} == {
        "port": 5000, "host": "127.0.0.1", "db": None, "debug": False, "scheduler": True, "block": True
    }  # fmt: skip


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that prepares a start whose output goes to a file, and says where people get in."""

    def prepare(*, is_journal: bool) -> tuple[str, str]:
        with (tmp_path / "out").open("w") as out:
            before = os.dup(1)
            os.dup2(out.fileno(), 1)
            try:
                status = os.fstat(1)
                # systemd says so in this way of what it has made for a service, and what that starts inherits the words.
                stream = f"{status.st_dev}:{status.st_ino if is_journal else status.st_ino + 1}"
                monkeypatch.setenv("JOURNAL_STREAM", stream)
                config = Config.load({"home": tmp_path / "a home", "sample_task": "off"}, {})
                return dashboard._prepare(config, "http://127.0.0.1:5000")
            finally:
                os.dup2(before, 1)
                os.close(before)

    return prepare


def test_no_login_link_is_written_into_the_journal(written, tmp_path):
    address, command = written(is_journal=True)

    assert address == "http://127.0.0.1:5000"
    assert command == f"watchbell --home '{tmp_path}/a home' user link admin"
    with contextlib.closing(sqlite3.connect(tmp_path / "a home/watchbell.db")) as connection:
        assert connection.execute("SELECT count(*) FROM login_link").fetchone() == (0,)


def test_a_pipe_or_a_file_gets_the_link_although_systemd_has_started_the_terminal(written):
    address, command = written(is_journal=False)

    assert address.startswith("http://127.0.0.1:5000/login/link/")
    assert command == ""
