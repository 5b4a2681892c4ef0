"""Tasks: the list with its twins, one task's page, the form, and what one can do with a task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.permissions import Right
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import blackouts, groups, ownership, pauses, runs, tasks, triggers, undoing
from watchbell.services.runs import RunFilter
from watchbell.services.tasks import TaskPage
from watchbell.store.tasks import Task, TaskRevision
from watchbell.web import (
    bulk_forms,
    bulk_tasks,
    current,
    deleted_task,
    list_look,
    notices,
    pausing,
    presenters_chain,
    presenters_policies,
    presenters_tasks,
    run_asking,
    task_editing,
    task_list,
    task_preview,
    twins,
    variables,
)
from watchbell.web.checks import with_filters
from watchbell.web.day_totals import year_of
from watchbell.web.db import database
from watchbell.web.forms.after_fields import on_words
from watchbell.web.forms.parameter_fields import type_words
from watchbell.web.i18n import _
from watchbell.web.list_look import Look
from watchbell.web.pictures import chain, durations
from watchbell.web.pictures.flow import flow
from watchbell.web.presenters_runs import run_views, usual_of
from watchbell.web.presenters_schedule import preview_of_task
from watchbell.web.presenters_tasks import TaskRow
from watchbell.web.task_editing import Refusal
from watchbell.web.told import sentence

blueprint = Blueprint("tasks", __name__)
blueprint.add_app_template_global(flow, "step_flow")
blueprint.add_app_template_global(type_words, "parameter_types")
blueprint.add_app_template_global(on_words, "after_ends")

#: How many runs and revisions the page of a task shows.
_SHOWN_RUNS = 20
_SHOWN_REVISIONS = 5


@blueprint.get("/tasks")
def index() -> AnyResponse | str:
    first = list_look.first_view("tasks", "tasks.index")
    if first is not None:
        return first
    asked = task_list.from_page(request.args, _look())
    if request.args.get("remember"):
        return list_look.chosen(task_list.SHAPE, "tasks.index", asked.address(cols=None, length=None))
    found = task_list.find(database(), asked)
    if asked.offset and not found.tasks:
        last = {**request.args, "page": asked.look.pages(found.filtered)}
        return redirect(f"{url_for('tasks.index')}?{urlencode(last)}", 303)
    return render_template("tasks/index.html", rows=_rows(found), **task_list.context(database(), asked, found))


@blueprint.get("/tasks/data")
def data() -> Response:
    """Answer the table's script in the server-side protocol of DataTables."""
    look = _look()
    draw, asked = task_list.from_table(request.args, look)
    found = task_list.find(database(), asked)
    cells = render_template("tasks/rows.html", rows=_rows(found), look=look)
    return jsonify(draw=draw, recordsTotal=found.total, recordsFiltered=found.filtered, data=json.loads(cells))


@blueprint.get("/tasks.json")
def index_json() -> Response:
    return twins.json_response(presenters_tasks.task_json(row, current.zone()) for row in _twin_rows())


@blueprint.get("/tasks.csv")
def index_csv() -> Response:
    rows = (presenters_tasks.task_csv(row, current.zone()) for row in _twin_rows())
    return twins.csv_response("tasks", presenters_tasks.CSV_COLUMNS, rows)


@blueprint.post("/tasks/bulk")
def bulk() -> AnyResponse | str:
    return bulk_tasks.answer()


@blueprint.post("/tasks/restore")
def restore_many() -> AnyResponse:
    """Take back that several tasks were deleted together."""
    return bulk_tasks.restore()


@blueprint.post("/tasks/export")
def export() -> AnyResponse:
    """Lead to the twin with the tasks that were ticked."""
    return bulk_forms.export("tasks.index_csv")


@blueprint.get("/tasks/<int:task_id>")
def detail(task_id: int) -> str | tuple[str, int]:
    try:
        task = tasks.get(database(), task_id)
    except NotFound:
        return deleted_task.page(task_id)
    return render_template(
        "tasks/detail.html",
        task=task,
        preview=preview_of_task(task, current.now(), blackouts.marker_of(database(), task_id)),
        policies=presenters_policies.policy_facts(tasks.definition_of(task).policies, current.rules()),
        revisions=_newest_revisions(task),
        environment=variables.of_task(task),
        **_chain_of(task_id),
        **_runs_of(task),
    )


def _chain_of(task_id: int) -> dict[str, object]:
    """Return what the page of a task says of the tasks before and after it."""
    steps = groups.around(database(), task_id)
    return {"chain_picture": chain.draw(steps, here=task_id), "chain_rows": presenters_chain.rows(steps)}


