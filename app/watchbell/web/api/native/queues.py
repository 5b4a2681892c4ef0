"""Queues: what goes and waits in each, and how much may go at a time."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.errors import NotFound, VersionConflict
from watchbell.services import pauses, queues
from watchbell.services.queues import CARRIERS, COMMENT_LIMIT, MAX_RUNNING_LIMIT, QueueView
from watchbell.web import current
from watchbell.web.api import fields, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, schemas, words
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NO_QUEUE = "Nobody has ever named this queue."
_STALE = "The queue is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."


class Queue(fields.Schema):
    """A queue."""

    name = fields.Text(required=True, metadata={"example": "nightly"})
    max_running = fields.Whole(
        required=True,
        allow_none=True,
        metadata={"description": "How many of its runs go at a time; null for any number."},
    )
    comment = fields.Text(required=True)
    carrier = fields.Word(
        CARRIERS,
        required=True,
        metadata={"description": "What carries its runs: schedulers, or workers of the engine."},
    )
    paused = fields.Nested(schemas.Pause, required=True, allow_none=True)
    queued = fields.Whole(required=True, metadata={"description": "Runs that wait."})
    in_flight = fields.Whole(required=True, metadata={"description": "Runs that go."})
    tasks = fields.Whole(required=True, metadata={"description": "How many tasks put their runs into it."})
    version = fields.Whole(required=True, metadata={"description": "0 while it has neither bound nor comment."})


class QueueList(fields.Schema):
    """All queues, by name."""

    items = fields.Many(fields.Nested(Queue), required=True)


class QueueChange(fields.Schema):
    """The bound of a queue and a word about it; what is absent is taken away."""

    max_running = fields.Whole(
        allow_none=True, load_default=None, validate=fields.between(1, MAX_RUNNING_LIMIT), metadata={"example": 2}
    )
    comment = fields.Text(load_default="", validate=fields.long(0, COMMENT_LIMIT), metadata={"example": "one disk"})
    carrier = fields.Word(
        CARRIERS,
        load_default=None,
        allow_none=True,
        metadata={"description": "What carries its runs; absent or null leaves it as it is."},
    )


@blueprint.route("/queues")
@blueprint.answers(200, QueueList)
def list_queues() -> Response:
    """List the queues that have a bound, a task, a run or a pause, by name."""
    return answers.answer({"items": [_told(queue) for queue in queues.list_all(database(), now=current.now())]})


@blueprint.route("/queues/<name>")
@blueprint.errors(_404=_NO_QUEUE)
@blueprint.answers(200, Queue)
def get_queue(name: str) -> Response:
    """Get a queue."""
    return _shown(queues.get(database(), name, now=current.now()))


@blueprint.route("/queues/<name>", methods=["PUT"])
@blueprint.body(QueueChange)
@versions.needed
@blueprint.errors(_412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, Queue)
def put_queue(given: dict[str, Any], name: str) -> Response:
    """Bound a queue; a lower bound ends nothing that runs. A queue that is not there is made by `If-Match: *`."""
    expected, now = versions.required(), current.now()
    try:
        queues.set_bounds(database(), name, now=now, actor=current.actor(), expected_version=expected, **given)
    except VersionConflict as error:
        raise _stale(error, name) from None
    return _shown(queues.get(database(), name, now=now))


@blueprint.route("/queues/<name>", methods=["DELETE"])
@versions.needed
@blueprint.errors(_404="It has neither bound nor comment.", _412=_STALE, _422="If-Match is no ETag.", _428=_NO_VERSION)
@blueprint.answers(204)
def delete_queue(name: str) -> Response:
    """Take bound and comment from a queue; its tasks and runs keep it."""
    expected = versions.required()
    try:
        queues.remove(database(), name, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, name) from None
    return answers.nothing()


@blueprint.route("/queues/<name>/pause", methods=["POST"])
@blueprint.body(schemas.NewPause, required=False)
@idempotent()
@blueprint.answers(200, schemas.Pause)
def pause_queue(given: dict[str, Any], name: str) -> Response:
    """Pause a queue: none of its runs starts; they go on waiting."""
    scope = pauses.queue_scope(name)
    return answers.answer(
        words.pause(pauses.pause(database(), scope, now=current.now(), actor=current.actor(), **given))
    )


@blueprint.route("/queues/<name>/resume", methods=["POST"])
@idempotent()
@blueprint.answers(200, schemas.Resumed)
def resume_queue(name: str) -> Response:
    """Let a queue go on; one that is not paused stays so."""
    was_paused = pauses.resume(database(), pauses.queue_scope(name), now=current.now(), actor=current.actor())
    return answers.answer({"was_paused": was_paused})


def _shown(queue: QueueView) -> Response:
    versions.note(queue.version)
    return answers.answer(_told(queue))


def _stale(error: VersionConflict, name: str) -> VersionConflict:
    try:
        found = queues.get(database(), name, now=current.now())
    except NotFound:
        # Somebody else has removed it, and nothing names it any more.
        return error
    return Stale(error.message, answers.plain(_told(found)))


def _told(queue: QueueView) -> dict[str, Any]:
    names = ("name", "max_running", "comment", "carrier", "queued", "in_flight", "tasks", "version")
    return {**{name: getattr(queue, name) for name in names}, "paused": words.pause(queue.pause)}
