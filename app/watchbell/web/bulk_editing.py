"""The pages that give many tasks the same values."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

from flask import Response, render_template, request, url_for

from watchbell.domain import schedule as schedules
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import InputError, Problem
from watchbell.services import bulk, bulk_edits, simulation, teams
from watchbell.services.bulk_edits import Edited
from watchbell.services.ownership import NotYours
from watchbell.services.quotas import TaskQuotaReached
from watchbell.services.simulation import Edit
from watchbell.store.tasks import Task
from watchbell.web import current, foreseeing, progress, query
from watchbell.web.db import database
from watchbell.web.forms.bulk_edit_form import BulkEditForm
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters_simulation import effect_of
from watchbell.web.progress import Ending, Work

ACT, APPLY, LOOK = "act", "apply", "look"
UNDO = "undo"
_NAMED = 12


def chosen_ids() -> list[int]:
    """Return the ids in the address or in the form."""
    return [query.whole({"id": text}, "id", None, 1, query.HIGHEST_ID) for text in request.values.getlist("id")]


def page(form: BulkEditForm, status: int = 200, ids: Sequence[int] | None = None) -> Response:
    """Return the page of the form for the tasks that the request names, or for these."""
    given = _given(form, bulk_edits.find(database(), chosen_ids() if ids is None else ids))
    return Response(render_template("bulk_edits/index.html", section="tasks", **given), status)


def act(form: BulkEditForm) -> Response:
    """Do what the pressed button says and return the page of it."""
    if request.form.get(ACT) not in {APPLY, LOOK}:
        return page(form)
    try:
        changes = form.changes()
        ids = chosen_ids()
        planned = bulk_edits.plan_definitions(database(), ids, changes, now=current.now(), defaults=current.defaults())
        edits = bulk_edits.told(planned)
        mark = _mark_of(edits)
        if request.form[ACT] == LOOK or form.seen.data != mark:
            form.seen.data = mark
            return _looked(form, planned, edits)
        done = bulk_edits.apply(
            database(), ids, changes, now=current.now(), actor=current.actor(), defaults=current.defaults()
        )
    except InputError as error:
        form.show_problems(error.problems)
        return page(form, 422)
    except (NotYours, TaskQuotaReached) as error:
        form.show_problems([Problem("change", error.message)])
        return page(form, 403 if isinstance(error, NotYours) else 409)
    changed = [edit for edit in done if edit.differences]
    return Response(
        render_template(
            "bulk_edits/done.html", section="tasks", edits=changed, total=len(done), undo=_undo_text(changed)
        )
    )


def _given(form: BulkEditForm, found: Sequence[Task]) -> dict[str, Any]:
    """Return what the page and its form need."""
    names = teams.list_names(database())
    form.offer_teams(names)
    zones = sorted(schedules.valid_zones())
    return {"form": form, "tasks": found, "named": _NAMED, "teams": names, "zones": zones, "days": simulation.DAYS}


def _looked(form: BulkEditForm, planned: Sequence[tuple[Task, TaskDefinition]], edits: Sequence[Edited]) -> Response:
    """Return the page with what would change; of many tasks it tells how far it is while their runs are worked out."""
    given = _given(form, [task for task, _definition in planned])
    wanted = [Edit(task, definition) for task, definition in planned]
    work = functools.partial(simulation.of_edits, database(), wanted, now=current.now(), moments=foreseeing.moments())
    if len(planned) <= progress.FEW:
        html = render_template("bulk_edits/index.html", section="tasks", **given, edits=edits, effect=effect_of(work()))
        return Response(html)
    return progress.page(
        Work(
            title=_("Edit tasks"),
            total=len(planned),
            do=lambda tell: work(tell=tell),
            end=lambda _found: Ending([]),
            back=url_for("tasks.index"),
            back_label=_("Tasks"),
            section="tasks",
            frame="bulk_edits/index.html",
            given=given,
            show=lambda found: render_template("bulk_edits/looked.html", **given, edits=edits, effect=effect_of(found)),
        )
    )


def undo() -> str:
    """Take an edit back and return what to tell of it."""
    found = bulk_edits.undo(
        database(), _undo_entries(request.form.get(UNDO, "")), now=current.now(), actor=current.actor()
    )
    told = ngettext("%(num)s task is as it was before.", "%(num)s tasks are as they were before.", len(found.names))
    if not found.left:
        return told
    names = ", ".join(found.left[:_NAMED])
    return told + " " + _("Changed since, and left alone: %(names)s.", names=names)


def _mark_of(edits: Sequence[Edited]) -> str:
    told = repr([(edit.task_id, edit.before, edit.was_enabled, edit.differences) for edit in edits])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _undo_text(edits: Sequence[Edited]) -> str:
    return " ".join(f"{edit.task_id}:{edit.before}:{int(edit.was_enabled)}:{edit.after}" for edit in edits)


def _undo_entries(text: str) -> list[Edited]:
    found = []
    for entry in text.split()[: bulk.MOST_TASKS]:
        parts = entry.split(":")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            raise InputError.of(UNDO, _("this does not say what is to be undone"))
        task_id, before, was_enabled, after = map(int, parts)
        found.append(Edited(task_id, "", (), before, bool(was_enabled), after))
    return found
