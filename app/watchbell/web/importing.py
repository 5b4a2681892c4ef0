"""The page that imports tasks: what is offered, what is chosen, and what was done."""

from __future__ import annotations

import functools
import hashlib

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.errors import InputError
from watchbell.services import imports
from watchbell.services.imports import Asking, Form, Survey, Wish
from watchbell.services.transfer import Action, Plan
from watchbell.web import current, progress
from watchbell.web.db import database
from watchbell.web.forms.import_form import ImportForm
from watchbell.web.i18n import _, ngettext
from watchbell.web.progress import Ending, Work

#: The button that was pressed, and the one that does it.
ACT, IMPORT = "act", "import"
PICK = "pick"
_NAMED = 10


def page(
    form: ImportForm,
    survey: Survey | None = None,
    *,
    picked: frozenset[str] = frozenset(),
    refusal: str = "",
    status: int = 200,
) -> tuple[str, int]:
    """Return the page and its status."""
    html = render_template(
        "transfer/index.html",
        section="tasks",
        form=form,
        survey=survey,
        picked=picked,
        refusal=refusal,
        user=current.config().user,
    )
    return html, status


def look(form: ImportForm, refusal: str = "") -> tuple[str, int]:
    """Return the page with what is offered; raises InputError for a text that cannot be read."""
    wish = form.wish()
    survey = imports.survey(database(), wish, _asking())
    form.seen.data = _mark_of(wish)
    picked = frozenset(request.form.getlist(PICK))
    if not refusal or not picked:
        picked = frozenset(offer.key for offer in survey.offers if offer.is_suggested)
    return page(form, survey, picked=picked, refusal=refusal, status=409 if refusal else 200)


def refuse(form: ImportForm, error: InputError) -> tuple[str, int]:
    """Return the page with what is wrong."""
    problems = [problem for problem in error.problems if problem.field != PICK]
    if problems:
        form.show_problems(problems)
        return page(form, status=422)
    html, _status = look(form, refusal=error.problems[0].message)
    return html, 422


def is_changed(form: ImportForm) -> bool:
    """Return whether the text or what is to be done with it is another than the one whose offers were shown."""
    return bool(form.seen.data != _mark_of(form.wish()))


def carry_out(form: ImportForm) -> Response:
    """Import what is chosen and answer with what to tell of it; raises Conflict and InputError, where it tells nothing meanwhile."""
    wish, picked = form.wish(), frozenset(request.form.getlist(PICK))
    work = functools.partial(imports.carry_out, database(), wish, picked, _asking())
    if len(picked) <= progress.FEW:
        flash(_sentence(wish, work()), "success")
        return redirect(url_for("tasks.index"), 303)
    return progress.page(
        Work(
            title=_("Import tasks"),
            total=len(picked),
            do=lambda tell: work(tell=tell),
            end=lambda plan: Ending([("success", _sentence(wish, plan))]),
            back=url_for("tasks.index"),
            back_label=_("Tasks"),
            section="tasks",
        )
    )


def _sentence(wish: Wish, plan: Plan) -> str:
    return " ".join(filter(None, (_told(plan), _what_next(wish, plan))))


def _asking() -> Asking:
    return Asking(current.now(), current.actor(), current.defaults(), current.config().user)


def _mark_of(wish: Wish) -> str:
    said = "\0".join((wish.text, wish.form, str(wish.disabled), *wish.tags))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _told(plan: Plan) -> str:
    names = [step.name for step in plan.steps]
    shown = ", ".join(names[:_NAMED]) + (
        " " + _("and %(n)s more", n=len(names) - _NAMED) if len(names) > _NAMED else ""
    )
    added, changed = plan.count(Action.ADD), plan.count(Action.CHANGE)
    parts = [
        ngettext("%(num)d added", "%(num)d added", added) if added else "",
        ngettext("%(num)d changed", "%(num)d changed", changed) if changed else "",
    ]
    return _("Imported: %(numbers)s (%(names)s).", numbers=", ".join(filter(None, parts)), names=shown)


def _what_next(wish: Wish, plan: Plan) -> str:
    form = imports.form_of(wish.text) if wish.form is Form.AUTO else wish.form
    if form is Form.DOCUMENT or not plan.steps:
        return ""
    return _("The crontab was not touched, so cron runs these commands as well: take their lines out of it now.")
