"""What a page says once after something was done, where several pages say the same."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash

from watchbell.domain.presence import SchedulerState
from watchbell.web import current
from watchbell.web.i18n import _
from watchbell.web.presenters import scheduler_word


def done(text: str, undo: str, fields: Mapping[str, str] | None = None) -> None:
    """Say what was done, with a button that takes it back by sending a form to an address."""
    # The frame of the page shows the button to whoever may press it.
    flash({"text": text, "undo": undo, "fields": dict(fields or {})}, "success")  # type: ignore[arg-type]


def warn_unless_running() -> None:
    """Say that a run that was asked for will wait, if nobody is there to start it."""
    state = current.scheduler().state
    if state in {SchedulerState.RUNNING, SchedulerState.STARTING}:
        return
    said = _(
        "Queued, but the scheduler is %(state)s: nothing will start until you press Start.", state=scheduler_word(state)
    )
    flash(said, "warning")
