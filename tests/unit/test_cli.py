"""The command line: its help, its exit codes, and the groups beside tasks and runs."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from tests.database import NOW, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell import errors
from watchbell.cli.main import COMMANDS, EXIT_CODES, cli
from watchbell.errors import WatchbellError

# ruff: noqa: F811


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
    # What it does at the change after that one, which lies beyond the two moments.
    assert "  It is due Sun 2026-10-25 02:30:00 CEST, 2026-10-25 00:30:00Z (first pass of a repeated hour).\n" in shown
    assert "02:30:00 does not exist that day; skip: it does not run.\n" in shell(*PREVIEW, "--dst", "skip").out


def test_a_preview_tells_the_passes_of_a_repeated_hour_apart(shell):
    shown = shell(
        "schedule", "preview", "*/30 * * * *", "--zone", "Europe/Berlin", "--from", "2026-10-24T23:59:00Z", "-n", "4"
    ).out.partition("The clock goes")[0]

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
        (("61 * * * *",), "error: CRON: "),
        (("* * * * *", "--from", "yesterday"), "--from"),
        (("* * * * *", "--from", "0001-01-01T00:00:00+00:00"), "--from"),
        (("* * * * *", "--from", "1969-12-31T23:59:59Z"), "--from"),
        (("* * * * *", "--from", "9999-12-31T23:59:59Z", "--zone", "Pacific/Auckland"), "--from"),
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
    elsewhere = shell("user", "link", "admin", "--at", "https://bell.example.org/jobs/")
    assert elsewhere.out.startswith("https://bell.example.org/jobs/login/link/")
    refused = shell("user", "link", "admin", "--at", "bell.example.org")
    assert refused.code == errors.EXIT_USAGE
    assert "must be the address of a page" in refused.err


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


def test_no_line_of_the_log_cannot_be_asked_for(shell):
    done = shell("scheduler", "logs", "-n", "0")

    assert done.code == errors.EXIT_USAGE
    assert "-n" in done.err


def test_times_in_json_are_utc_with_an_offset(shell, db):
    add_task(db, "report")

    made = shell("task", "list", "--json").json()[0]

    assert datetime.fromisoformat(made["created_at"]) == NOW
    assert datetime.fromisoformat(made["created_at"]).tzinfo == UTC


@pytest.mark.parametrize(
    "arguments",
    [
        ("task", "list"), ("task", "show", "x"), ("task", "trigger", "x"), ("task", "delete", "x", "--yes"),
        ("runs", "list"), ("runs", "list", "--task", "x"), ("runs", "show", "1"), ("runs", "logs", "1"),
        ("user", "list"), ("scheduler", "status"), ("scheduler", "stop"), ("scheduler", "logs"), ("db", "check"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_look_at_a_mistyped_home_makes_nothing_there(shell, tmp_path, arguments):
    mistyped = tmp_path / "mistyped"

    done = shell("--home", str(mistyped), *arguments)

    assert done.code == errors.EXIT_CONFIG
    assert done.out == ""
    assert f"no Watchbell data in {mistyped}" in done.err
    assert done.err.count("\n") == 1
    assert not mistyped.exists()


def test_a_database_elsewhere_that_is_missing_is_named(shell, tmp_path):
    done = shell("--database-url", f"sqlite:///{tmp_path}/elsewhere.db", "task", "list")

    assert done.code == errors.EXIT_CONFIG
    assert f"{tmp_path}/elsewhere.db" in done.err
    assert not (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--home", "", "task", "list"), "--home"),
        (("--home", " ", "task", "list"), "--home"),
        (("--database-url", "", "task", "list"), "--database-url"),
        (("schedule", "preview", "* * * * *", "--zone", ""), "--zone"),
        (("task", "add", "x", "--command", "date", "--every", "5m", "--zone", ""), "--zone"),
    ],
)
def test_an_empty_text_is_not_taken_for_the_default(shell, arguments, names):
    done = shell(*arguments)

    assert done.code == errors.EXIT_USAGE
    assert names in done.err
    assert "empty" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "url", ["postgresql://ann:Tr0ub4dor@db.example/w", "postgresql://db.example/w?password=Tr0ub4dor"]
)
@pytest.mark.parametrize("words", [("db", "copy", "--to"), ("--database-url",)])
def test_no_password_of_a_database_is_taken_as_an_argument(shell, url, words):
    done = shell(*words, url, *(() if "db" in words else ("task", "list")))

    assert done.code == errors.EXIT_USAGE
    assert "PGPASSWORD" in done.err
    assert "Tr0ub4dor" not in done.err


def test_the_list_of_commands_says_what_they_say_of_themselves():
    context = click.Context(cli)

    for name, place in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command.name == name
        assert command.short_help == place.help


def test_every_command_with_an_answer_has_an_example():
    without = {
        " ".join(path) for path, command in commands() if not isinstance(command, click.Group) and not command.epilog
    }

    assert without == set()
