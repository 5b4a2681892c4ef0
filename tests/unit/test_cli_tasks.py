"""Tasks and runs from the command line."""

from __future__ import annotations

import dataclasses

import pytest

from tests.database import add_run, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from tests.unit.run_rows import finished
from watchbell import errors
from watchbell.cli.task_options import option_of, policy_options
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import RunState

# ruff: noqa: F811


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
    assert (made["owner"], made["host"], made["created_by"]) == ("ann", "", "ann")


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


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        (("--overlap", "queue_all", "--overlap-limit", "7"), {"overlap": "queue_all", "overlap_limit": 7}),
        (("--overlap", "replace"), {"overlap": "replace"}),
        (("--uncertain", "ask"), {"uncertain": "ask"}),
        (("--catch-up", "all", "--catch-up-limit", "5", "--catch-up-window", "2h"),
         {"catch_up": "all", "catch_up_limit": 5, "catch_up_window_seconds": 7200}),
        (("--retries", "3", "--retry-delay", "2m", "--retry-max-delay", "1h", "--retry-total", "1d"),
         {"retries": 3, "retry_delay_seconds": 120, "retry_max_delay_seconds": 3600, "retry_total_seconds": 86400}),
        (("--retry-backoff", "fibonacci", "--retry-multiplier", "1.5"),
         {"retry_backoff": "fibonacci", "retry_multiplier": 1.5}),
        (("--retry-on", "75-79,timeout", "--retry-not-on", "2"), {"retry_on": "75-79, timeout", "retry_not_on": "2"}),
        (("--output-limit", "1", "--output-excess", "end"), {"output_limit_mib": 1, "output_excess": "end"}),
        (("--memory-limit", "512", "--process-limit", "64", "--niceness", "-5"),
         {"memory_limit_mib": 512, "process_limit": 64, "niceness": -5}),
        (("--queue", "nightly", "--priority", "-10"), {"queue": "nightly", "priority": -10}),
        (("--keep-days", "30", "--keep-runs", "1000"), {"keep_days": 30, "keep_runs": 1000}),
        (("--own-metrics", "read"), {"own_metrics": "read"}),
        (("--gate", "cpu_max:80", "--gate", "big: stdout_length > 0"), {"gates": "cpu_max <= 80\nbig: stdout_length > 0"}),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)  # fmt: skip
def test_every_policy_can_be_said_and_given_up_again(shell, options, stored):
    made = shell("task", "add", "x", "--command", "date", "--manual", *options, "--json").json()

    assert {name: made["policies"][name] for name in stored} == stored

    optional = [name for name in options if name in {"--retry-total", "--memory-limit", "--keep-days", "--retry-on"}]
    for name in optional:
        assert shell("task", "edit", "x", name, "").code == 0
    after = shell("task", "show", "x", "--json").json()["policies"]
    given_up = {"--retry-total": "retry_total_seconds", "--memory-limit": "memory_limit_mib"}
    for name in optional:
        assert not after[given_up.get(name, name.removeprefix("--").replace("-", "_"))]


def test_every_policy_has_an_option():
    named = {option_of(field.name) for field in dataclasses.fields(Policies)}
    options = {name for option in policy_options()(lambda: None).__click_params__ for name in option.opts}

    assert named == options


@pytest.mark.parametrize(
    ("option", "value"),
    [("--retries", "many"), ("--retry-on", "256"), ("--queue", "No Way"), ("--niceness", "20"), ("--priority", "101"),
     ("--keep-days", "0"), ("--memory-limit", "0"), ("--retry-multiplier", "0.5"), ("--retry-total", "soon")],
)  # fmt: skip
def test_a_wrong_policy_is_refused_with_the_name_of_its_option(shell, option, value):
    done = shell("task", "add", "x", "--command", "date", "--manual", option, value)

    assert done.code == errors.EXIT_USAGE
    assert f"{option}: " in done.err


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


