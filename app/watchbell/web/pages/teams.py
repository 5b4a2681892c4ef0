"""Teams: who has tasks together. Everybody sees them; administrators make, change and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError, Problem, VersionConflict
from watchbell.services import accounts, teams
from watchbell.services.teams import TeamView
from watchbell.web import current, twins
from watchbell.web.db import database
from watchbell.web.forms.team_form import TeamEndForm, TeamForm
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text

blueprint = Blueprint("teams", __name__)
_COLUMNS = ("id", "name", "comment", "members", "tasks", "created_at")


@blueprint.get("/teams")
def index() -> str:
    mine = set(teams.list_names_of(database(), current.user().username))
    return render_template("teams/index.html", teams=teams.list_all(database()), mine=mine)


@blueprint.get("/teams.json")
def index_json() -> Response:
    return jsonify([_row(team) for team in teams.list_all(database())])


@blueprint.get("/teams.csv")
def index_csv() -> Response:
    rows = ({**_row(team), "members": ", ".join(team.members)} for team in teams.list_all(database()))
    return twins.csv_response("teams", _COLUMNS, rows)


@blueprint.get("/teams/new")
def new() -> str:
    return _form_page(TeamForm(), None)


@blueprint.post("/teams/new")
def create() -> AnyResponse | tuple[str, int]:
    form = TeamForm()
    try:
        made = teams.create(database(), **_fields(form), now=current.now(), actor=current.actor())
    except (InputError, Conflict) as error:
        return _refused(form, None, error)
    flash(_("Team %(name)s is there. Tasks name it in their forms.", name=made.name), "success")
    return redirect(url_for("teams.index"), 303)


@blueprint.get("/teams/<int:team_id>")
def edit(team_id: int) -> str:
    """Show what a team is called and who is in it."""
    team = teams.get(database(), team_id)
    shown = {"name": team.name, "comment": team.comment, "members": list(team.members)}
    return _form_page(TeamForm(data=shown), team)


@blueprint.post("/teams/<int:team_id>")
def update(team_id: int) -> AnyResponse | tuple[str, int]:
    team = teams.get(database(), team_id)
    form = TeamForm()
    try:
        saved = teams.update(
            database(), team_id, **_fields(form), now=current.now(), actor=current.actor(),
            expected_state=request.form.get("state"),
        )  # fmt: skip
    except VersionConflict as error:
        form.show_problems([Problem("name", error.message)])
        return _form_page(form, team, meanwhile=team), 409
    except (InputError, Conflict) as error:
        return _refused(form, team, error)
    flash(_("Team %(name)s is saved.", name=saved.name), "success")
    return redirect(url_for("teams.index"), 303)


@blueprint.get("/teams/<int:team_id>/delete")
def deletion(team_id: int) -> str:
    """Ask before a team is deleted, and where its tasks go."""
    return _deletion_page(TeamEndForm(), teams.get(database(), team_id))


@blueprint.post("/teams/<int:team_id>/delete")
def delete(team_id: int) -> AnyResponse | tuple[str, int]:
    team, form = teams.get(database(), team_id), TeamEndForm()
    try:
        moved = teams.delete(database(), team_id, tasks_to=form.target(), now=current.now(), actor=current.actor())
    except (InputError, Conflict) as error:
        form.tasks_to.errors = [_("Say where its tasks go.") if isinstance(error, Conflict) else error.message]
        return _deletion_page(form, team), 422
    told = _("Team %(name)s is deleted.", name=team.name)
    if moved:
        told += " " + ngettext("%(num)s task has moved.", "%(num)s tasks have moved.", moved)
    flash(told, "success")
    return redirect(url_for("teams.index"), 303)


class _Fields(TypedDict):
    name: str
    comment: str
    members: list[str]


def _fields(form: TeamForm) -> _Fields:
    return {
        "name": form.name.data or "",
        "comment": form.comment.data or "",
        "members": list(form.members.data or ()),
    }


def _refused(form: TeamForm, team: TeamView | None, error: InputError | Conflict) -> tuple[str, int]:
    problems: Sequence[Problem] = (
        error.problems if isinstance(error, InputError) else [Problem("name", error.message.removeprefix("name: "))]
    )
    form.show_problems(problems)
    return _form_page(form, team), 422


def _form_page(form: TeamForm, team: TeamView | None, meanwhile: TeamView | None = None) -> str:
    form.offer([account.username for account in accounts.list_all(database())])
    return render_template("teams/form.html", form=form, team=team, meanwhile=meanwhile)


def _deletion_page(form: TeamEndForm, team: TeamView) -> str:
    form.offer([name for name in teams.list_names(database()) if name != team.name])
    return render_template("teams/delete.html", form=form, team=team)


def _row(team: TeamView) -> dict[str, object]:
    return {
        "id": team.id,
        "name": team.name,
        "comment": team.comment,
        "members": list(team.members),
        "tasks": team.tasks,
        "created_at": local_text(team.created_at, current.zone()),
    }
