"""Whether all is well, for load balancers and monitors that have no account."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import SchedulerState
from watchbell.errors import Unavailable
from watchbell.web import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def index() -> Response:
    """Answer 200 "healthy", or 503 "unhealthy" when the database does not answer or the scheduler has failed.

    A scheduler that was never started, or that ended in good order, is told in the body but is no fault.
    """
    try:
        status = current.scheduler()
        state, is_well = status.state, not _has_failed(status)
    except Unavailable:
        state, is_well = SchedulerState.UNKNOWN, False
    body = {"status": "healthy" if is_well else "unhealthy", "timestamp": current.now().isoformat()}
    answer = jsonify(**body, scheduler=str(state))
    answer.status_code = 200 if is_well else 503
    return answer


def _has_failed(status: SchedulerStatus) -> bool:
    """Return whether the scheduler is in a state that nobody wanted: it hangs, or it is gone without having ended."""
    if status.state is SchedulerState.STOPPED:
        return status.started_at is not None and not status.was_stopped
    return status.state in {SchedulerState.STALLED, SchedulerState.UNKNOWN}
