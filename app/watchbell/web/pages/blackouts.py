"""Blackout windows, in which moments of tasks are left out: their list, and making, changing and removing them."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError, VersionConflict
from watchbell.services import blackouts, foresight
from watchbell.services.blackouts import BlackoutView
from watchbell.web import current, foreseeing, query, twins
from watchbell.web.db import database
from watchbell.web.forms.blackout_form import BlackoutForm, shown_data
from watchbell.web.i18n import _
from watchbell.web.presenters import local_text
from watchbell.web.presenters_simulation import Effect, effect_of
from watchbell.web.told import sentence

blueprint = Blueprint("blackouts", __name__)

#: The button that says what would change, and changes nothing.
CHECK = "check"
_COLUMNS = ("id", "name", "description", "zone", "starts", "ends", "weekdays", "from_time", "to_time", "tasks",
            "updated_at", "updated_by")  # fmt: skip


@blueprint.get("/blackouts")
def index() -> str:
    return render_template("blackouts/index.html", blackouts=blackouts.list_all(database()), now=current.now())


@blueprint.get("/blackouts.json")
def index_json() -> Response:
    return jsonify(_rows(as_lists=True))


@blueprint.get("/blackouts.csv")
def index_csv() -> Response:
    return twins.csv_response("blackouts", _COLUMNS, _rows(as_lists=False))


@blueprint.get("/blackouts/new")
def new() -> str:
    given = {"zone": current.defaults().zone, "weekdays": [], "tasks": query.text(request.args, "task")}
    return _form(BlackoutForm(data=given), None)


@blueprint.post("/blackouts/new")
def create() -> AnyResponse | tuple[str, int]:
    return _save(None)


@blueprint.get("/blackouts/<int:blackout_id>/edit")
def edit(blackout_id: int) -> str:
    view = blackouts.get(database(), blackout_id)
    return _form(BlackoutForm(data=shown_data(view)), view)


@blueprint.post("/blackouts/<int:blackout_id>/edit")
def update(blackout_id: int) -> AnyResponse | tuple[str, int]:
    return _save(blackouts.get(database(), blackout_id))


@blueprint.get("/blackouts/<int:blackout_id>/remove")
def ask_removal(blackout_id: int) -> str:
    view = blackouts.get(database(), blackout_id)
    return render_template("blackouts/remove.html", view=view, effect=_effect(None, view))


@blueprint.post("/blackouts/<int:blackout_id>/remove")
def remove(blackout_id: int) -> AnyResponse:
    version = query.whole(request.form, "version", None, 1, query.HIGHEST_ID)
    try:
        gone = blackouts.remove(
            database(), blackout_id, now=current.now(), actor=current.actor(), expected_version=version
        )
    except VersionConflict as error:
        flash(sentence(error.message), "danger")
        return redirect(url_for("blackouts.ask_removal", blackout_id=blackout_id), 303)
    flash(_("The blackout %(name)s is removed. What it has left out stays left out.", name=gone.name), "success")
    return redirect(url_for("blackouts.index"), 303)


def _save(view: BlackoutView | None) -> AnyResponse | tuple[str, int]:
    form = BlackoutForm()
    try:
        if CHECK in request.form:
            return _form(form, view, effect=_effect(form, view)), 200
        made = _store(form, view)
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, view), 422
    except Conflict as error:
        form.name.errors = [*form.name.errors, sentence(error.message)]
        return _form(form, view), 409
    flash(_("The blackout %(name)s is saved.", name=made.row.name), "success")
    return redirect(url_for("blackouts.index"), 303)


def _store(form: BlackoutForm, view: BlackoutView | None) -> BlackoutView:
    now, actor, fields = current.now(), current.actor(), form.fields()
    if view is None:
        zone = current.defaults().zone
        return blackouts.create(database(), fields, now=now, actor=actor, default_zone=zone)
    version = query.whole(request.form, "version", None, 1, query.HIGHEST_ID)
    return blackouts.update(database(), view.row.id, fields, now=now, actor=actor, expected_version=version)


def _effect(form: BlackoutForm | None, view: BlackoutView | None) -> Effect:
    """Return what saving the form, or without one the removal, would do to coming runs; raises InputError."""
    fields = form.fields() if form is not None else None
    number, zone = view.row.id if view is not None else None, current.defaults().zone
    found = foresight.of_blackout(
        database(), number, fields, now=current.now(), default_zone=zone, moments=foreseeing.moments()
    )
    return effect_of(found)


def _form(form: BlackoutForm, view: BlackoutView | None, effect: Effect | None = None) -> str:
    return render_template("blackouts/form.html", form=form, view=view, effect=effect)


def _rows(*, as_lists: bool) -> list[dict[str, object]]:
    rows = []
    for view in blackouts.list_all(database()):
        told = blackouts.told(view)
        joined = {} if as_lists else {name: "; ".join(told[name]) for name in ("weekdays", "tasks")}
        rows.append({**told, **joined, "updated_at": local_text(told["updated_at"], current.zone())})
    return rows