@blueprint.route("/tasks/preview", methods=["GET", "POST"])
def preview() -> str:
    found = task_preview.live()
    return render_template("tasks/preview.html", live=found, preview=found.preview, retry_sentence=found.retry_sentence)


@blueprint.get("/tasks/new")
def new() -> tuple[str, int]:
    return task_editing.page(task_editing.empty_form(), None)


@blueprint.post("/tasks/new")
def create() -> AnyResponse | tuple[str, int]:
    form = task_editing.empty_form()
    saved = task_editing.save(form, None)
    if isinstance(saved, Refusal):
        return task_editing.page(form, None, saved)
    flash(_saved(saved), "success")
    return redirect(url_for("tasks.detail", task_id=saved.id), 303)


@blueprint.get("/tasks/<int:task_id>/edit")
def edit(task_id: int) -> tuple[str, int]:
    try:
        task = tasks.get(database(), task_id)
    except NotFound:
        return deleted_task.page(task_id)
    ownership.require_known(database(), Right.EDIT, task)
    return task_editing.page(task_editing.form_of(task), task)


@blueprint.post("/tasks/<int:task_id>/edit")
def update(task_id: int) -> AnyResponse | tuple[str, int]:
    try:
        task = tasks.get(database(), task_id)
    except NotFound:
        return task_editing.page_of_gone()
    form = task_editing.form_of(task)
    saved = task_editing.save(form, task)
    if isinstance(saved, Refusal):
        return task_editing.page(form, task, saved)
    flash(_saved(saved), "success")
    return redirect(url_for("tasks.detail", task_id=saved.id), 303)


@blueprint.get("/tasks/<int:task_id>/run")
def ask(task_id: int) -> str | tuple[str, int]:
    """Ask what a run is to be told; the address may fill the form, and runs nothing."""
    try:
        return run_asking.page(tasks.get(database(), task_id))
    except NotFound:
        return deleted_task.page(task_id)


@blueprint.post("/tasks/<int:task_id>/run")
def run(task_id: int) -> AnyResponse | tuple[str, int]:
    task = tasks.get(database(), task_id)
    version = run_asking.version_asked(task, request.form)
    if task.parameters and run_asking.MARK not in request.form:
        return redirect(url_for("tasks.ask", task_id=task_id), 303)
    try:
        given = run_asking.values_sent()
        made = triggers.run_now(
            database(), task_id, now=current.now(), actor=current.actor(), given=given, version=version
        )
    except InputError as error:
        return run_asking.again(task, error)
    notices.warn_unless_running()
    return redirect(url_for("runs.detail", run_id=made.id), 303)


@blueprint.post("/tasks/<int:task_id>/sets")
def keep_set(task_id: int) -> AnyResponse | tuple[str, int]:
    """Keep the values of the form as a named set."""
    task = tasks.get(database(), task_id)
    try:
        title = run_asking.keep_set(task, request.form.get("set_name", ""))
    except InputError as error:
        return run_asking.again(task, error, set_error=sentence(error.problems[0].message))
    flash(_("The set %(name)s is kept.", name=title), "success")
    return redirect(url_for("tasks.ask", task_id=task_id, set=title), 303)


@blueprint.post("/tasks/<int:task_id>/sets/delete")
def drop_set(task_id: int) -> AnyResponse:
    run_asking.drop_set(tasks.get(database(), task_id), request.form.get("set", ""))
    flash(_("The set %(name)s is deleted.", name=request.form.get("set", "")), "success")
    return redirect(url_for("tasks.ask", task_id=task_id), 303)


@blueprint.post("/tasks/<int:task_id>/soon")
def soon(task_id: int) -> AnyResponse:
    """Ask for a run as soon as possible; asked again while it waits, it is the same one."""
    try:
        made = triggers.run_soon(database(), task_id, now=current.now(), actor=current.actor())
    except InputError:
        # The form says which values it needs.
        return redirect(url_for("tasks.ask", task_id=task_id), 303)
    except Conflict as error:
        flash(sentence(error.message), "warning")
        return redirect(url_for("tasks.detail", task_id=task_id), 303)
    notices.warn_unless_running()
    return redirect(url_for("runs.detail", run_id=made.id), 303)


@blueprint.post("/tasks/<int:task_id>/enable")
def enable(task_id: int) -> AnyResponse:
    task = tasks.set_enabled(database(), task_id, True, now=current.now(), actor=current.actor())
    words = _("%(name)s is enabled.", name=task.name) + " " + _when(task)
    notices.done(words, url_for("tasks.disable", task_id=task_id), _from())
    return _back(task)


