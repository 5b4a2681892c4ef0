"""How the family of agents tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from watchbell.domain.fleet_state import wire_word
from watchbell.errors import InputError, WatchbellError
from watchbell.services.device_jobs import DeviceInactive, ReportRefused
from watchbell.web.api import fields
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"error": text, "code": word}``, with every field that is wrong."""
    body: dict[str, object] = {"error": told.text.rstrip("."), "code": _code(told), "request_id": told.request_id}
    if isinstance(told.error, InputError):
        body["errors"] = [{"field": problem.field, "message": problem.message} for problem in told.error.problems]
    if isinstance(told.error, ReportRefused):
        body["current"] = {"status": wire_word(told.error.state), "version_number": told.error.version}
    return 403 if isinstance(told.error, DeviceInactive) else told.status, body


def _code(told: Told) -> str:
    return told.error.code if isinstance(told.error, WatchbellError) and told.status < 500 else "error"


class Wrong(fields.Schema):
    """What is wrong with one field."""

    field = fields.Text(required=True, metadata={"example": "code"})
    message = fields.Text(required=True, metadata={"example": "is required"})


class Current(fields.Schema):
    """What a job is on a device."""

    status = fields.Text(required=True, metadata={"example": "TIMED_OUT"})
    version_number = fields.Whole(required=True)


class Problem(fields.Schema):
    """An error."""

    error = fields.Text(required=True, metadata={"example": "This enrolment code is not known here"})
    code = fields.Text(required=True, metadata={"description": "A word for programs.", "example": "enrolment_refused"})
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})
    errors = fields.Many(fields.Nested(Wrong), metadata={"description": "Of input: every field that is wrong."})
    current = fields.Nested(Current, metadata={"description": "Of a report that is refused: what the job is."})


FAMILY = Family(name="agent", prefixes=("/agent",), shape=shape)
blueprint = FamilyBlueprint(
    "agent",
    FAMILY,
    Problem,
    invalid=422,
    url_prefix="/agent/v1",
    description="What Watchbell's own agent calls from a device.",
)
