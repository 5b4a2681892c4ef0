"""What runs were like beside the earlier ones of their tasks, and saying that one was as it should be."""

from __future__ import annotations

import dataclasses

from flask import Response

from watchbell.services import judgements, runs
from watchbell.services.judgements import Told
from watchbell.web import current
from watchbell.web.api import parsing
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, run_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.runs import GONE, NO_NUMBER, NO_RUN
from watchbell.web.db import database


@blueprint.route("/runs/<run_id>/verdict")
@blueprint.errors(_404=NO_RUN, _410=GONE, _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.RunVerdict)
def get_verdict(run_id: str) -> Response:
    """Tell what a run was like beside the earlier ones of its task: usual, slow, fast, heavy or suspiciously empty."""
    number = runs.get(database(), parsing.path_id("run_id", run_id)).id
    return _answer(number, judgements.tell(database(), number))


@blueprint.route("/runs/<run_id>/expect", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_RUN, _409="It was not unusual.", _410=GONE, _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.RunVerdict)
def expect_run(run_id: str) -> Response:
    """Say that an unusual run was as it should be: the next ones like it are usual."""
    number = parsing.path_id("run_id", run_id)
    return _answer(number, judgements.expect(database(), number, now=current.now(), actor=current.actor()))


@blueprint.route("/runs/<run_id>/retract", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_RUN, _410=GONE, _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.RunVerdict)
def retract_run(run_id: str) -> Response:
    """Take back that a run was as it should be."""
    number = parsing.path_id("run_id", run_id)
    return _answer(number, judgements.retract(database(), number, now=current.now(), actor=current.actor()))


def _answer(run_id: int, told: Told) -> Response:
    return answers.answer(
        {
            "run_id": run_id,
            "verdict": told.judgement.verdict,
            "reason": judgements.reason_of(told.judgement),
            "findings": [dataclasses.asdict(finding) for finding in told.judgement.findings],
            "is_expected": told.is_expected,
            "expected_by": told.expected_by,
            "expected_at": told.expected_at,
        }
    )
