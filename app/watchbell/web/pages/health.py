"""Whether all is well, for load balancers and monitors that have no account."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from watchbell.web import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def index() -> Response:
    """Answer 200 "healthy", or 503 "unhealthy" when the database does not do its work or the scheduler has failed.

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
