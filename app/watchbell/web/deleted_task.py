"""The page of a task that was deleted, with the way back, which every address of it leads to."""

from __future__ import annotations

from flask import render_template

from watchbell.services import deleted_tasks, tasks, undoing
from watchbell.web import current, variables
from watchbell.web.db import database


def page(task_id: int) -> tuple[str, int]:
    """Return what is said of a task that was there, with the way back; raises NotFound for one that never was."""
    task = undoing.find_deleted(database(), task_id)
    html = render_template(
        "tasks/deleted.html",
        task=task,
        environment=variables.of_task(task),
        is_gone=deleted_tasks.is_gone(task, current.now()),
        is_taken=tasks.is_taken(database(), task.name),
        days=deleted_tasks.KEPT_FOR.days,
    )
    return html, 410
