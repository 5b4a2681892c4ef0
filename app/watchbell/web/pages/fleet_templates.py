"""Templates of jobs for devices: their list, their editor, and trying one on one device."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.services import job_library
from watchbell.web import current, fleet_trying, template_editing, twins
from watchbell.web import presenters_fleet_library as presenters
from watchbell.web.db import database
from watchbell.web.i18n import _

blueprint = Blueprint("fleet_templates", __name__)


@blueprint.get("/fleet/templates")
def index() -> str:
    asked = presenters.asked_templates(request.args)
    every = job_library.list_templates(database())
    return render_template("fleet/templates/index.html", section="fleet", **presenters.template_list(every, asked))


@blueprint.get("/fleet/templates.json")
def index_json() -> Response:
    return jsonify(presenters.template_rows(request.args))


@blueprint.get("/fleet/templates.csv")
def index_csv() -> Response:
    return twins.csv_response("fleet-templates", presenters.TEMPLATE_COLUMNS, presenters.template_rows(request.args))


@blueprint.get("/fleet/templates/<int:template_id>")
def show(template_id: int) -> str:
    template = job_library.get_template(database(), template_id)
    return render_template("fleet/templates/detail.html", section="fleet", **presenters.template_page(template))


@blueprint.get("/fleet/templates/new")
def new() -> str:
    """Show the editor of a new template, which may begin as a copy of another."""
    return template_editing.new()


@blueprint.post("/fleet/templates/new")
def create() -> AnyResponse | tuple[str, int] | str:
    return template_editing.act(None)


@blueprint.get("/fleet/templates/<int:template_id>/edit")
def edit(template_id: int) -> str:
    return template_editing.edit(job_library.get_template(database(), template_id))


@blueprint.post("/fleet/templates/<int:template_id>/edit")
def update(template_id: int) -> AnyResponse | tuple[str, int] | str:
    return template_editing.act(job_library.get_template(database(), template_id))


@blueprint.post("/fleet/templates/check")
def check() -> str:
    """Return what is wrong with the document that is typed, and how it is understood, for the editor's script."""
    return template_editing.checked()


@blueprint.post("/fleet/templates/<int:template_id>/delete")
def delete(template_id: int) -> AnyResponse:
    template = job_library.get_template(database(), template_id)
    job_library.delete_template(database(), template_id, now=current.now(), actor=current.actor())
    flash(_("The template %(name)s is deleted. What was executed stays.", name=template.name), "success")
    return redirect(url_for("fleet_templates.index"), 303)


@blueprint.get("/fleet/templates/<int:template_id>/test")
def test(template_id: int) -> str:
    """Show the form that gives a template to one device."""
    return fleet_trying.form(job_library.get_template(database(), template_id))


@blueprint.post("/fleet/templates/<int:template_id>/test")
def run_test(template_id: int) -> AnyResponse | tuple[str, int] | str:
    return fleet_trying.act(job_library.get_template(database(), template_id))
