"""How the dashboard's family tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from watchbell.errors import AlreadyRunning, InputError, NotRunning
from watchbell.web.api import fields
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told

#: Our fields by the dashboard's columns for them.
COLUMNS = {
    "enabled": "Enable",
    "owner": "RunBy",
    "host": "RunHost",
    "command": "ScriptName",
    "directory": "ScriptFolder",
    "every_word": "Every",
    "at_time": "AtTime",
    "every": "AtTime",
    "comment": "Comment",
    "environment": "Ressource",
}


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"error": text}``; of a scheduler that runs already or does not, also as its buttons read it."""
    status, text = told.status, told.text
    if isinstance(told.error, InputError):
        status = 400
        text = "; ".join(_words(problem.field, problem.message, problem.example) for problem in told.error.problems)
    body: dict[str, object] = {"error": text or told.text, "request_id": told.request_id}
    if isinstance(told.error, AlreadyRunning | NotRunning):
        status = 400
        body.update(success=False, message=told.text)
    return status, body


def _words(field: str, message: str, example: str | None) -> str:
    words = f"{COLUMNS.get(field, field)} {message}"
    return words if example is None else f"{words}, such as {example}"


class Problem(fields.Schema):
    """An error."""

    error = fields.Text(required=True, metadata={"example": "Task not found"})
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})
    success = fields.Flag(metadata={"description": "False where the scheduler is, or is not, running already."})
    message = fields.Text()


FAMILY = Family(
    name="task_dashboard",
    prefixes=("/api/tasks", "/api/task", "/api/scheduled", "/api/logs", "/api/scheduler", "/api/heartbeat"),
    shape=shape,
)
blueprint = FamilyBlueprint(
    "task_dashboard",
    FAMILY,
    Problem,
    invalid=400,
    url_prefix="/api",
    description="Scripts and their schedules, in the columns of the task scheduler dashboard.",
)
