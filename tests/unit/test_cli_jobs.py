"""The commands in the words of the older program: the same tasks and runs, other options and columns."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_run, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from tests.unit.run_rows import finished
from watchbell import clock, errors
from watchbell.domain.run_state import RunState

# ruff: noqa: F811


def test_a_job_is_added_with_its_own_defaults(shell, tmp_path):
    made = shell(
        "add",
        "backup",
        "--cron",
        "30 2 * * *",
        "--cmd",
        "tar c /x",
        "-d",
        str(tmp_path),
        "--tags",
        "daily, ops",
        "--json",
    ).json()

    assert made["schedule"]["expressions"] == ["30 2 * * *"]
    assert made["command"] == "tar c /x"
    assert made["directory"] == str(tmp_path)
    assert made["tags"] == ["daily", "ops"]
    assert made["policies"]["time_limit_seconds"] == 300
    assert made["enabled"]


def test_a_job_may_be_added_disabled_and_with_a_limit(shell):
    made = shell("add", "x", "--cron", "@daily", "--cmd", "true", "-t", "86400", "--disabled", "--json").json()

    assert (made["enabled"], made["policies"]["time_limit_seconds"]) == (False, 86400)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--cron", "61 * * * *", "--cmd", "true"), "--cron"),
        (("--cron", "* * * * *"), "--cmd"),
        (("--cmd", "true"), "--cron"),
        (("--cron", "* * * * *", "--cmd", "true", "-t", "0"), "-t"),
        (("--cron", "* * * * *", "--cmd", "true", "-t", "86401"), "-t"),
    ],
)
def test_a_wrong_job_is_refused_in_one_line(shell, options, says):
    done = shell("add", "x", *options)

    assert done.code == errors.EXIT_USAGE
    assert says in done.err
    assert done.err.count("\n") == 1


def test_a_list_of_jobs_has_the_old_columns_and_leaves_disabled_ones_out(shell, db):
    add_task(db, "one", cron="30 2 * * *", tags=["daily"])
    add_task(db, "two", cron="0 3 * * *", enabled=False, tags=["dailies"])
    add_task(db, "three", every="5m")

    shown, everything, tagged = shell("list").out, shell("list", "-a").out, shell("list", "-a", "-t", "daily").out

    assert shown.split("\n")[0].split() == ["ID", "NAME", "CRON", "ENABLED", "NEXT", "RUN", "(UTC)", "TAGS"]
    assert "30 2 * * *" in shown
    assert "two" not in shown
    assert "Every 5 minutes" in shown
    assert "two" in everything
    assert "two" not in tagged
    assert "one" in tagged


def test_an_empty_list_of_jobs_says_how_to_make_one(shell):
    assert "watchbell add --help" in shell("list").out


def test_a_job_is_shown_in_words(shell, db):
    add_task(db, "one", cron="30 2 * * *", time_limit_seconds=300)

    shown = shell("show", "one").out

    assert "At 02:30 every day" in shown
    assert "300 s" in shown


def test_an_empty_text_takes_tags_and_directory_away(shell, db, tmp_path):
    add_task(db, "one", cron="30 2 * * *", tags=["daily"], directory=str(tmp_path), comment="stays")

    after = shell("edit", "one", "--tags", "", "-d", "", "--cmd", "date", "-t", "60", "--json").json()

    assert (after["tags"], after["directory"], after["command"], after["comment"]) == ([], None, "date", "stays")
    assert after["policies"]["time_limit_seconds"] == 60


@pytest.mark.parametrize("options", [(), ("--cron", ""), ("--cmd", " ")])
def test_an_edit_of_nothing_is_refused(shell, db, options):
    add_task(db, "one", cron="30 2 * * *")

    assert shell("edit", "one", *options).code == errors.EXIT_USAGE


def test_a_job_is_disabled_enabled_and_deleted(shell, db, typed):
    add_task(db, "one", cron="30 2 * * *")
    typed("y\n")

    assert shell("disable", "one", "--json").json()["enabled"] is False
    assert shell("enable", "one", "--json").json()["enabled"] is True
    refused = shell("delete", "one")
    assert refused.code == errors.EXIT_USAGE
    assert "--force" in refused.err
    assert shell("delete", "one", "-f").code == 0
    assert shell("show", "one").code == errors.EXIT_NOT_FOUND


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (RunState.SUCCEEDED, "OK"), (RunState.FAILED, "FAILED"), (RunState.TIMED_OUT, "TIMEOUT"),
        (RunState.RUNNING, "RUNNING"), (RunState.LOST, "LOST"), (RunState.SKIPPED, "SKIPPED"),
    ],
)  # fmt: skip
def test_a_run_has_the_old_status_words(shell, db, state, word):
    run = add_run(db, add_task(db, "one"), state)

    shown = shell("runs").out
    assert shown.split("\n")[0].split() == ["ID", "JOB", "STARTED", "(UTC)", "EXIT", "DURATION", "STATUS"]
    assert shown.split("\n")[1].split()[-1] == word
    assert word in shell("run", str(run.id)).out


def test_failed_runs_are_those_that_ended_badly_and_never_one_that_goes_on(shell, db):
    task = add_task(db, "one")
    states = (
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.RUNNING,
        RunState.LOST,
        RunState.SKIPPED,
        RunState.TIMED_OUT,
    )
    for state in states:
        add_run(db, task, state)

    found = shell("runs", "--failed", "--json").json()

    assert [run["state"] for run in found] == ["timed_out", "lost", "failed"]
    assert len(shell("runs", "-n", "2", "--json").json()) == 2


def test_runs_are_chosen_by_job_and_day(shell, db):
    now = clock.now()
    mine, other = add_task(db, "mine"), add_task(db, "other")
    add_run(db, mine, RunState.FAILED, due_at=NOW, created_at=NOW)
    newest = add_run(db, mine, RunState.FAILED, due_at=now, created_at=now)
    add_run(db, other, RunState.FAILED, due_at=now, created_at=now)

    today = shell("runs", "-j", "mine", "--today", "--json").json()
    since = shell("runs", "--job", "mine", "--since", f"{now:%Y-%m-%d}", "--json").json()

    assert [run["id"] for run in today] == [run["id"] for run in since] == [newest.id]


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--since", "yesterday"), "--since"), (("--today", "--since", "2030-01-01"), "one of"), (("-n", "0"), "-n"),
     (("--failed", "list"), "behind the command")],
)  # fmt: skip
def test_a_wrong_choice_of_runs_is_refused(shell, options, says):
    done = shell("runs", *options)

    assert done.code == errors.EXIT_USAGE
    assert says in done.err


def test_the_newest_run_is_shown_with_what_it_wrote(shell, db):
    run = finished(db, b"all is well\n\x1b[2J")

    shown = shell("last", run.task_name).out

    assert "STDOUT:\nall is well\n" in shown
    assert "\x1b" not in shown
    assert shell("run", str(run.id), "--json").json()["stdout"].startswith("all is well")


def test_a_job_that_never_ran_has_no_last_run(shell, db):
    add_task(db, "one")

    done = shell("last", "one")

    assert done.code == errors.EXIT_NOT_FOUND
    assert "has not run yet" in done.err


def test_the_status_counts_jobs_and_runs(shell, db):
    now = clock.now()
    add_task(db, "off", enabled=False)
    task = add_task(db, "one")
    for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.LOST, RunState.QUEUED):
        add_run(db, task, state, due_at=now, created_at=now)

    told = shell("status", "--json").json()

    assert (told["total_jobs"], told["enabled_jobs"], told["waiting"], told["scheduler"]) == (2, 1, 1, "stopped")
    assert "1 OK, 2 failed" in shell("status").out


def test_a_job_is_not_triggered_into_the_void(shell, db):
    add_task(db, "one")

    done = shell("trigger", "one")

    assert done.code == errors.EXIT_NOT_RUNNING
    assert "watchbell scheduler start" in done.err
    assert shell("runs", "--json").json() == []
    assert shell("trigger", "one", "--no-wait").out.strip().isdecimal()


def test_the_settings_are_checked_and_no_secret_is_shown(shell, home, monkeypatch):
    monkeypatch.setenv("FLASK_SECRET_KEY", "k" * 40)
    file = home / "old.conf"
    file.write_text("# older\ngateway_port = 6060\nCHECK_INTERVAL=30\n")

    told = shell("service", "check", "-c", str(file), "--json").json()
    shown = shell("service", "check", "-c", str(file)).out

    assert (told["settings"]["port"], told["settings"]["check_interval"]) == (6060, 30)
    assert (told["database_exists"], told["jobs"]) == (True, 0)
    assert "k" * 40 not in shown
    assert "(set)" in shown
    assert str(file) in shown


def test_a_check_of_a_place_without_data_makes_nothing(shell, tmp_path):
    nowhere = tmp_path / "nowhere"

    told = shell("--home", str(nowhere), "service", "check", "--json").json()

    assert (told["database_exists"], told["jobs"]) == (False, None)
    assert not nowhere.exists()