def test_nothing_that_is_shown_turns_the_direction_of_its_line(shell, db):
    add_run(db, add_task(db, "other"), RunState.FAILED, reason="\u202egnihton")

    assert "\u202e" not in shell("runs", "list").out


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


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (b"HEAD", "HEAD\n[… 1000000 bytes dropped here …]\nTAIL"),
        (b"HEAD\n", "HEAD\n[… 1000000 bytes dropped here …]\nTAIL"),
        ("HEAD€".encode()[:-1], "HEAD\ufffd\n[… 1000000 bytes dropped here …]\nTAIL"),
        (b"HEAD\x1b[3", "HEAD␛[3\n[… 1000000 bytes dropped here …]\nTAIL"),
    ],
    ids=["inside a line", "between lines", "inside a character", "inside an escape sequence"],
)
def test_head_and_tail_of_a_truncated_output_are_not_joined_in_silence(shell, db, head, shown):
    run = finished(db, head + b"TAIL", size=1_000_004 + len(head), head_size=len(head), dropped=1_000_000)

    assert shell("runs", "logs", str(run.id), "--stream", "stdout").out == shown


def test_a_raw_output_that_was_truncated_stays_as_it_is_and_the_gap_is_told_beside_it(shell, db):
    run = finished(db, b"HEADTAIL", size=1_000_008, head_size=4, dropped=1_000_000)

    done = shell("runs", "logs", str(run.id), "--stream", "stdout", "--raw")

    assert done.out == "HEADTAIL"
    assert done.err == "watchbell: 1000000 bytes of stdout were dropped between its head and its tail\n"


@pytest.mark.parametrize("number", ["99999999999999999999999", "0", "-1"])
def test_a_number_that_no_run_can_have_is_refused_where_runs_are_listed(shell, number):
    done = shell("runs", "list", "--before", number)

    assert done.code == errors.EXIT_USAGE
    assert "--before" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--spread", "99999d", "between 0 and 86400 seconds"),
        ("--time-limit", "99999999999999999999s", "between 1 and 2678400 seconds"),
        ("--time-limit", "99999999999999999999", "between 1 and 2678400 seconds"),
        ("--latest-start", "0m", "between 1 and 2678400 seconds"),
        ("--every", "99999999999999999999d", "at most ten years"),
    ],
)
def test_a_span_beyond_its_bound_is_told_the_bound(shell, option, value, says):
    done = shell(
        "task", "add", "x", "--command", "date", *(("--manual",) if option != "--every" else ()), option, value
    )

    assert done.code == errors.EXIT_USAGE
    assert f"{option}: " in done.err
    assert says in done.err


@pytest.mark.parametrize("number", ["0", "00", "7", "999999", "1234567890", "9" * 100])
def test_the_example_for_an_interval_without_a_unit_can_be_typed(shell, number):
    refused = shell("task", "add", "x", "--command", "date", "--every", number)
    example = refused.err.partition("for example: ")[2].strip().removesuffix(")")

    assert refused.code == errors.EXIT_USAGE
    assert shell("task", "add", "x", "--command", "date", "--every", example).code == errors.EXIT_OK


def test_a_run_as_soon_as_possible_is_asked_for_once(shell, db):
    add_task(db, "backup")

    first, second = (shell("task", "trigger", "backup", "--asap").out.strip() for _ in range(2))

    assert first == second
    assert shell("runs", "show", first, "--json").json()["trigger"] == "asap"


def test_what_cannot_run_as_soon_as_possible_is_told(shell, db):
    add_task(db, "backup", enabled=False)

    assert shell("task", "trigger", "backup", "--asap").code == errors.EXIT_CONFLICT
    assert shell("task", "trigger", "backup", "--asap", "--key", "x").code == errors.EXIT_USAGE


def test_a_task_is_added_and_run_once_as_soon_as_possible(shell):
    made = shell("task", "add", "tick", "--command", "date", "--cron", "0 3 * * *", "--asap", "--json").json()

    (run,) = shell("runs", "list", "--json").json()
    assert (run["task_id"], run["trigger"], run["state"]) == (made["id"], "asap", "queued")


def test_a_disabled_task_is_not_run_as_soon_as_possible(shell):
    done = shell("task", "add", "tick", "--command", "date", "--every", "1h", "--asap", "--disabled")

    assert done.code == 2
    assert shell("task", "list", "--json").json() == []
