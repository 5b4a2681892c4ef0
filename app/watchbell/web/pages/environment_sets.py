"""Environment sets: their list, what each holds and which tasks name it, and changing them."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain import environment_sets as rules
from watchbell.domain import environments
from watchbell.domain.masking import mask_all
from watchbell.errors import Conflict, InputError, VersionConflict
from watchbell.services import environment_sets
from watchbell.services.environment_sets import SetView
from watchbell.web import current, query, twins
from watchbell.web.db import database
from watchbell.web.forms.environment_set_form import EnvironmentSetForm, lines_of, shown_data
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.told import sentence

blueprint = Blueprint("environment_sets", __name__)

_COLUMNS = ("name", "description", "variables", "tasks", "updated_at", "updated_by")


@blueprint.get("/environments")
def index() -> str:
    return render_template("environment_sets/index.html", section="tasks", sets=environment_sets.list_all(database()))


@blueprint.get("/environments.json")
def index_json() -> Response:
    return jsonify(_rows())


@blueprint.get("/environments.csv")
def index_csv() -> Response:
    rows = [{**row, "variables": " ".join(row["variables"])} for row in _rows()]  # type: ignore[arg-type]
    return twins.csv_response("environments", _COLUMNS, rows)


@blueprint.get("/environments/new")
def new() -> str:
    return _form(EnvironmentSetForm(), None)


@blueprint.post("/environments/new")
def create() -> AnyResponse | tuple[str, int]:
    return _save(None)


@blueprint.get("/environments/named/<name>")
def show(name: str) -> str:
    """Show what a set holds, but for what looks like a secret, and what names it."""
    view = environment_sets.get(database(), name)
    users, templates = environment_sets.list_users(database(), name), environment_sets.list_templates(database(), name)
    return render_template(
        "environment_sets/show.html",
        section="tasks",
        view=view,
        variables=mask_all(view.row.variables),
        users=users,
        templates=templates,
    )


@blueprint.get("/environments/named/<name>/edit")
def edit(name: str) -> str:
    view = environment_sets.get(database(), name)
    return _form(EnvironmentSetForm(data=shown_data(view)), view)


@blueprint.post("/environments/named/<name>/edit")
def update(name: str) -> AnyResponse | tuple[str, int]:
    return _save(environment_sets.get(database(), name))


@blueprint.post("/environments/named/<name>/remove")
def remove(name: str) -> AnyResponse:
    version = query.optional_id(request.form, "version")
    now, actor = current.now(), current.actor()
    try:
        environment_sets.remove(database(), name, now=now, actor=actor, expected_version=version)
    except Conflict as error:
        flash(sentence(error.message), "danger")
        return redirect(url_for("environment_sets.show", name=name), 303)
    flash(_("The environment set %(name)s is removed.", name=name), "success")
    return redirect(url_for("environment_sets.index"), 303)


def _save(view: SetView | None) -> AnyResponse | tuple[str, int]:
    form = EnvironmentSetForm()
    try:
        made = _store(form, view)
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, view), 422
    except VersionConflict as error:
        assert view is not None
        return _late(form, environment_sets.get(database(), view.row.name), error), 409
    except Conflict as error:
        form.name.errors = [*form.name.errors, sentence(error.message)]
        return _form(form, view), 409
    said = _("The environment set %(name)s is saved.", name=made.row.name)
    if view is not None and made.tasks:
        said += " " + ngettext("%(num)s task follows it.", "%(num)s tasks follow it.", made.tasks)
    flash(said, "success")
    return redirect(url_for("environment_sets.show", name=made.row.name), 303)


def _store(form: EnvironmentSetForm, view: SetView | None) -> SetView:
    now, actor, fields = current.now(), current.actor(), form.fields()
    if view is None:
        return environment_sets.create(database(), fields, now=now, actor=actor)
    version = query.whole(request.form, "version", None, 1, query.HIGHEST_ID)
    return environment_sets.update(database(), view.row.name, fields, now=now, actor=actor, expected_version=version)


def _late(form: EnvironmentSetForm, view: SetView, error: VersionConflict) -> str:
    """Show what somebody else has saved meanwhile: what only they have changed is taken over, the rest is to be looked at."""
    try:
        began, typed = (
            dict(environments.pairs_of("variables", text)) for text in (form.began.data, form.variables.data)
        )
    except InputError as wrong:
        form.show_problems(wrong.problems)
        return _form(form, view)
    merged = rules.merge(began, view.row.variables, typed)
    form.variables.data = lines_of(merged.variables)
    label = _("Description")
    before, mine = (str(text or "").strip() for text in (form.began_description.data, form.description.data))
    said = rules.merge({label: before}, {label: view.row.description}, {label: mine})
    form.description.data = said.variables[label]
    merged = dataclasses.replace(merged, clashes=[*said.clashes, *merged.clashes], taken=[*said.taken, *merged.taken])
    form.begin(view)
    form.form_errors.append(sentence(error.message))
    return _form(form, view, merged=merged)


def _form(form: EnvironmentSetForm, view: SetView | None, merged: rules.Merged | None = None) -> str:
    users = environment_sets.list_users(database(), view.row.name) if view is not None else []
    return render_template(
        "environment_sets/form.html", section="tasks", form=form, view=view, users=users, merged=merged
    )


def _rows() -> list[dict[str, object]]:
    told = map(environment_sets.told_names, environment_sets.list_all(database()))
    return [{**one, "updated_at": local_text(one["updated_at"], current.zone())} for one in told]
