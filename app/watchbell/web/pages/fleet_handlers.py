"""Handlers: scripts that devices keep, what each has said before, and who names them."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError, VersionConflict
from watchbell.services import job_handlers, job_library
from watchbell.services.job_handlers import HandlerInUse
from watchbell.store.job_library import JobHandler
from watchbell.web import current, handler_page, query, twins
from watchbell.web import presenters_fleet_library as presenters
from watchbell.web.db import database
from watchbell.web.forms.job_handler_form import JobHandlerForm, lines_of, shown_data
from watchbell.web.i18n import _
from watchbell.web.told import sentence

blueprint = Blueprint("fleet_handlers", __name__)


@blueprint.get("/fleet/handlers")
def index() -> str:
    views = presenters.find_handlers(request.args)
    return render_template(
        "fleet/handlers/index.html", section="fleet", views=views, q=query.text(request.args, "q"), is_ready_made=job_library.is_of_the_beginning
    )  # fmt: skip


@blueprint.get("/fleet/handlers.json")
def index_json() -> Response:
    return jsonify(presenters.handler_rows(presenters.find_handlers(request.args)))


@blueprint.get("/fleet/handlers.csv")
def index_csv() -> Response:
    rows = presenters.handler_rows(presenters.find_handlers(request.args))
    return twins.csv_response("fleet-handlers", presenters.HANDLER_COLUMNS, rows)


@blueprint.get("/fleet/handlers/<int:handler_id>")
def show(handler_id: int) -> str:
    """Show a handler, or a version of it laid against another."""
    return handler_page.show(job_handlers.get(database(), handler_id))


@blueprint.get("/fleet/handlers/<int:handler_id>/versions/<int:number>/script")
def script(handler_id: int, number: int) -> Response:
    """Give the script of a version to be saved, byte for byte as its digest says."""
    return handler_page.download(handler_id, number)


@blueprint.get("/fleet/handlers/new")
def new() -> str:
    """Show the editor of a new handler, which may begin as a copy of another."""
    copied = query.optional_id(request.args, "from")
    data: dict[str, object] = {}
    if copied is not None:
        handler = job_handlers.get(database(), copied)
        data = {**shown_data(handler, 0), "name": f"{handler.name}-copy", "seen": ""}
    return handler_page.form(JobHandlerForm(data=data), None)


@blueprint.post("/fleet/handlers/new")
def create() -> AnyResponse | tuple[str, int]:
    return _save(None)


@blueprint.get("/fleet/handlers/<int:handler_id>/edit")
def edit(handler_id: int) -> str:
    handler = job_handlers.get(database(), handler_id)
    version = job_handlers.versions(database(), handler_id)[0].number
    return handler_page.form(JobHandlerForm(data=shown_data(handler, version)), handler)


@blueprint.post("/fleet/handlers/<int:handler_id>/edit")
def update(handler_id: int) -> AnyResponse | tuple[str, int]:
    return _save(job_handlers.get(database(), handler_id))


@blueprint.post("/fleet/handlers/<int:handler_id>/versions/<int:number>/restore")
def restore(handler_id: int, number: int) -> AnyResponse:
    """Let a handler say again what it said in a version."""
    made = job_handlers.restore(database(), handler_id, number, now=current.now(), actor=current.actor())
    flash(_("Handler %(name)s says again what version %(number)s said.", name=made.name, number=number), "success")
    return redirect(url_for("fleet_handlers.show", handler_id=handler_id), 303)


@blueprint.post("/fleet/handlers/<int:handler_id>/delete")
def delete(handler_id: int) -> AnyResponse:
    handler = job_handlers.get(database(), handler_id)
    try:
        job_handlers.delete(database(), handler_id, now=current.now(), actor=current.actor())
    except HandlerInUse:
        flash(_("Handler %(name)s is not deleted: what is listed here names it.", name=handler.name), "danger")
        return redirect(url_for("fleet_handlers.show", handler_id=handler_id, _anchor="uses"), 303)
    flash(_("Handler %(name)s is deleted, with its versions.", name=handler.name), "success")
    return redirect(url_for("fleet_handlers.index"), 303)


def _save(handler: JobHandler | None) -> AnyResponse | tuple[str, int]:
    form = JobHandlerForm()
    try:
        made = _store(form, handler)
    except VersionConflict:
        assert handler is not None
        form.seen.data = str(job_handlers.versions(database(), handler.id)[0].number)
        return handler_page.form(form, handler, is_conflict=True), 412
    except InputError as error:
        form.show_problems(error.problems)
        return handler_page.form(form, handler), 422
    except Conflict as error:
        form.name.errors = [*form.name.errors, sentence(error.message)]
        return handler_page.form(form, handler), 409
    flash(_("Handler %(name)s is saved.", name=made.name), "success")
    return redirect(url_for("fleet_handlers.show", handler_id=made.id), 303)


def _store(form: JobHandlerForm, handler: JobHandler | None) -> JobHandler:
    fields, now, actor = form.fields(), current.now(), current.actor()
    if handler is None:
        return job_library.create_handler(database(), fields, now=now, actor=actor)
    if lines_of(handler.script_content) == fields["script_content"]:
        # Nobody has changed it, and the ends of its lines are its own affair.
        fields["script_content"] = handler.script_content
    return job_handlers.update(database(), handler.id, fields, now=now, actor=actor, seen_version=form.seen_version())
