"""The command line: what it prints, what it refuses and with which exit code."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import click
import pytest

from tests.database import NOW, add_run, add_task, migrated_file, url_of  # noqa: F401 - a fixture among them.
from watchbell import errors
from watchbell.cli.main import COMMANDS, EXIT_CODES, cli, main
from watchbell.domain.run_state import RunState
from watchbell.errors import WatchbellError
from watchbell.store.session import Database


@pytest.fixture
def home(tmp_path, migrated_file, monkeypatch):  # noqa: F811
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(migrated_file, folder / "watchbell.db")
    for name, value in {"HOME": str(folder), "ZONE": "UTC", "USER": "ann", "HOSTNAME": "watchtower"}.items():
        monkeypatch.setenv(f"WATCHBELL_{name}", value)
    return folder


@pytest.fixture
def db(home):
    database = Database.open(url_of(home / "watchbell.db"))
    yield database
    database.close()


@pytest.fixture
def shell(capsys, home):
    """Run a command line and return its code and what it printed."""

    def run(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))

    return run


@pytest.fixture
def typed(monkeypatch):
    """Give the next command a standard input that is not a terminal."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def commands(group=cli, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMAND_PATHS = [path for path, _ in commands()]


@pytest.mark.parametrize("path", COMMAND_PATHS, ids=" ".join)
def test_every_command_explains_itself_and_its_options(shell, path):
    done = shell(*path, "--help")

    assert done.code == 0
    assert done.out.startswith("Usage: watchbell")
    for option in dict(commands())[path].params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name


def test_the_help_names_every_exit_code(shell):
    done = shell("--help")

    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes <= set(EXIT_CODES)
    assert all(f"\n  {code} " in done.out for code in EXIT_CODES)
    assert all(name in done.out for name in COMMANDS)


@pytest.mark.parametrize("kind", WatchbellError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_documented_exit_code(kind):
    assert kind.exit_code in EXIT_CODES


def test_the_version_is_told_in_both_ways(shell):
    assert shell("--version").out == "watchbell 0.1.0\n"
    assert shell("version", "--json").json()["version"] == "0.1.0"


def test_a_fresh_home_needs_no_preparation(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("WATCHBELL_HOME", str(tmp_path / "fresh"))

    assert shell("task", "add", "tick", "--command", "date", "--every", "2s").code == 0
    assert [task["name"] for task in shell("task", "list", "--json").json()] == ["tick"]


def test_a_task_is_added_with_all_that_was_said(shell, tmp_path):
    done = shell(
        "task", "add", "report", "--command", "make report", "--cron", "0 6 * * mon-fri", "--zone", "Europe/Berlin",
        "--directory", str(tmp_path), "--env", "LANG=C.UTF-8", "--env", "A=b=c", "--tag", "daily", "--tag", "ops",
        "--comment", "every morning", "--overlap", "queue_one", "--time-limit", "5m", "--spread", "30", "--json",
    )  # fmt: skip

    made = done.json()
    assert done.code == 0
    assert made["schedule"]["expressions"] == ["0 6 * * mon-fri"]
    assert made["zone"] == "Europe/Berlin"
    assert made["environment"] == {"LANG": "C.UTF-8", "A": "b=c"}
    assert made["tags"] == ["daily", "ops"]
    assert made["policies"]["overlap"] == "queue_one"
    assert made["policies"]["time_limit_seconds"] == 300
    assert made["policies"]["spread_seconds"] == 30
    assert (made["owner"], made["host"], made["created_by"]) == ("ann", "watchtower", "ann")


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        (("--cron", "30 2 * * *"), "cron"),
        (("--cron", "0 1 * * *", "--cron", "0 13 * * *"), "cron"),
        (("--every", "2s"), "interval"),
        (("--at", "2199-01-31 09:30"), "moment"),
        (("--word", "day", "--at-time", "02:30"), "words"),
        (("--manual",), "manual"),
    ],
)
def test_every_kind_of_schedule_can_be_said(shell, when, kind):
    assert shell("task", "add", "x", "--command", "date", *when, "--json").json()["schedule"]["kind"] == kind


