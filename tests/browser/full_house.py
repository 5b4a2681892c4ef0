"""An installation in which everything has happened: every end of a run, names of every length, many tasks."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

from tests.browser.installations import Installation
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import (
    alert_rules,
    alerts,
    blackouts,
    calendars,
    environment_sets,
    incidents,
    job_handlers,
    job_library,
    pauses,
    queues,
    runs,
    secrets,
    teams,
    tokens,
    triggers,
)
from watchbell.services import tasks as tasks_of
from watchbell.store.tasks import Task

RUNBOOK = "# If it fails\n\n1. Look at the *second* step.\n2. `restart`, then [run it again](/runs).\n\n| step | who |\n|---|---|\n| 2 | ann |"
LONG_NAME = ("nightly-export-of-all-orders-to-the-warehouse-and-the-reporting-database-of-the-finance-department-eu-w")[
    :100
]
WORDS = "a rather long line of output, as programs write them when they mean well; "


def _trigger(house: Installation, task: Task) -> None:
    triggers.run_now(house.db, task.id, now=clock.now(), actor="admin")


def _parent_of(pid: int) -> int:
    """Return the process that waits for a command and would tell how it ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def _fill_library(house: Installation) -> None:
    """Make a template of jobs and a handler with everything in them."""
    step = {"name": LONG_NAME, "type": "runHandler", "input": {"handler": "clean", "args": [WORDS, "{{PLACE}}"]}}
    document = {
        "steps": [step, {"type": "runCommand", "input": {"command": f"{WORDS}| cat"}, "runAsUser": "root"}],
        "finalStep": {"type": "runCommand", "input": {"command": "sync"}},
        "conditions": [{"key": "site", "value": [WORDS, "north"]}],
        "variables": {"PLACE": {"description": WORDS, "defaultValue": WORDS}},
    }
    now = clock.now()
    given = {"name": LONG_NAME, "description": WORDS * 3, "document": document}
    job_library.create_template(house.db, given, now=now, actor="admin")
    given = {"name": "clean", "description": WORDS * 3, "script_content": f"#!/bin/sh\n{WORDS * 3}\n"}
    made = job_library.create_handler(house.db, given, now=now, actor="admin")
    job_handlers.update(house.db, made.id, {"script_content": f"#!/bin/sh\n# {WORDS}\n"}, now=now, actor="admin")


