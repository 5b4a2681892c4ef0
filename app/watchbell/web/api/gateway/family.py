"""How the gateway's family tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from watchbell.errors import Conflict, InputError
from watchbell.web.api import fields
from watchbell.web.api.parsing import RequestInvalid
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told

#: Our fields by the gateway's names for them.
NAMES = {"directory": "working_dir", "time_limit_seconds": "timeout_seconds"}


class Disabled(Conflict):
    """This job is disabled."""


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"detail": text}``, or with a list of what is wrong with each field."""
    if not isinstance(told.error, InputError):
        # To the gateway this is a request that makes no sense, not a collision.
        status = 400 if isinstance(told.error, Disabled) else told.status
        return status, {"detail": told.text, "request_id": told.request_id}
    problems = told.error.problems
    # A schedule that cannot be read is a request that makes no sense; other values are merely not valid.
    if any(problem.field == "cron" for problem in problems) and not isinstance(told.error, RequestInvalid):
        return 400, {"detail": told.text, "request_id": told.request_id}
    place = told.error.place if isinstance(told.error, RequestInvalid) else "body"
    listed = [
        {
            "type": "value_error",
            "loc": [place] if problem.field == place else [place, *NAMES.get(problem.field, problem.field).split(".")],
            "msg": problem.message if problem.example is None else f"{problem.message}, such as {problem.example}",
        }
        for problem in problems
    ]
    return 422, {"detail": listed, "request_id": told.request_id}


_WRONG = {
    "type": "object",
    "required": ["type", "loc", "msg"],
    "properties": {
        "type": {"type": "string"},
        "loc": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The part of the request, then the field.",
        },
        "msg": {"type": "string"},
    },
}


class Detail(fields.Schema):
    """An error; input that is not valid is told field by field."""

    detail = fields.Shaped(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": _WRONG}]},
        required=True,
        metadata={"example": "Job 'daily_backup' not found"},
    )
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})


FAMILY = Family(
    name="gateway",
    prefixes=("/api/jobs", "/api/runs", "/api/status", "/api/config", "/api/health"),
    shape=shape,
)
blueprint = FamilyBlueprint(
    "gateway", FAMILY, Detail, invalid=422, url_prefix="/api", description="Jobs and runs in the words of the gateway."
)
