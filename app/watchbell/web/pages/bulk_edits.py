"""Editing several tasks at once: the form, what it would change, and the way back."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.web import bulk_editing
from watchbell.web.forms.bulk_edit_form import BulkEditForm

blueprint = Blueprint("bulk_edits", __name__)


@blueprint.get("/tasks/edit")
def index() -> Response:
    return bulk_editing.page(BulkEditForm())


@blueprint.post("/tasks/edit")
def change() -> Response:
    return bulk_editing.act(BulkEditForm())


@blueprint.post("/tasks/edit/undo")
def undo() -> AnyResponse:
    flash(bulk_editing.undo(), "success")
    return redirect(url_for("tasks.index"), 303)
