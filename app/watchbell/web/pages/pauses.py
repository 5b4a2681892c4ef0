"""Pausing everything, a queue or a task: a page that says what it does and asks why and how long, and the way back."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError
from watchbell.services import pauses
from watchbell.web import current, pausing
from watchbell.web.checks import safe_next, with_filters
from watchbell.web.db import database
from watchbell.web.forms.pause_form import PauseForm
from watchbell.web.i18n import _
from watchbell.web.pausing import Subject

blueprint = Blueprint("pauses", __name__)


@blueprint.get("/pause")
def new() -> str:
    """Ask why and for how long; a pause that is in force already can be given another end."""
    subject = pausing.subject_of(request.args.get("scope", pauses.EVERYTHING))
    found = pausing.of(subject.scope)
    return _page(PauseForm(data={"scope": subject.scope, "reason": found.reason if found else ""}), subject)


@blueprint.post("/pause")
def create() -> AnyResponse | tuple[str, int]:
    form = PauseForm()
    subject = pausing.subject_of(form.scope.data or pauses.EVERYTHING)
    try:
        end = form.end(now=current.now(), zone=current.zone().key)
        reason = form.reason.data or ""
        pauses.pause(database(), subject.scope, now=current.now(), actor=current.actor(), reason=reason, until=end)
    except InputError as error:
        form.show_problems(error.problems)
        return _page(form, subject), 422
    flash(_("%(thing)s is paused.", thing=_capital(subject.words)), "success")
    return redirect(subject.address, 303)


@blueprint.post("/resume")
def end() -> AnyResponse:
    subject = pausing.subject_of(request.form.get("scope", ""))
    was_paused = pauses.resume(database(), subject.scope, now=current.now(), actor=current.actor())
    thing = _capital(subject.words)
    told = _("%(thing)s goes on.", thing=thing) if was_paused else _("%(thing)s was not paused any more.", thing=thing)
    flash(told, "success")
    return redirect(with_filters(safe_next(request.form.get("next")) or subject.address), 303)


def _page(form: PauseForm, subject: Subject) -> str:
    return render_template(
        "pauses/form.html",
        section={"everything": "overview", "queue": "queues", "task": "tasks"}[subject.kind],
        form=form,
        subject=subject,
        found=pausing.of(subject.scope),
        back=subject.address,
        here=url_for("pauses.new", scope=subject.scope),
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
