"""Failures that are the same: how often there was each, of which tasks and where, and the note that comes back with the next one."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError
from watchbell.services import digest, failures
from watchbell.services.failures import GroupView
from watchbell.web import current, twins
from watchbell.web.db import database
from watchbell.web.forms.note_form import NoteForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.told import sentence

blueprint = Blueprint("failures", __name__)

#: So many groups are listed, and so many failures of one.
_GROUPS = 200
_NEWEST = 30
_COLUMNS = (
    "id", "fingerprint", "times", "tasks", "first_at", "first_run_id", "first_task", "first_version", "last_at",
    "last_run_id", "text", "note", "note_by",
)  # fmt: skip


@blueprint.get("/failures")
def index() -> str:
    found = failures.list_views(database(), limit=_GROUPS)
    waiting = digest.count_waiting_failures(database())
    answer = " ".join(filter(None, (_answer(found), _waiting(waiting) if found and waiting else "")))
    return render_template("failures/index.html", found=found, answer=answer, most=_GROUPS, waiting=waiting)


@blueprint.get("/failures.json")
def index_json() -> Response:
    return twins.json_response(_row(view) for view in failures.list_views(database(), limit=_GROUPS))


@blueprint.get("/failures.csv")
def index_csv() -> Response:
    rows = (
        {**_row(view), "tasks": ", ".join(one.task_name for one in view.tasks)}
        for view in failures.list_views(database(), limit=_GROUPS)
    )
    return twins.csv_response("failures", _COLUMNS, rows)


@blueprint.get("/failures/<int:group_id>")
def detail(group_id: int) -> str:
    found = failures.get_group(database(), group_id, newest=_NEWEST)
    return render_template("failures/detail.html", found=found, form=NoteForm(data={"note": found.group.note}))


@blueprint.post("/failures/<int:group_id>/note")
def note(group_id: int) -> AnyResponse | tuple[str, int]:
    form = NoteForm()
    text = form.note.data or ""
    try:
        failures.set_note(database(), group_id, text, now=current.now(), by=current.actor())
    except InputError as error:
        form.note.errors = [sentence(problem.message) for problem in error.problems]
        found = failures.get_group(database(), group_id, newest=_NEWEST)
        return render_template("failures/detail.html", found=found, form=form), 422
    said = _("The note comes back with the next failure of this kind.") if text.strip() else _("The note is gone.")
    flash(said, "success")
    return redirect(url_for("failures.detail", group_id=group_id), 303)


def _answer(found: list[GroupView]) -> str:
    if not found:
        return ""
    times = sum(view.group.times for view in found)
    kinds = ngettext("%(count)s kind of failure", "%(count)s kinds of failures", len(found), count=grouped(len(found)))
    noted = sum(bool(view.group.note) for view in found)
    told = ngettext("%(kinds)s, %(times)s failure.", "%(kinds)s, %(times)s failures.", times, kinds=kinds, times=grouped(times))  # fmt: skip
    return told + (" " + ngettext("%(num)d has a note.", "%(num)d have a note.", noted) if noted else "")


def _waiting(number: int) -> str:
    return ngettext(
        "%(number)s failure was not looked at yet.",
        "%(number)s failures were not looked at yet.",
        number,
        number=grouped(number),
    )


def _row(view: GroupView) -> dict[str, object]:
    group, zone = view.group, current.zone()
    return {
        "id": group.id,
        "fingerprint": group.fingerprint,
        "times": group.times,
        "tasks": [
            {"id": one.task_id, "name": one.task_name, "times": one.times, "last_run_id": one.last_run_id}
            for one in view.tasks
        ],
        "first_at": local_text(group.first_at, zone),
        "first_run_id": group.first_run_id,
        "first_task": group.first_task_name,
        "first_version": group.first_task_version,
        "last_at": local_text(group.last_at, zone),
        "last_run_id": group.last_run_id,
        "text": group.text,
        "note": group.note,
        "note_by": group.note_by,
    }
