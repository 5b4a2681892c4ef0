"""Whether all is well, for load balancers and monitors that have no account."""

from __future__ import annotations

from flask import Response, jsonify

from watchbell.domain.presence import SchedulerState
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.cron_manager.family import blueprint


class Health(fields.Schema):
    """Whether all is well."""

    status = fields.Word(["healthy", "unhealthy"], required=True)
    timestamp = fields.Moment(required=True)
    scheduler = fields.Word(list(SchedulerState), required=True)
    database = fields.Text(
        required=True, metadata={"description": "What is wrong with it, if anything is.", "example": "ok"}
    )
    tick_age_seconds = fields.Number(
        required=True, allow_none=True, metadata={"description": "Since the scheduler's loop turned last."}
    )


@blueprint.route("/health")
@blueprint.answers(200, Health)
@blueprint.answers(503, Health, description="The database does not do its work, or the scheduler has failed.")
def health() -> Response:
    """Say whether all is well.

    A scheduler that was never started, or that ended in good order, is told in the body but is no fault.
    """
    found = current.health()
    age = None if found.tick_age is None else round(found.tick_age, 1)
    answer = jsonify(
        status="healthy" if found.is_well else "unhealthy",
        timestamp=current.now().isoformat(),
        scheduler=str(found.scheduler.state),
        database=found.database,
        tick_age_seconds=age,
    )
    answer.status_code = 200 if found.is_well else 503
    return answer