@pytest.mark.parametrize(
    ("options", "names", "example"),
    [
        (("--command", "date", "--cron", "61 * * * *"), "--cron", "for example"),
        (("--command", "date", "--every", "0s"), "--every", "5m"),
        (("--command", "date", "--every", "2 fortnights"), "--every", "5m"),
        (("--command", "date", "--at", "tomorrow"), "--at", "09:30"),
        (("--command", "date", "--at", "2020-01-01 00:00"), "--at", "09:30"),
        (("--command", "date", "--every", "1m", "--zone", "Mars/Base"), "--zone", "Europe/Berlin"),
        (("--command", "", "--every", "1m"), "--command", "echo hello"),
        (("--every", "1m"), "--command", "echo hello"),
        (("--command", "date", "--every", "1m", "--directory", "/no/such"), "--directory", "/tmp"),
        (("--command", "date", "--every", "1m", "--env", "novalue"), "--env", "LANG=C.UTF-8"),
        (("--command", "date", "--every", "1m", "--time-limit", "soon"), "--time-limit", "3600"),
        (("--command", "date"), "schedule", "--every 5m"),
        (("--command", "date", "--every", "1m", "--cron", "* * * * *"), "schedule", "only one"),
    ],
)
def test_wrong_input_is_refused_in_one_line_with_its_name_and_an_example(shell, options, names, example):
    done = shell("task", "add", "x", *options)

    assert done.code == errors.EXIT_USAGE
    assert done.err.startswith("watchbell: error: ")
    assert done.err.count("\n") == 1
    assert names in done.err
    assert example in done.err
    assert shell("task", "list", "--json").json() == []


def test_all_that_is_wrong_is_told_at_once(shell):
    done = shell("task", "add", "x", "--command", "", "--cron", "61 * * * *", "--zone", "Mars/Base")

    assert all(name in done.err for name in ("--command", "--cron", "--zone"))


@pytest.mark.parametrize(
    "arguments", [("task", "nope"), ("nope",), ("task", "add"), ("runs", "show", "x"), ("task", "add", "a", "--nope")]
)
def test_a_wrong_command_line_is_one_line_and_points_to_help(shell, arguments):
    done = shell(*arguments)

    assert done.code == errors.EXIT_USAGE
    assert done.err.startswith("watchbell: error: ")
    assert done.err.count("\n") == 1
    assert "--help" in done.err


def test_a_name_that_is_taken_is_a_conflict(shell, db):
    add_task(db, "backup")

    assert shell("task", "add", "backup", "--command", "date", "--every", "1m").code == errors.EXIT_CONFLICT


