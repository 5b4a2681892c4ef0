"""How the cron manager's family tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from werkzeug.exceptions import MethodNotAllowed
from werkzeug.exceptions import NotFound as NoSuchAddress

from watchbell.errors import InputError, NotFound
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.parsing import RequestInvalid
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"error": true, "detail", "timestamp"}``; what cannot be read and what is not there are barer."""
    if isinstance(told.error, RequestInvalid):
        place = told.error.place
        listed = [
            {
                "type": "value_error",
                "loc": [place] if problem.field == place else [place, problem.field],
                "msg": problem.message,
            }
            for problem in told.error.problems
        ]
        return 422, {"detail": listed, "request_id": told.request_id}
    if isinstance(told.error, MethodNotAllowed | NoSuchAddress):
        return told.status, {"detail": told.text, "request_id": told.request_id}
    # A pipeline that nobody has made is a request that makes no sense: there is something at this address.
    status = 400 if isinstance(told.error, InputError | NotFound) else told.status
    timestamp = current.now().astimezone(current.zone()).isoformat()
    return status, {"error": True, "detail": told.text, "timestamp": timestamp, "request_id": told.request_id}


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


class Problem(fields.Schema):
    """An error."""

    error = fields.Flag(metadata={"description": "True; absent where the request could not be read."})
    detail = fields.Shaped(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": _WRONG}]},
        required=True,
        metadata={"example": "Interval_seconds: must be at least 10."},
    )
    timestamp = fields.Moment()
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})


FAMILY = Family(name="cron_manager", prefixes=("/api/cron", "/health"), shape=shape)
blueprint = FamilyBlueprint(
    "cron_manager", FAMILY, Problem, invalid=422, description="One pipeline, started and stopped as a daemon."
)
