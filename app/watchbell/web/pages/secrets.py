"""Secrets: their list with what names and uses them, making, replacing and deleting one. A value comes in and never out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError, KeyTrouble, Problem
from watchbell.services import secrets
from watchbell.services.secrets import SecretView
from watchbell.web import current, twins
from watchbell.web.db import database
from watchbell.web.forms.secret_form import SecretForm, ValueForm
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.proving import asking, proves

blueprint = Blueprint("secrets", __name__)

_COLUMNS = (
    *("name", "version", "created_at", "created_by", "changed_at", "changed_by"),
    *("used_at", "used_run_id", "used_task_name", "used_device_uuid", "used_device_name", "named_by"),
)


@blueprint.get("/secrets")
def index() -> str:
    found = secrets.list_all(database())
    missing = secrets.list_missing(database())
    return render_template(
        "secrets/index.html", secrets=found, missing=missing, answer=answer(found), trouble=secrets.trouble(database())
    )


@blueprint.get("/secrets.json")
def index_json() -> Response:
    return jsonify([_row(view) for view in secrets.list_all(database())])


@blueprint.get("/secrets.csv")
def index_csv() -> Response:
    rows = ({**row, "named_by": ", ".join(row["named_by"])} for row in map(_row, secrets.list_all(database())))
    return twins.csv_response("secrets", _COLUMNS, rows)


@blueprint.get("/secrets/new")
def new() -> str:
    return _form_page(SecretForm())


@blueprint.post("/secrets/new")
def create() -> AnyResponse | tuple[str, int]:
    """Make a secret; one that is there already is not overwritten by it."""
    form = SecretForm()
    name, value = (form.name.data or "").strip(), form.take_value()
    if not proves(form):
        return _form_page(form), 422
    try:
        made = secrets.put(database(), name, value, now=current.now(), actor=current.actor(), is_new=True)
    except (InputError, Conflict) as error:
        form.show_problems(_problems(error, "name"))
        return _form_page(form), 422
    flash(
        _("Secret %(name)s is there. Tasks name it as ${secret:%(name)s} in their environment.", name=made.name),
        "success",
    )
    return redirect(url_for("secrets.show", name=made.name), 303)


@blueprint.get("/secrets/named/<name>")
def show(name: str) -> str:
    found = secrets.get(database(), name)
    return render_template("secrets/detail.html", view=found, secret=found.secret)


@blueprint.get("/secrets/named/<name>/replace")
def replacement(name: str) -> str:
    return _replace_page(ValueForm(), name)


@blueprint.post("/secrets/named/<name>/replace")
def replace(name: str) -> AnyResponse | tuple[str, int]:
    form = ValueForm()
    value = form.take_value()
    # One that somebody has deleted meanwhile does not come back by this.
    secrets.get(database(), name)
    if not proves(form):
        return _replace_page(form, name), 422
    try:
        secrets.put(database(), name, value, now=current.now(), actor=current.actor())
    except (InputError, KeyTrouble) as error:
        form.show_problems(_problems(error, "value"))
        return _replace_page(form, name), 422
    flash(_("Secret %(name)s has a new value; what starts from now on gets it.", name=name), "success")
    return redirect(url_for("secrets.show", name=name), 303)


@blueprint.get("/secrets/named/<name>/delete")
def deletion(name: str) -> str:
    """Say what would fail without it, and ask."""
    return _delete_page(ProofForm(), name)


@blueprint.post("/secrets/named/<name>/delete")
def delete(name: str) -> AnyResponse | tuple[str, int]:
    form = ProofForm()
    if not proves(form):
        return _delete_page(form, name), 422
    secrets.delete(database(), name, now=current.now(), actor=current.actor(), is_forced=True)
    flash(_("Secret %(name)s is deleted.", name=name), "success")
    return redirect(url_for("secrets.index"), 303)


def answer(found: Sequence[SecretView]) -> str:
    """Return the sentence above the list: how many there are, and which nothing names."""
    told = [ngettext("%(count)s secret", "%(count)s secrets", len(found), count=grouped(len(found)))]
    idle = sum(not view.places for view in found)
    if idle:
        told.append(ngettext("%(num)s that nothing names", "%(num)s that nothing names", idle))
    return f"{', '.join(told)}."


def _problems(error: InputError | Conflict, field: str) -> Sequence[Problem]:
    return error.problems if isinstance(error, InputError) else [Problem(field, error.message)]


def _form_page(form: SecretForm) -> str:
    return render_template("secrets/form.html", form=asking(form))


def _replace_page(form: ValueForm, name: str) -> str:
    return render_template("secrets/replace.html", form=asking(form), view=secrets.get(database(), name, uses=0))


def _delete_page(form: ProofForm, name: str) -> str:
    return render_template("secrets/delete.html", form=asking(form), view=secrets.get(database(), name, uses=0))


def _row(view: SecretView) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(view.secret, name) for name in _COLUMNS if name != "named_by"}
    for name in ("created_at", "changed_at", "used_at"):
        shown[name] = local_text(getattr(view.secret, name), current.zone())
    return {**shown, "named_by": [f"{place.kind} {place.name}" for place in view.places]}
