"""Tasks as the pages, the JSON and the CSV show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain import steps as task_steps
from watchbell.domain.schedule.around import Around, near_change, touched_soon
from watchbell.services.tasks import TaskPage
from watchbell.store.newest_runs import RunLine
from watchbell.store.pauses import Pause
from watchbell.store.runs import Run
from watchbell.store.tasks import Task
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import Outcome, local_text, outcome
from watchbell.web.presenters_runs import usual_seconds

#: How many runs the strip of a task shows.
STRIP_RUNS = 30
CSV_COLUMNS = (
    "id", "name", "enabled", "paused", "schedule", "zone", "next_due_at", "last_state", "last_run_id", "usual_seconds", "owner",
    "team", "host", "tags", "command", "steps", "directory", "comment", "version",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class TaskRow:
    """One task as a row of the list."""

    task: Task
    #: The newest runs, oldest first.
    runs: Sequence[Outcome]
    usual_seconds: float | None
    #: The pause of the task itself; one of everything or of its queue is told elsewhere.
    pause: Pause | None = None
    #: What a change of the clock that is near does to its schedule.
    clock: Around | None = None

    @property
    def last(self) -> Outcome | None:
        """Return the newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def place(self) -> str:
        """Return owner@host."""
        return "@".join(filter(None, (self.task.owner, self.task.host)))


def task_row(task: Task, newest_first: Sequence[Run | RunLine], now: datetime, paused: Mapping[int, Pause]) -> TaskRow:
    """Return what is shown of a task with its newest runs; ``paused`` holds the pauses of tasks."""
    rows = [outcome(run, now) for run in reversed(newest_first)]
    return TaskRow(task, rows, usual_seconds(rows), paused.get(task.id), clock_of(task, now))


def clock_of(task: Task, now: datetime) -> Around | None:
    """Return what the next change of the clock does to a task, if it is near and does anything to it."""
    # Most of the year no change is near, and then no schedule is read.
    if not task.enabled or near_change(str(task.schedule.get("zone") or "UTC"), now) is None:
        return None
    return touched_soon(schedules.from_json(task.schedule), now)


def task_rows(page: TaskPage, now: datetime, paused: Mapping[int, Pause]) -> list[TaskRow]:
    """Return what is shown of the tasks of a page."""
    return [task_row(task, page.recent.get(task.id, ()), now, paused) for task in page.tasks]


def task_json(row: TaskRow, zone: ZoneInfo) -> dict[str, object]:
    """Return a task for JSON, its moment in a zone; the CSV is made of the same with its lists as text."""
    task, last = row.task, row.last
    return {
        "id": task.id,
        "name": task.name,
        "enabled": task.enabled,
        "paused": row.pause is not None,
        "schedule": task.schedule_words,
        "zone": task.zone,
        "next_due_at": local_text(task.next_due_at, zone),
        "last_state": last.state if last else None,
        "last_run_id": last.id if last else None,
        "usual_seconds": row.usual_seconds,
        "owner": task.owner,
        "team": task.team,
        "host": task.host,
        "tags": list(task.tags),
        "command": task.command,
        "steps": list(task.steps),
        "directory": task.directory,
        "comment": task.comment,
        "version": task.version,
    }


def task_csv(row: TaskRow, zone: ZoneInfo) -> Mapping[str, object]:
    """Return a task as a row of CSV_COLUMNS."""
    stored = task_steps.from_json(row.task.steps)
    told = task_steps.describe(stored) if stored else ""
    return {**task_json(row, zone), "tags": ", ".join(str(tag) for tag in row.task.tags), "steps": told}


def answer(total: int, enabled: int, filtered: int) -> str:
    """Return the sentence above the list."""
    if not total:
        return _("No task yet.")
    sentence = ngettext(
        "%(all)s task, %(enabled)s enabled.",
        "%(all)s tasks, %(enabled)s enabled.",
        total,
        all=grouped(total),
        enabled=grouped(enabled),
    )
    return sentence if filtered == total else sentence + " " + _("%(count)s shown.", count=grouped(filtered))
