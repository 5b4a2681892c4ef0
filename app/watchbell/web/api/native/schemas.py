"""The fields that answers and arguments of several resources share."""

from __future__ import annotations

from typing import Any

from watchbell.web.api import fields
from watchbell.web.query import HIGHEST_ID

ROWS = 100
MOST_ROWS = 1000
#: How long a request may wait; proxies give one up on which nothing has come for a minute.
MOST_WAIT_SECONDS = 50


def limit() -> fields.Whole:
    """Return the argument that says how many rows a page has at the most."""
    return fields.limit(ROWS, MOST_ROWS)


def number(**metadata: Any) -> fields.Whole:
    """Return the argument that is an id."""
    return fields.Whole(texts=True, validate=fields.between(0, HIGHEST_ID), metadata=metadata)


def seconds(**metadata: Any) -> fields.Whole:
    """Return the argument that says how long the answer may wait for something to happen."""
    return fields.Whole(
        texts=True, load_default=0, validate=fields.between(0, MOST_WAIT_SECONDS), metadata={"example": 30, **metadata}
    )


def following(where: str) -> fields.Text:
    """Return the field of a page that leads to the next one."""
    words = (
        f"What to send as `{where}` for the next page; null if this is the last one. The header Link has its address."
    )
    return fields.Text(required=True, allow_none=True, metadata={"description": words})


class PageAsked(fields.Schema):
    """How many rows."""

    limit = limit()


class OlderAsked(PageAsked):
    """Which part of a list that begins with the newest."""

    before = number(description="Only what is older than this: the `next` of the page before.")


class Pause(fields.Schema):
    """A pause in force."""

    scope = fields.Text(
        required=True, metadata={"description": "everything, queue:NAME or task:ID.", "example": "queue:nightly"}
    )
    since = fields.Moment(required=True)
    until = fields.Moment(required=True, allow_none=True, metadata={"description": "Null: until somebody resumes."})
    by = fields.Text(required=True, metadata={"example": "ann"})
    reason = fields.Text(required=True, metadata={"example": "the disk is changed"})


class NewPause(fields.Schema):
    """Why and for how long something is paused."""

    reason = fields.Text(load_default="", metadata={"example": "the disk is changed"})
    until = fields.Moment(
        allow_none=True, load_default=None, metadata={"description": "When it ends by itself; null for never."}
    )


class Resumed(fields.Schema):
    """What resuming has done."""

    was_paused = fields.Flag(required=True)
