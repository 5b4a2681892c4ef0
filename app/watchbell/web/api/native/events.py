"""What has happened, for programs that follow it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask import Response

from watchbell.domain.events import WIRE_NAMES
from watchbell.errors import InputError
from watchbell.services import outbox
from watchbell.web import realtime
from watchbell.web.api import fields
from watchbell.web.api.native import answers, schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database

_FIELDS = ("id", "type", "at", "task_id", "run_id", "data")
_MOST_TYPES = 50


class Event(fields.Schema):
    """One thing that has happened."""

    id = fields.Whole(required=True, metadata={"description": "Grows with every event and never comes back."})
    type = fields.Text(required=True, metadata={"example": "run_succeeded"})
    at = fields.Moment(required=True)
    task_id = fields.Whole(required=True, allow_none=True)
    run_id = fields.Whole(required=True, allow_none=True)
    data = fields.Shaped({"type": "object"}, required=True, metadata={"example": {"name": "backup-home"}})


class EventPage(fields.Schema):
    """Events, the oldest first."""

    items = fields.Many(fields.Nested(Event), required=True)
    next = fields.Text(
        required=True,
        metadata={
            "description": "What to send as `after` to go on, also when nothing has happened.",
            "example": "4711",
        },
    )
    newest = fields.Whole(required=True, metadata={"description": "The id of the newest event of all."})
    has_gap = fields.Flag(
        required=True,
        metadata={
            "description": "Whether events after `after` are kept no more, or there was never such an event, as when a backup "
            "was restored: look at everything anew, then go on from `next`."
        },
    )


class EventsAsked(fields.Schema):
    """Which events."""

    after = schemas.number(
        description="Only what happened after this event: the `next` of the answer before. Without it, nothing but the "
        "place from which on events come."
    )
    types = fields.words(
        metadata={"description": f"Separated by commas: {', '.join(WIRE_NAMES)}.", "example": "run_failed,run_lost"}
    )
    wait = schemas.seconds(description="Seconds to wait until something happens.")
    limit = schemas.limit()


@blueprint.route("/events")
@blueprint.query(EventsAsked)
@blueprint.answers(200, EventPage)
def list_events(asked: dict[str, Any]) -> Response:
    """List what has happened since an event; with `wait`, as soon as anything has.

    Events are kept for seven days.
    """
    types = _types(asked.get("types", ""))
    if "after" not in asked:
        newest = outbox.newest_id(database())
        return answers.page([], ("after", str(newest)), newest=newest, has_gap=False)
    has_gap = outbox.has_gap(database(), asked["after"])
    found, place = _found(asked, types, wait=0 if has_gap else asked["wait"])
    items = [{name: getattr(event, name) for name in _FIELDS} for event in found]
    newest = max(outbox.newest_id(database()), place)
    return answers.page(items, ("after", str(place)), newest=newest, has_gap=has_gap)


def _found(asked: Mapping[str, Any], types: Collection[str], *, wait: int) -> tuple[Sequence[Any], int]:
    """Return the events that were asked for, as soon as there are some, and the id up to which was looked."""
    db = database()
    # From behind the newest event on nothing would ever come.
    place = min(asked["after"], outbox.newest_id(db))

    def look() -> tuple[Sequence[Any], int] | None:
        nonlocal place
        found, place = outbox.list_since(db, place, limit=asked["limit"], types=types)
        return (found, place) if found else None

    return look() or (realtime.until(look, wait) if wait else None) or ((), place)


def _types(text: str) -> frozenset[str]:
    types = frozenset(part.strip() for part in text.split(",") if part.strip())
    if len(types) > _MOST_TYPES:
        raise InputError.of("types", f"must be at most {_MOST_TYPES}", "run_failed,run_lost")
    for unknown in sorted(types - WIRE_NAMES.keys()):
        raise InputError.of("types", f"{unknown!r} is no type of event", "run_failed,run_lost")
    return types
