"""What the audit says of a task that was made, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbell.domain.task_definition import TaskDefinition
from watchbell.services import audit
from watchbell.store.session import Session
from watchbell.store.tasks import Task


def note(
    session: Session, task: Task, action: str, *, now: datetime, actor: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write down what somebody does to a task, in the transaction in which it is done."""
    said = {"version": task.version, **(detail or {})}
    audit.note(session, action, f"task:{task.id}", now=now, actor=actor, name=task.name, detail=said)


def difference(before: TaskDefinition, after: TaskDefinition) -> dict[str, Any]:
    """Return what an edit has changed; of the environment only the names, since values may be secrets."""
    said: dict[str, Any] = dict(audit.changes(*({**one.to_json(), "enabled": one.enabled} for one in (before, after))))
    if "environment" in said:
        said["environment"] = list(audit.changes(before.environment, after.environment))
    if "set_variables" in said:
        # What a set says is told of the set; here, which of them have changed it.
        said["set_variables"] = list(audit.changes(before.set_variables, after.set_variables))
    return said
