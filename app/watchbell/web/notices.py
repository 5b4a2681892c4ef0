"""What a page says once after something was done, where several pages say the same."""

from __future__ import annotations

from flask import flash

from watchbell.domain.presence import SchedulerState
from watchbell.web import current


def warn_unless_running() -> None:
    """Say that a run that was asked for will wait, if nobody is there to start it."""
    state = current.scheduler().state
    if state in {SchedulerState.RUNNING, SchedulerState.STARTING}:
        return
    what = "stopped" if state is SchedulerState.STOPPED else state.value
    flash(f"Queued, but the scheduler is {what}: nothing will start until you press Start.", "warning")
