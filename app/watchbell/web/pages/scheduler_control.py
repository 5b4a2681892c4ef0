"""Starting, stopping and restarting the scheduler, and its panel in the frame of every page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.control import process
from watchbell.control.detached import StartFailed
from watchbell.control.process import SchedulerStatus
from watchbell.domain.presence import SchedulerState
from watchbell.errors import WatchbellError
from watchbell.web import current, presenters
from watchbell.web.checks import safe_next
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.log_lines import last_lines
from watchbell.web.told import sentence

blueprint = Blueprint("scheduler_control", __name__, url_prefix="/scheduler")

PANEL_LINES = 12


@blueprint.get("/panel")
def panel() -> str:
    """Return the parts of the frame that show the scheduler, for the page to put in place."""
    return render_template("scheduler_control/panel.html", log_lines=last_lines(PANEL_LINES), page_path=_asking_page())


@blueprint.get("/status.json")
def status() -> Response:
    """Return what the panel shows."""
    return jsonify(presenters.scheduler_json(presenters.scheduler_view(current.scheduler()), current.zone()))


@blueprint.post("/start")
def start() -> AnyResponse:
    """Start the scheduler and wait for its first heartbeat."""

    def act() -> str:
        found = process.start(current.config(), database(), actor=current.actor(), timeout=process.ANSWER_SECONDS)
        return _still_starting(found) or _("The scheduler is running, pid %(pid)s.", pid=found.pid)

    return _answer(act)


@blueprint.post("/stop")
def stop() -> AnyResponse:
    """Stop the scheduler, whoever has started it, and say what goes on without it."""

    def act() -> str:
        return sentence(process.stop(current.config(), database(), actor=current.actor()).message)

    return _answer(act)


@blueprint.post("/restart")
def restart() -> AnyResponse:
    """Stop the scheduler and start it again; running commands go on."""

    def act() -> str:
        found = process.restart(current.config(), database(), actor=current.actor(), timeout=process.ANSWER_SECONDS)
        return _still_starting(found) or _(
            "The scheduler has been restarted and is running, pid %(pid)s.", pid=found.pid
        )

    return _answer(act)


def _still_starting(found: SchedulerStatus) -> str:
    """Return what is said of a scheduler on a machine so busy that it has not beaten yet; empty for one that has."""
    if found.state is SchedulerState.RUNNING:
        return ""
    return _("The scheduler is starting, pid %(pid)s; its first heartbeat is still to come.", pid=found.pid)


def _asking_page() -> str:
    """Return the page whose frame is brought up to date: its buttons lead back there, not to the fragment."""
    asking = urlsplit(request.referrer or "")
    return asking._replace(scheme="", netloc="").geturl() if asking.netloc == request.host else ""


def _answer(act: Callable[[], str]) -> AnyResponse:
    """Do it, tell how it went, and lead back to the page from which it was asked."""
    try:
        flash(act(), "success")
    except WatchbellError as error:
        lines = "\n".join(str(line) for line in error.lines) if isinstance(error, StartFailed) else ""
        what = sentence(error.message)
        flash(_("%(what)s Its log ends with:\n%(lines)s", what=what, lines=lines) if lines else what, "danger")
    return redirect(safe_next(request.form.get("next")) or url_for("overview.index"), 303)
