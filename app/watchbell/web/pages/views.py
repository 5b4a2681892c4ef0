"""Saved views: opening one by its link, and one's own: saving, renaming, showing first, deleting."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.services import saved_views
from watchbell.store.saved_views import SavedView
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.told import sentence

blueprint = Blueprint("views", __name__)


@blueprint.get("/views")
def index() -> str:
    found = saved_views.list_all(database(), current.actor())
    titles = {
        "tasks": _("Tasks"),
        "runs": _("Runs"),
        "next_runs": _("Next runs"),
        "audit": _("Audit"),
        "fleet_devices": _("Devices"),
    }
    pages = [(title, [view for view in found if view.page == page]) for page, title in titles.items()]
    return render_template("views/index.html", pages=[(title, views) for title, views in pages if views])


@blueprint.get("/views/<int:view_id>")
def show(view_id: int) -> AnyResponse:
    return redirect(_address(saved_views.get(database(), view_id)), 302)


@blueprint.post("/views")
def save() -> AnyResponse:
    form = request.form
    given = {name: form.get(name, "") for name in ("page", "name", "query")}
    is_first = form.get("is_default") == "1"
    try:
        view = saved_views.save(database(), owner=current.actor(), is_default=is_first, now=current.now(), **given)
    except (Conflict, InputError) as error:
        flash(sentence(error.message), "warning")
        return redirect(f"{_list_of(given['page'])}?{given['query']}", 303)
    flash(_("The view %(name)s is saved.", name=view.name), "success")
    return redirect(_address(view), 303)


@blueprint.post("/views/<int:view_id>/rename")
def rename(view_id: int) -> AnyResponse:
    try:
        view = saved_views.rename(database(), view_id, request.form.get("name", ""), owner=current.actor())
        flash(_("The view is called %(name)s now.", name=view.name), "success")
    except (Conflict, InputError) as error:
        flash(sentence(error.message), "warning")
    return redirect(url_for("views.index"), 303)


@blueprint.post("/views/<int:view_id>/first")
def first(view_id: int) -> AnyResponse:
    is_default = request.form.get("is_default") == "1"
    view = saved_views.set_default(database(), view_id, is_default, owner=current.actor())
    told = _("%(name)s is shown first.", name=view.name) if is_default else _("The whole list is shown first.")
    flash(told, "success")
    return redirect(url_for("views.index"), 303)


@blueprint.post("/views/<int:view_id>/delete")
def delete(view_id: int) -> AnyResponse:
    view = saved_views.delete(database(), view_id, owner=current.actor())
    flash(_("The view %(name)s is deleted.", name=view.name), "success")
    return redirect(url_for("views.index"), 303)


def _address(view: SavedView) -> str:
    return f"{_list_of(view.page)}?{view.query}" if view.query else _list_of(view.page)


def _list_of(page: str) -> str:
    return url_for(f"{page if page in saved_views.PAGES else 'tasks'}.index")
