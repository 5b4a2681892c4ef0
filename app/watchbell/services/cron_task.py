"""The one task that people who know a single pipeline start and stop: finding it, making it, and setting how often it runs."""

from __future__ import annotations

from datetime import datetime

from watchbell.config import Config
from watchbell.domain.schedule import ScheduleKind
from watchbell.domain.scripts import to_command
from watchbell.domain.task_definition import Defaults
from watchbell.errors import InputError, NotFound
from watchbell.services import pauses, tasks, triggers
from watchbell.store import tasks as store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

LEAST_SECONDS = 10
DEFAULT_SECONDS = 120
#: What each script of a pipeline that is made here may take.
STEP_SECONDS = 300


def find(db: Database, config: Config) -> Task | None:
    """Return the task that the settings name, or None."""
    with db.read() as session:
        return store.find_task_by_name(session, config.cron_task)


def is_on(task: Task | None) -> bool:
    """Return whether a task is due by itself."""
    return task is not None and task.enabled and task.schedule.get("kind") != ScheduleKind.MANUAL.value


def check_interval(seconds: int) -> None:
    """Raise InputError for an interval that is too short."""
    if seconds < LEAST_SECONDS:
        raise InputError.of("interval_seconds", f"must be at least {LEAST_SECONDS}", "60")


def switch_on(db: Database, config: Config, seconds: int, *, now: datetime, actor: str) -> Task:
    """Let the task run every so many seconds, the first time at once, and return it.

    One that is not there is made of the scripts that the settings name; raises NotFound without such settings, and
    InputError for wrong ones or an interval that is too short.
    """
    check_interval(seconds)
    when = {"kind": "interval", "every": str(seconds), "unit": "seconds", "anchor_at": now, "enabled": True}
    defaults = Defaults(zone=config.zone, owner=config.user, host=config.hostname)
    task = find(db, config)
    if task is None:
        fields = {**_pipeline(config), **when}
        task = tasks.create(db, fields, now=now, actor=actor, defaults=defaults)
    else:
        task = tasks.update(db, task.id, when, now=now, actor=actor, defaults=defaults)
    triggers.run_soon(db, task.id, now=now, actor=actor)
    return task


def why_held(db: Database, task: Task, *, now: datetime) -> str:
    """Return why the task would not start although it is on, or nothing."""
    with db.read() as session:
        return "; ".join(pauses.why_held(session, task.id, str(task.policies.get("queue", "default")), now))


def _pipeline(config: Config) -> dict[str, object]:
    """Return the fields of a task of the scripts that the settings name; each goes on after a failure of the one before."""
    scripts = [name.strip() for name in config.cron_scripts.split(",") if name.strip()]
    if not scripts or not config.cron_folder:
        raise NotFound(
            f"there is no task {config.cron_task!r}: make it on the page or with `watchbell task add`, or name its "
            "scripts and their directory in WATCHBELL_CRON_SCRIPTS and WATCHBELL_CRON_FOLDER"
        )
    steps = [
        {
            "name": name,
            "command": to_command(name, python=config.python),
            "timeout_seconds": STEP_SECONDS,
            "continue_on_failure": True,
        }
        for name in scripts
    ]
    return {"name": config.cron_task, "command": "", "steps": steps, "directory": config.cron_folder}
