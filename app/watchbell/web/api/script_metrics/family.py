"""How the script dashboard's family tells errors, and the blueprint that its routes are in."""

from __future__ import annotations

from watchbell.errors import InputError
from watchbell.web.api import fields
from watchbell.web.api.parsing import RequestInvalid
from watchbell.web.api.routing import FamilyBlueprint
from watchbell.web.families import Family, Told


def shape(told: Told) -> tuple[int, dict[str, object]]:
    """Return an error as ``{"detail": text}``, or with a list of what is wrong with each argument."""
    if not isinstance(told.error, InputError):
        return told.status, {"detail": told.text, "request_id": told.request_id}
    place = told.error.place if isinstance(told.error, RequestInvalid) else "query"
    listed = [
        {"type": "value_error", "loc": [place, problem.field], "msg": problem.message}
        for problem in told.error.problems
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
            "description": "The part of the request, then the argument.",
        },
        "msg": {"type": "string"},
    },
}


class Wrong(fields.Schema):
    """An error; arguments that are not valid are told one by one."""

    detail = fields.Shaped(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": _WRONG}]},
        required=True,
        metadata={"example": "Execution 42 not found"},
    )
    request_id = fields.Text(required=True, metadata={"description": "The number in the server's log."})


FAMILY = Family(
    name="script_metrics",
    prefixes=("/api/scripts", "/api/executions", "/api/execution", "/api/metrics", "/api/analysis", "/api/stats"),
    shape=shape,
)
blueprint = FamilyBlueprint(
    "script_metrics",
    FAMILY,
    Wrong,
    invalid=422,
    url_prefix="/api",
    description="Executions and their metrics in the words of the script dashboard.",
)
