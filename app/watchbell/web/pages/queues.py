"""Queues: how many runs of each go and wait, bounding them, and taking a bound away."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError, Problem, VersionConflict
from watchbell.services import pauses, queues
from watchbell.services.queues import QueueView
from watchbell.web import current, query
from watchbell.web.db import database
from watchbell.web.forms.queue_form import QueueForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text

blueprint = Blueprint("queues", __name__)


@blueprint.get("/queues")
def index() -> str:
    found = queues.list_all(database(), now=current.now())
    return render_template("queues/index.html", queues=found, answer=answer(found), scope_of=pauses.queue_scope)


@blueprint.get("/queues.json")
def index_json() -> Response:
    return jsonify([_json(queue) for queue in queues.list_all(database(), now=current.now())])


@blueprint.get("/queues/edit")
def edit() -> str:
    """Show the form of a queue, or of a new one."""
    found = _find(request.args.get("name", ""))
    shown = (
        {name: getattr(found, name) or "" for name in ("name", "max_running", "comment", "carrier")} if found else {}
    )
    return render_template("queues/form.html", form=QueueForm(data=shown), queue=found)


@blueprint.post("/queues/edit")
def update() -> AnyResponse | tuple[str, int]:
    form = QueueForm()
    name = (form.name.data or "").strip()
    try:
        bound = _save(form, name)
    except InputError as error:
        return _refused(form, error.problems), 422
    except VersionConflict as error:
        return _refused(form, [Problem("name", error.message)], is_late=True), 409
    flash(_bounded(name, bound), "success")
    return redirect(url_for("queues.index"), 303)


@blueprint.post("/queues/remove")
def remove() -> AnyResponse:
    name = request.form.get("name", "")
    queues.remove(database(), name, now=current.now(), actor=current.actor())
    is_gone = _find(name) is None
    flash(
        _("Queue %(name)s is gone.", name=name) if is_gone else _("Queue %(name)s has no bound any more.", name=name),
        "success",
    )
    return redirect(url_for("queues.index"), 303)


def _save(form: QueueForm, name: str) -> int | None:
    """Store what the form says and return the bound; raises InputError and VersionConflict."""
    _refuse_overwriting(name)
    bound, comment = form.bound(), form.comment.data or ""
    expected = query.optional_id(request.form, "version")
    queues.set_bounds(
        database(), name, max_running=bound, comment=comment, now=current.now(), actor=current.actor(),
        expected_version=expected, carrier=form.carrier.data or None,
    )  # fmt: skip
    return bound


def _refused(form: QueueForm, problems: Sequence[Problem], *, is_late: bool = False) -> str:
    form.show_problems(problems)
    found = _find(request.args.get("name", ""))
    return render_template("queues/form.html", form=form, queue=found, meanwhile=found if is_late else None)


def _bounded(name: str, bound: int | None) -> str:
    if bound is None:
        return _("Queue %(name)s runs any number at a time.", name=name)
    return _("Queue %(name)s runs %(bound)s at a time.", name=name, bound=bound)


def _find(name: str) -> QueueView | None:
    found = [queue for queue in queues.list_all(database(), now=current.now()) if queue.name == name]
    return found[0] if found else None


def _refuse_overwriting(name: str) -> None:
    """Raise InputError if the form of a new queue names one that has been made already: its bound would be lost."""
    there = _find(name) if not request.args.get("name") else None
    if there is not None and (there.max_running is not None or there.comment or there.carrier != "scheduler"):
        text = _("there is a queue %(name)s already; change its bound in the list of queues", name=name)
        raise InputError.of("name", text)


def answer(found: list[QueueView]) -> str:
    """Return the sentence above the list: what waits, and what is kept waiting on purpose."""
    waiting, going = sum(queue.queued for queue in found), sum(queue.in_flight for queue in found)
    told = [
        ngettext("%(count)s run in flight", "%(count)s runs in flight", going, count=grouped(going))
        + ", "
        + _("%(count)s waiting", count=grouped(waiting))
    ]
    paused = [queue.name for queue in found if queue.pause is not None]
    full = [queue.name for queue in found if queue.max_running is not None and queue.in_flight >= queue.max_running]
    if paused:
        told.append(_("paused: %(names)s", names=", ".join(paused)))
    if full:
        told.append(_("full: %(names)s", names=", ".join(full)))
    return f"{'; '.join(told)}."


def _json(queue: QueueView) -> dict[str, object]:
    pause = queue.pause
    return {
        "name": queue.name,
        "max_running": queue.max_running,
        "carrier": queue.carrier,
        "comment": queue.comment,
        "in_flight": queue.in_flight,
        "queued": queue.queued,
        "tasks": queue.tasks,
        "paused_since": local_text(pause.since, current.zone()) if pause else None,
        "paused_until": local_text(pause.until, current.zone()) if pause else None,
        "paused_by": pause.by if pause else None,
        "pause_reason": pause.reason if pause else None,
    }
