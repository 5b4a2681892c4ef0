"""How the family of device jobs tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from flask import request

from watchbell.domain.fleet_state import wire_word
from watchbell.errors import InputError
from watchbell.services.device_jobs import DeviceInactive, ReportRefused
from watchbell.services.fleet_jobs import InProgress
from watchbell.web.api import fields
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told

#: Our fields by the names that this family has for them: of templates and schedules, and of devices.
_NAMES = {"document": "job_document"}
_OF_DEVICES = {"name": "deviceName", "type": "deviceType", "ip_address": "ipAddress", "mac_address": "macAddress"}
_DEVICES = "/api/v1/devices"


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"error": text}``, with a ``message`` where there is more to be said."""
    if isinstance(told.error, InputError) and told.error.problems:
        every = [_words(problem.field, problem.message, problem.example) for problem in told.error.problems]
        body: dict[str, object] = {"error": every[0]}
        if len(every) > 1:
            body["message"] = "; ".join(every)
        return 400, {**body, "request_id": told.request_id}
    body = {"error": told.text.rstrip(".")}
    if told.status >= 500:
        body = {"error": "Internal server error", "message": told.text}
    if isinstance(told.error, ReportRefused):
        body["current"] = {"status": wire_word(told.error.state), "version_number": told.error.version}
    return _status(told), {**body, "request_id": told.request_id}


def _status(told: Told) -> int:
    if isinstance(told.error, InputError | InProgress):
        return 400
    return 403 if isinstance(told.error, DeviceInactive) else told.status


def _words(field: str, message: str, example: str | None) -> str:
    names = _OF_DEVICES if request.path.startswith(_DEVICES) else _NAMES
    words = f"{names.get(field, field)} {message}".strip()
    return words if example is None else f"{words}, such as {example}"


class Current(fields.Schema):
    """What a job is on a device."""

    status = fields.Text(required=True, metadata={"example": "TIMED_OUT"})
    version_number = fields.Whole(required=True)


class Problem(fields.Schema):
    """An error."""

    error = fields.Text(required=True, metadata={"example": "Job template not found"})
    message = fields.Text(metadata={"description": "More about it, where there is more."})
    current = fields.Nested(Current, metadata={"description": "Of a report that is refused: what the job is."})
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})


FAMILY = Family(name="device_jobs", prefixes=("/api/v1",), shape=shape)
blueprint = FamilyBlueprint(
    "device_jobs",
    FAMILY,
    Problem,
    invalid=400,
    url_prefix="/api/v1",
    description="Jobs on fleets of devices, in the words of their agents.",
)