@pytest.mark.parametrize(
    "arguments",
    [
        ("task", "show", "nope"), ("task", "edit", "nope", "--every", "1m"), ("task", "trigger", "nope"),
        ("task", "delete", "nope", "--yes"), ("task", "enable", "nope"), ("runs", "list", "--task", "nope"),
        ("runs", "show", "99"), ("runs", "logs", "99"), ("user", "passwd", "nobody"), ("user", "link", "nobody"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_not_there_is_not_found(shell, arguments):
    done = shell(*arguments)

    assert done.code == errors.EXIT_NOT_FOUND
    assert done.err.count("\n") == 1


def test_an_edit_changes_only_what_was_said(shell, db):
    before = add_task(db, "report", every="1h", tags=["daily"], environment={"A": "1", "B": "2"}, comment="old")

    done = shell("task", "edit", "report", "--env", "B=3", "--unset-env", "A", "--comment", "new", "--json")

    after = done.json()
    assert after["environment"] == {"B": "3"}
    assert after["comment"] == "new"
    assert after["tags"] == ["daily"]
    assert after["schedule"] == before.schedule
    assert after["version"] == 2


def test_an_edit_can_rename_clear_and_take_the_schedule_away(shell, db):
    add_task(db, "report", every="1h", tags=["daily"])

    after = shell("task", "edit", "report", "--name", "other", "--no-tags", "--manual", "--json").json()

    assert (after["name"], after["tags"], after["schedule"]["kind"]) == ("other", [], "manual")


def test_an_edit_of_nothing_is_refused(shell, db):
    add_task(db, "report")

    assert shell("task", "edit", "report").code == errors.EXIT_USAGE


def test_a_task_is_disabled_and_enabled(shell, db):
    add_task(db, "report", every="1h")

    assert shell("task", "disable", "report", "--json").json()["enabled"] is False
    assert shell("task", "list", "--enabled", "--json").json() == []
    assert shell("task", "enable", "report", "--json").json()["enabled"] is True


def test_a_task_is_deleted_only_on_purpose(shell, db, typed):
    add_task(db, "report")
    typed("y\n")

    refused = shell("task", "delete", "report")
    done = shell("task", "delete", "report", "--yes")

    assert refused.code == errors.EXIT_USAGE
    assert "--yes" in refused.err
    assert done.code == 0
    assert shell("task", "list", "--json").json() == []


def test_the_list_of_tasks_is_filtered_by_whole_tags(shell, db):
    add_task(db, "one", tags=["daily"])
    add_task(db, "two", tags=["dailies"])

    assert [task["name"] for task in shell("task", "list", "--tag", "daily", "--json").json()] == ["one"]


def test_names_and_commands_cannot_move_the_cursor(shell, db):
    add_task(db, "evil", command="printf '\tx'\nrm")
    add_run(db, add_task(db, "other"), RunState.FAILED, reason="\x1b[2Jgone\r\n")

    shown = shell("task", "show", "evil").out + shell("runs", "list").out

    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\\x1b[2Jgone" in shown


def test_a_trigger_prints_the_run_and_the_same_key_the_same_run(shell, db):
    add_task(db, "report")

    first = shell("task", "trigger", "report", "--key", "deploy-1")
    second = shell("task", "trigger", "report", "--key", "deploy-1", "--json")

    assert first.out.strip().isdigit()
    assert "no scheduler is running" in first.err
    assert second.json()["run_id"] == int(first.out)
    assert second.json()["state"] == "queued"


def test_runs_are_listed_newest_first_and_by_state(shell, db):
    task = add_task(db, "report")
    runs = [add_run(db, task, state).id for state in (RunState.FAILED, RunState.SUCCEEDED, RunState.LOST)]

    everything = shell("runs", "list", "--json").json()
    chosen = shell("runs", "list", "--state", "failed", "--state", "lost", "--task", "report", "--json").json()

    assert [run["id"] for run in everything] == runs[::-1]
    assert [run["state"] for run in chosen] == ["lost", "failed"]
    assert [run["id"] for run in shell("runs", "list", "-n", "1", "--before", str(runs[2]), "--json").json()] == [
        runs[1]
    ]


def test_a_run_is_shown_with_its_task_and_state(shell, db):
    run = add_run(db, add_task(db, "report", command="make it"), RunState.MISSED, reason="the scheduler was down")

    shown = shell("runs", "show", str(run.id)).out

    assert "make it" in shown
    assert "missed" in shown
    assert "the scheduler was down" in shown


def test_a_run_that_never_started_has_no_output(shell, db):
    run = add_run(db, add_task(db), RunState.SKIPPED)

    done = shell("runs", "logs", str(run.id))

    assert (done.code, done.out) == (0, "")


PREVIEW = ("schedule", "preview", "30 2 * * *", "--zone", "Europe/Berlin", "--from", "2026-03-27T12:00:00+00:00")


def test_a_preview_prints_exactly_the_moments(shell):
    done = shell(*PREVIEW, "-n", "3", "--json")

    assert done.out == (
        '{"moments": ["2026-03-28T01:30:00+00:00", "2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"]}\n'
    )
    assert len(shell(*PREVIEW, "-n", "40", "--json").json()["moments"]) == 40


def test_a_preview_for_people_shows_both_times_and_the_change_of_the_clock(shell):
    shown = shell(*PREVIEW, "-n", "2").out

    assert "Sat 2026-03-28 02:30:00 CET" in shown
    assert "2026-03-29 01:00:00Z" in shown
    assert "02:30:00 does not exist that day" in shown
    assert "The clock goes forward on 2026-03-29 from 02:00:00 to 03:00:00" in shown


def test_a_preview_tells_the_passes_of_a_repeated_hour_apart(shell):
    shown = shell(
        "schedule", "preview", "*/30 * * * *", "--zone", "Europe/Berlin", "--from", "2026-10-24T23:59:00Z", "-n", "4"
    ).out

    assert shown.count("first pass of a repeated hour") == 2
    assert shown.count("second pass of a repeated hour") == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--every", "90s"),
        ("--word", "day", "--at-time", "02:30"),
        ("--at", "2199-01-31 09:30"),
        ("0 1 * * *", "0 2 * * *"),
    ],
)
def test_a_preview_takes_every_kind(shell, options):
    assert shell("schedule", "preview", *options, "-n", "1", "--json").json()["moments"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), "cron"),
        (("61 * * * *",), "--cron"),
        (("* * * * *", "--from", "yesterday"), "--from"),
        (("* * * * *", "--zone", "Mars/Base"), "--zone"),
        (("* * * * *", "-n", "0"), "-n"),
        (("* * * * *", "--every", "5m"), "schedule"),
    ],
)
def test_a_wrong_preview_is_refused(shell, options, names):
    done = shell("schedule", "preview", *options, "--json")

    assert done.code == errors.EXIT_USAGE
    assert names in done.err
    assert done.out == ""


