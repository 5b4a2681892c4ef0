"""What is paused, and pausing everything."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.services import pauses
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, schemas, words
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database


class PauseList(fields.Schema):
    """The pauses in force, the one of everything first."""

    items = fields.Many(fields.Nested(schemas.Pause), required=True)


@blueprint.route("/pauses")
@blueprint.answers(200, PauseList)
def list_pauses() -> Response:
    """List the pauses in force."""
    return answers.answer({"items": [words.pause(one) for one in pauses.list_all(database(), now=current.now())]})


@blueprint.route("/pause", methods=["POST"])
@blueprint.body(schemas.NewPause, required=False)
@idempotent()
@blueprint.answers(200, schemas.Pause)
def pause_everything(given: dict[str, Any]) -> Response:
    """Pause everything: nothing starts, what runs goes on, and moments that come are skipped with this reason."""
    made = pauses.pause(database(), pauses.EVERYTHING, now=current.now(), actor=current.actor(), **given)
    return answers.answer(words.pause(made))


@blueprint.route("/resume", methods=["POST"])
@idempotent()
@blueprint.answers(200, schemas.Resumed)
def resume_everything() -> Response:
    """Let everything go on; tasks and queues that have pauses of their own stay paused."""
    was_paused = pauses.resume(database(), pauses.EVERYTHING, now=current.now(), actor=current.actor())
    return answers.answer({"was_paused": was_paused})
