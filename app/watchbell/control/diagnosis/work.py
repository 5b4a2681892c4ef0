"""The scheduler, what it has left behind, and tasks that can never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from watchbell.config import MIB, Config
from watchbell.control import health, pidfile
from watchbell.control.diagnosis.finding import Finding, Level, ok
from watchbell.control.diagnosis.machine import has_program
from watchbell.domain import interpreters
from watchbell.domain.presence import SchedulerState
from watchbell.domain.schedule import ScheduleKind
from watchbell.execution import Bundles, runtime_root
from watchbell.services import heartbeats, runs, tasks
from watchbell.store.session import Database
from watchbell.store.tasks import Task

_LATELY = timedelta(days=1)
#: So many tasks with the same trouble are named.
_NAMED = 5


def look_at_pid_file(config: Config) -> Iterator[Finding]:
    """Look whether the PID file names who holds the lock."""
    held = pidfile.is_held(config)
    try:
        owner = pidfile.find_owner(config)
    except pidfile.DamagedPIDFile as error:
        yield Finding("pid-file-damaged", Level.PROBLEM, error.message, f"look at {config.pid_path} and remove it")
        return
    if held is None:
        yield Finding(
            "lock-hidden", Level.NOTE, "this user may not see whether a scheduler runs", "run doctor as its user"
        )
    elif owner is not None and not held:
        yield Finding("pid-file-stale", Level.NOTE, f"the PID file names {owner.pid}, which is gone; it ended without a word",
                      "nothing: the next start writes it anew")  # fmt: skip


def look_at_scheduler(config: Config, db: Database, now: datetime) -> Iterator[Finding]:
    """Look whether the scheduler works, and when it was heard of last."""
    found = health.look(config, db, now=now)
    status = found.scheduler
    age = f", last heartbeat {(now - status.beat_at).total_seconds():.0f} s ago" if status.beat_at else ""
    if found.is_well and status.state is SchedulerState.RUNNING:
        yield ok("scheduler", f"the scheduler runs (PID {status.pid}){age}")
    elif found.is_well and status.state is SchedulerState.STOPPED:
        yield Finding(
            "scheduler-stopped",
            Level.NOTE,
            "the scheduler does not run, so no task starts",
            "watchbell scheduler start",
        )
    elif found.is_well:
        yield Finding("scheduler-busy", Level.NOTE, status.message, "")
    for sentence in found.sentences if not found.is_well else ():
        yield Finding("scheduler-troubled", Level.PROBLEM, f"{sentence.rstrip('.')}{age}",
                      "watchbell scheduler logs tells why; watchbell scheduler restart begins anew")  # fmt: skip
    if status.beat_at is not None and status.beat_at > now + timedelta(seconds=60):
        yield Finding("clock-behind", Level.PROBLEM, f"the last heartbeat is of {status.beat_at:%Y-%m-%d %H:%M} UTC, which is still to come",
                      "set the clock, and keep it right by NTP")  # fmt: skip


def look_at_folders(config: Config, db: Database, _now: datetime) -> Iterator[Finding]:
    """Look for files of runs that are over, which nobody will remove any more."""
    root = runtime_root(config.home, config.runtime_dir)
    there = list(Bundles(root, config.home / "active", config.runtime_limit_mib * MIB).list())
    active = runs.list_active(db, [int(bundle.run_id) for bundle in there if bundle.run_id.isdigit()])
    left = [bundle for bundle in there if not bundle.run_id.isdigit() or int(bundle.run_id) not in active]
    if left and not pidfile.is_held(config):
        yield Finding("run-folders-left", Level.NOTE, f"{len(left)} run(s) that are over have files in {Path(left[0].root)}",
                      "nothing: the next start of the scheduler removes them")  # fmt: skip


def look_at_tasks(config: Config, db: Database, now: datetime) -> Iterator[Finding]:
    """Look for enabled tasks that can never run, or will fail at once."""
    found: dict[str, list[str]] = {}
    hosts = {
        life.scheduler.host for life in heartbeats.list_lives(db, now=now) if now - life.scheduler.beat_at < _LATELY
    }
    listed = tasks.list_page(db, enabled=True).tasks
    for task in listed:
        code = _trouble_of(task, config, hosts)
        if code:
            found.setdefault(code, []).append(task.name)
    for code, (level, words, remedy) in _TROUBLES.items():
        if names := found.get(code):
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield Finding(code, level, f"{words}: {', '.join(names[:_NAMED])}{more}", remedy)
    if not found:
        yield ok("tasks", f"{len(listed)} enabled task(s) can run")


_TROUBLES = {
    "task-host-unknown": (Level.PROBLEM, "tasks wait for a host on which no scheduler was heard of for a day",
                          "start a scheduler there, or say where they run: watchbell task edit NAME --host"),
    "task-never-due": (Level.WARNING, "tasks are enabled and never due again",
                       "give them another schedule, or disable them: watchbell task disable NAME"),
    "task-directory-missing": (Level.PROBLEM, "tasks have a directory that is not there",
                               "make it, or say another one: watchbell task edit NAME --directory"),
    "task-program-missing": (Level.PROBLEM, "tasks call a program that was not found",
                             "install it, or name it with its path: watchbell task edit NAME --command"),
}  # fmt: skip


def _trouble_of(task: Task, config: Config, hosts: set[str]) -> str:
    """Return the code of what is wrong with a task, empty for one that can run."""
    if task.host and task.host != config.hostname:
        return "" if task.host in hosts else "task-host-unknown"
    if task.next_due_at is None and task.schedule["kind"] != ScheduleKind.MANUAL:
        return "task-never-due"
    if task.directory and not Path(task.directory).is_dir():
        return "task-directory-missing"
    path = task.environment.get("PATH") or config.child_environment.get("PATH", "")
    commands = [step["command"] for step in task.steps] or [task.command]
    # A command that needs a shell may do anything; only of a plain one is it known what it calls.
    interpreter = interpreters.of_policies(task.policies)
    called = filter(None, (interpreters.called(command, interpreter) for command in commands))
    missing = any(not has_program(name, path, task.directory) for name in called)
    return "task-program-missing" if missing else ""
