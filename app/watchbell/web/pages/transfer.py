"""Tasks from elsewhere and to elsewhere: the page that imports a crontab or a document, and the files of an export."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.web import exporting, importing
from watchbell.web.forms.import_form import ImportForm
from watchbell.web.importing import ACT, IMPORT

blueprint = Blueprint("transfer", __name__)


@blueprint.get("/tasks/import")
def index() -> tuple[str, int]:
    return importing.page(ImportForm())


@blueprint.post("/tasks/import")
def create() -> AnyResponse | tuple[str, int]:
    form = ImportForm()
    try:
        if request.form.get(ACT) != IMPORT or importing.is_changed(form):
            return importing.look(form)
        return importing.carry_out(form)
    except Conflict as error:
        return importing.look(form, refusal=error.message)
    except InputError as error:
        return importing.refuse(form, error)


@blueprint.get("/tasks/export.<any(yaml, json, crontab):suffix>")
def export(suffix: str) -> Response:
    return exporting.answer(suffix)