@blueprint.post("/tasks/<int:task_id>/disable")
def disable(task_id: int) -> AnyResponse:
    task = tasks.set_enabled(database(), task_id, False, now=current.now(), actor=current.actor())
    words = _("%(name)s is disabled: it will not start by itself.", name=task.name)
    notices.done(words, url_for("tasks.enable", task_id=task_id), _from())
    return _back(task)


@blueprint.post("/tasks/<int:task_id>/copy")
def copy(task_id: int) -> AnyResponse:
    made = tasks.copy(database(), task_id, now=current.now(), actor=current.actor())
    flash(_("%(name)s is a copy, disabled until you have looked at it.", name=made.name), "success")
    return redirect(url_for("tasks.edit", task_id=made.id), 303)


@blueprint.post("/tasks/<int:task_id>/delete")
def delete(task_id: int) -> AnyResponse:
    task = tasks.delete(database(), task_id, now=current.now(), actor=current.actor())
    words = _("%(name)s is deleted. Its runs stay in the history.", name=task.name)
    notices.done(words, url_for("tasks.restore", task_id=task_id))
    return redirect(url_for("tasks.index"), 303)


@blueprint.post("/tasks/<int:task_id>/restore")
def restore(task_id: int) -> AnyResponse:
    """Take a deletion back."""
    try:
        name = request.form.get("name", "").strip()
        task = undoing.restore(database(), task_id, now=current.now(), actor=current.actor(), name=name)
    except (Conflict, InputError) as error:
        flash(sentence(error.message), "warning")
        return redirect(url_for("tasks.detail", task_id=task_id), 303)
    told = _("%(name)s is there again, with its runs and versions.", name=task.name)
    flash(told + " " + _when(task), "success")
    return redirect(url_for("tasks.detail", task_id=task.id), 303)


def _runs_of(task: Task) -> dict[str, object]:
    """Return what the page of a task shows of its runs."""
    now = current.now()
    recent = runs.list_page(database(), RunFilter(task_id=task.id), limit=presenters_tasks.STRIP_RUNS).runs
    views = run_views(recent, now)
    return {
        "row": presenters_tasks.task_row(task, recent, now, pausing.of_tasks()),
        "recent": views[:_SHOWN_RUNS],
        "durations": durations.draw(views[::-1], usual_of(views), current.zone()),
        "year": year_of(task.id),
    }


def _look() -> Look:
    return list_look.read(task_list.SHAPE, request.args, request.cookies)


def _twin_rows() -> Iterator[TaskRow]:
    now, paused = current.now(), pausing.of_tasks()
    found = task_list.walk(database(), task_list.from_page(request.args, _look()), bulk_forms.ids_of(request.args))
    return (presenters_tasks.task_row(task, recent, now, paused) for task, recent in found)


def _rows(found: TaskPage) -> list[TaskRow]:
    return presenters_tasks.task_rows(found, current.now(), pausing.of_tasks())


def _saved(task: Task) -> str:
    return _("%(name)s is saved.", name=task.name) + " " + _when(task)


def _when(task: Task) -> str:
    """Return the sentence that says what comes next of a task."""
    if not task.enabled:
        return _("It is disabled: it will not start by itself.")
    if pausing.of_everything():
        return _("Everything is paused: it does not start before that is over.")
    if pausing.of(pauses.task_scope(task.id)):
        return _("It is paused: it does not start before that is over.")
    if request.form.get("asap"):
        return _("It runs as soon as possible.")
    if task.next_due_at is None:
        return _("It starts only when run by hand.")
    local = task.next_due_at.astimezone(current.zone())
    return _("Next at %(moment)s (%(zone)s).", moment=f"{local:%Y-%m-%d %H:%M:%S}", zone=local.tzinfo)


def _newest_revisions(task: Task) -> list[TaskRevision]:
    oldest = max(1, task.version - _SHOWN_REVISIONS + 1)
    return [tasks.revision(database(), task.id, version) for version in range(task.version, oldest - 1, -1)]


def _from() -> dict[str, str]:
    """Return the field that leads back to where the button stood."""
    return {"back": "list"} if request.form.get("back") == "list" else {}


def _back(task: Task) -> AnyResponse:
    """Return to the list if the button stood there, else to the task."""
    if request.form.get("back") == "list":
        return redirect(with_filters(url_for("tasks.index")), 303)
    return redirect(url_for("tasks.detail", task_id=task.id), 303)