def test_the_database_is_upgraded_once_and_checked(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("WATCHBELL_HOME", str(tmp_path / "fresh"))

    before = shell("db", "check")
    made = shell("db", "upgrade", "--json").json()
    again = shell("db", "upgrade")
    after = shell("db", "check", "--json").json()

    assert before.code == errors.EXIT_CONFIG
    assert made["before"] is None
    assert "already" in again.out
    assert after["schema"] == after["wanted"] == made["now"]
    assert after["problems"] == []


def test_a_damaged_database_is_told_in_one_line(shell, home):
    (home / "watchbell.db").write_bytes(b"no database " * 1000)

    done = shell("task", "list")

    assert done.code == errors.EXIT_CONFIG
    assert done.err.count("\n") == 1


def test_a_database_url_that_is_none_is_told_in_one_line(shell):
    done = shell("--database-url", "nonsense", "task", "list")

    assert done.code == errors.EXIT_CONFIG
    assert done.err.count("\n") == 1


def test_an_account_gets_its_password_from_standard_input(shell, typed):
    typed("correct horse battery\n")
    made = shell("user", "add", "bob", "--role", "editor", "--password-stdin", "--json")

    assert made.json()["has_password"]
    assert made.json()["role"] == "editor"
    assert [account["username"] for account in shell("user", "list", "--json").json()] == ["bob"]


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("short\n", ("--password-stdin",), "at least 8"),
        ("", (), "--password-stdin"),
        ("\n", ("--password-stdin",), "at least"),
    ],
)
def test_a_password_that_is_none_is_refused(shell, typed, text, options, says):
    typed(text)

    done = shell("user", "add", "bob", *options)

    assert done.code == errors.EXIT_USAGE
    assert says in done.err


def test_the_first_account_gets_a_password_or_a_link_before_the_first_start(shell, typed):
    typed("correct horse battery\n")

    assert shell("user", "passwd", "admin", "--password-stdin").code == 0
    assert shell("user", "link", "admin").out.startswith("http://127.0.0.1:5000/login/link/")


def test_a_scheduler_that_does_not_run_is_told_by_the_exit_code(shell):
    assert shell("scheduler", "status").code == errors.EXIT_NOT_RUNNING
    assert shell("scheduler", "status", "--json").json()["state"] == "stopped"
    assert shell("scheduler", "stop").code == errors.EXIT_NOT_RUNNING


def test_the_last_lines_of_the_log_are_printed(shell, home):
    (home / "scheduler.log").write_text("".join(f"[2026-11-22 12:00:0{n}] [INFO] line {n}\n" for n in range(5)))

    assert shell("scheduler", "logs", "-n", "2").out == (
        "[2026-11-22 12:00:03] [INFO] line 3\n[2026-11-22 12:00:04] [INFO] line 4\n"
    )
    assert shell("scheduler", "logs", "-n", "1", "--json").json() == [
        {"timestamp": "2026-11-22 12:00:04", "level": "INFO", "message": "line 4"}
    ]


def test_times_in_json_are_utc_with_an_offset(shell, db):
    add_task(db, "report")

    made = shell("task", "list", "--json").json()[0]

    assert datetime.fromisoformat(made["created_at"]) == NOW
    assert datetime.fromisoformat(made["created_at"]).tzinfo == UTC