def fill(house: Installation, tasks: int = 12) -> dict[str, int]:
    """Let everything happen once; return the number of a run for each name of a state."""
    for number in range(tasks):
        house.add(f"job-{number:02}", "true", cron=f"{number % 60} {number % 24} * * *", tags=["nightly", "db"])
    found = {}
    now = clock.now()
    gone = house.add("deleted-by-mistake", f"echo '{WORDS * 2}'", comment=WORDS, environment={"DB_PASSWORD": "secret"})
    tasks_of.delete(house.db, gone.id, now=now, actor="admin")
    house.add("missed-while-away", "true", every="30m", catch_up="skip", now=now - timedelta(minutes=130))
    held = house.gate("held")
    house.add("overlaps", f"echo at work; {held.wait}", every="2s")
    slow = house.add("too-slow", "echo begun; sleep 60", time_limit_seconds="1", grace_seconds="1")
    fails = house.add(
        "fails", f"echo started; echo '{WORDS * 3}' >&2; exit 3", comment="Known: the disk of db1 is full."
    )
    teams.create(house.db, LONG_NAME[:64], comment=WORDS * 3, members=["admin"], now=now, actor="admin")
    house.add("of-a-team", "true", cron="0 3 * * *", team=LONG_NAME[:64])
    for name in ("database-password", "key-of-the-warehouse-and-of-the-reporting-database-of-the-office"):
        secrets.put(house.db, name, "correct horse battery", now=now, actor="admin")
    house.add(
        "names-what-is-missing",
        "true",
        environment={"TOKEN": "${secret:never-set}", "P": "${secret:database-password}"},
    )
    folder = house.folder / "a-folder-that-is-gone-when-the-command-is-started-and-has-a-rather-long-name"
    folder.mkdir()
    gone = house.add(LONG_NAME, f"echo '{WORDS * 2}'", directory=str(folder), cron="15 2 * * *", zone="Europe/Berlin")
    folder.rmdir()
    colours = house.add(
        "colours",
        environment={"PASSWORD": "${secret:database-password}"},
        command=r"for i in 1 2 3 4 5 6 7; do printf '\033[3%sm%s\033[0m\n' $i '" + WORDS + "'; done; sleep 1.2",
    )
    house.add("told-when-it-fails", "true", after=[{"task": "fails", "on": "failed"}])
    joined = [
        {"task": "told-when-it-fails"},
        {"task": LONG_NAME, "on": "finished"},
        {"task": "fails", "on": "finished"},
    ]
    house.add(f"joined {LONG_NAME}"[:100], "true", after=joined, join="any")
    killed = house.add("killed-from-outside", "exec sleep 600", uncertain="ask")
    flaky = house.add(
        "comes-back-later", "exit 75", retries="3", retry_delay_seconds="3000", retry_max_delay_seconds="4000"
    )
    steps = [
        {"name": "fetch", "command": "echo fetched", "timeout_seconds": 300},
        {"name": LONG_NAME, "command": f"echo '{WORDS * 2}' >&2\nexit 3", "continue_on_failure": True},
        {"name": "too slow", "command": "sleep 60", "timeout_seconds": 1, "continue_on_failure": True},
        {"name": "not there", "command": "no-such-program-on-this-machine"},
        {"name": "never", "command": "true"},
    ]
    parameters = [
        {"name": "day", "type": "date", "default": "2026-11-30", "help": "The day to report on."},
        {"name": "target", "type": "choice", "choices": ["staging", "live"], "default": "staging", "required": True},
    ]
    in_steps = house.add(
        "in-steps", "", steps=steps, parameters=parameters, parameter_sets={"live": {"target": "live"}},
        runbook=RUNBOOK, links=[{"title": "Dashboard", "url": "https://example.org/d/in-steps"}],
    )  # fmt: skip
    long = house.add("stopped-by-hand", "echo begun; exec sleep 600")
    for fields in (
        {"name": "failing", "expression": "success == 0", "throttle_seconds": 0},
        {
            "name": f"{WORDS}"[:90],
            "expression": "success == 0 and execution_time_seconds > -1 and output_bytes > -1",
            "task_id": fails.id,
            "severity": "critical",
        },
        {"name": "cannot be told", "expression": "memory_avg_mb > 1", "enabled": True, "severity": "info"},
        {"name": "off", "expression": "cpu_max > 400", "enabled": False},
    ):
        alert_rules.create(house.db, fields, now=clock.now(), actor="admin")
    for task in (slow, fails, fails, gone, colours, killed, flaky, in_steps, long):
        _trigger(house, task)
    found["cancelled"] = house.wait_for_state("stopped-by-hand", "running")
    runs.cancel(house.db, found["cancelled"], now=clock.now(), actor="admin")
    ends = {
        "too-slow": "timed_out",
        "fails": "failed",
        "colours": "succeeded",
        LONG_NAME: "failed",
        "in-steps": "failed",
    }
    for name, state in ends.items():
        found[f"{state}: {name[:10]}"] = house.wait_for_state(name, state)
    told = house.wait_for_state("told-when-it-fails", "succeeded")
    found["chain"] = house.rows("SELECT group_id FROM run WHERE id = ?", told)[0][0]
    lost = house.wait_for_state("killed-from-outside", "running")
    # Nobody can know the result of a command that ends together with its scheduler and whoever waits for it.
    house.kill_scheduler()
    command = house.rows("SELECT pid FROM attempt WHERE run_id = ?", lost)[0][0]
    for pid in (_parent_of(command), command):
        os.kill(pid, signal.SIGKILL)
    ends = {"killed-from-outside": "lost", "missed-while-away": "missed", "comes-back-later": "retry_wait"}
    for name, state in ends.items():
        found[f"{state}: {name[:10]}"] = house.wait_for_state(name, state)
    found["running"] = house.wait_for_state("overlaps", "running")
    waits = house.add("waits-in-a-paused-queue", "true", queue="nightly-database-of-the-finance-department")
    now = clock.now()
    queues.set_bounds(house.db, waits.policies["queue"], max_running=2, comment=WORDS * 3, now=now, actor="admin")
    calendars.create(
        house.db, {"name": "closed", "days": f"12-24 {WORDS}"[:80], "weekdays": "sat,sun"}, now=now, actor="admin"
    )
    shared = {"name": "database", "description": WORDS, "variables": {"PGHOST": "db.example.org", "API_TOKEN": WORDS}}
    environment_sets.create(house.db, shared, now=now, actor="admin")
    window = {"name": "release", "starts": "2035-01-01 10:00", "ends": "2035-01-02 10:00", "description": WORDS}
    blackouts.create(house.db, window, now=now, actor="admin", default_zone="UTC")
    for scope in (pauses.queue_scope(waits.policies["queue"]), pauses.task_scope(fails.id)):
        pauses.pause(house.db, scope, now=now, actor="admin", reason=WORDS * 2, until=now + timedelta(hours=5))
    _trigger(house, waits)
    found["queued"] = house.wait_for_state("waits-in-a-paused-queue", "queued")
    incidents.add(
        house.db, "suspended", f"the machine slept for 7 h; {WORDS}", at=now, host="watchtower", incarnation="x"
    )
    for name, days in (
        ("monitor", 90),
        ("deploy of the shop, from the pipeline of the other department", 3),
        ("old", 0),
    ):
        made_at, lifetime = (now, timedelta(days=days)) if days else (now - timedelta(days=9), timedelta(days=1))
        tokens.create(house.db, "admin", name, scope="edit", lifetime=lifetime, now=made_at)
    _fill_library(house)
    found["skipped"] = house.wait_for_state("overlaps", "skipped")
    raised = wait_until(lambda: alerts.of_run(house.db, found["failed: fails"]), timeout=30)
    alerts.acknowledge(house.db, [raised[0].id], now=now, actor="admin")
    return found
