"""The page of a task that was deleted, with the way back, which every address of it leads to."""

from __future__ import annotations

from flask import render_template

from watchbell.domain.masking import mask_all
from watchbell.services import undoing
from watchbell.web.db import database


def page(task_id: int) -> tuple[str, int]:
    """Return what is said of a task that was there, with the way back; raises NotFound for one that never was."""
    task = undoing.find_deleted(database(), task_id)
    return render_template("tasks/deleted.html", task=task, environment=mask_all(task.environment)), 410
