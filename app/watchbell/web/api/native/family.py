"""How the native family tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import request

from watchbell.errors import InputError, VersionConflict, WatchbellError
from watchbell.web.api import fields
from watchbell.web.api.parsing import RequestInvalid
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told

#: Below this the kinds of errors have their names; the documentation says what each of them means.
_PROBLEMS = "/problems/"
#: Errors that come from HTTP itself and not from what we know of.
_KINDS = {
    400: "bad-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    410: "gone",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    429: "too-many-requests",
    503: "unavailable",
}


class Stale(VersionConflict):
    """Somebody else has changed this meanwhile."""

    def __init__(self, message: str, current: dict[str, Any]) -> None:
        super().__init__(message)
        #: The thing as it is now.
        self.current = current


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as problem details, RFC 9457."""
    body: dict[str, object] = {
        "type": _PROBLEMS + _kind(told),
        "title": _title(told.status),
        "status": told.status,
        "detail": told.text,
        "instance": request.path,
        "request_id": told.request_id,
    }
    if isinstance(told.error, InputError):
        place = told.error.place if isinstance(told.error, RequestInvalid) else "body"
        body["errors"] = [
            {"in": place, "field": problem.field, "message": problem.message, "example": problem.example}
            for problem in told.error.problems
        ]
    if isinstance(told.error, Stale):
        body["current"] = told.error.current
    return told.status, body


def _kind(told: Told) -> str:
    if isinstance(told.error, WatchbellError) and told.status < 500:
        return told.error.code.replace("_", "-")
    return _KINDS.get(told.status, "error" if told.status >= 500 else "bad-request")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class Wrong(fields.Schema):
    """What is wrong with one field."""

    # "in" is a word of the language, so the field cannot be an attribute.
    place = fields.Text(
        required=True, data_key="in", metadata={"description": "body, query, header or path.", "example": "body"}
    )
    field = fields.Text(required=True, metadata={"example": "cron"})
    message = fields.Text(required=True, metadata={"example": "is required"})
    example = fields.Text(
        required=True, allow_none=True, metadata={"description": "What would do.", "example": "30 2 * * *"}
    )


class ProblemDetails(fields.Schema):
    """An error, as RFC 9457 has it."""

    type = fields.Text(
        required=True,
        metadata={"description": "The kind of error, for programs.", "example": "/problems/invalid-input"},
    )
    title = fields.Text(required=True, metadata={"example": "Unprocessable Entity"})
    status = fields.Whole(required=True, metadata={"example": 422})
    detail = fields.Text(required=True, metadata={"description": "What is wrong, in a sentence."})
    instance = fields.Text(required=True, metadata={"description": "The address.", "example": "/api/v2/tasks"})
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})
    errors = fields.Many(fields.Nested(Wrong), metadata={"description": "Of input: every field that is wrong."})
    current = fields.Shaped({"type": "object"}, metadata={"description": "With 412: the thing as it is now."})


FAMILY = Family(name="native", prefixes=("/api/v2",), shape=shape, content_type="application/problem+json")
blueprint = FamilyBlueprint(
    "native",
    FAMILY,
    ProblemDetails,
    invalid=422,
    url_prefix="/api/v2",
    description="Everything, in Watchbell's own words.",
)
