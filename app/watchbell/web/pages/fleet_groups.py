"""Groups of devices: their list with its twins, making and changing one, and who belongs to it."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.services import device_groups, device_lists, devices
from watchbell.services.device_groups import GroupView
from watchbell.services.device_lists import DeviceFilter
from watchbell.web import current, notices, twins
from watchbell.web.db import database
from watchbell.web.forms.device_form import GroupForm, MembersForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text

blueprint = Blueprint("fleet_groups", __name__)

#: So many devices stand on the page of a group; the list of devices has all of them.
MEMBER_ROWS = 50
_COLUMNS = ("id", "name", "description", "devices", "online", "created_by", "created_at")


@blueprint.get("/fleet/groups")
def index() -> str:
    found = device_groups.list_all(database(), now=current.now())
    return render_template("fleet/groups/index.html", groups=found, answer=_answer(found))


@blueprint.get("/fleet/groups.json")
def index_json() -> Response:
    return twins.json_response(_rows())


@blueprint.get("/fleet/groups.csv")
def index_csv() -> Response:
    return twins.csv_response("groups", _COLUMNS, _rows())


@blueprint.get("/fleet/groups/new")
def new() -> str:
    return render_template("fleet/groups/form.html", form=GroupForm(), view=None)


@blueprint.post("/fleet/groups/new")
def create() -> AnyResponse | tuple[str, int]:
    form = GroupForm()
    name, description = form.name.data or "", form.description.data or ""
    try:
        made = device_groups.create(database(), name, description=description, now=current.now(), actor=current.actor())
    except (Conflict, InputError) as error:
        form.show(error)
        return render_template("fleet/groups/form.html", form=form, view=None), 422
    flash(_("The group %(name)s is made. Add devices to it.", name=made.name), "success")
    return redirect(url_for("fleet_groups.detail", group_id=made.id), 303)


@blueprint.get("/fleet/groups/<int:group_id>")
def detail(group_id: int) -> str:
    return _page(device_groups.get(database(), group_id, now=current.now()), MembersForm())


@blueprint.get("/fleet/groups/<int:group_id>/edit")
def edit(group_id: int) -> str:
    view = device_groups.get(database(), group_id, now=current.now())
    return render_template("fleet/groups/form.html", form=GroupForm(obj=view.group), view=view)


@blueprint.post("/fleet/groups/<int:group_id>/edit")
def update(group_id: int) -> AnyResponse | tuple[str, int]:
    form, view = GroupForm(), device_groups.get(database(), group_id, now=current.now())
    given = {"name": form.name.data or "", "description": form.description.data or ""}
    try:
        saved = device_groups.change(database(), group_id, **given, now=current.now(), actor=current.actor())
    except (Conflict, InputError) as error:
        form.show(error)
        return render_template("fleet/groups/form.html", form=form, view=view), 422
    flash(_("%(name)s is saved.", name=saved.name), "success")
    return redirect(url_for("fleet_groups.detail", group_id=group_id), 303)


@blueprint.post("/fleet/groups/<int:group_id>/add")
def add(group_id: int) -> AnyResponse | tuple[str, int]:
    """Let the devices of some names or UUIDs belong to it."""
    form, names = MembersForm(), (request.form.get("devices") or "").splitlines()
    try:
        new_ones = device_groups.add_named(database(), group_id, names, now=current.now(), actor=current.actor())
    except InputError as error:
        form.show(error)
        return _page(device_groups.get(database(), group_id, now=current.now()), form), 422
    told = ngettext("%(num)s device is new in the group.", "%(num)s devices are new in the group.", new_ones)
    flash(told if new_ones else _("They were in the group already."), "success" if new_ones else "info")
    return redirect(url_for("fleet_groups.detail", group_id=group_id), 303)


@blueprint.post("/fleet/groups/<int:group_id>/remove")
def remove(group_id: int) -> AnyResponse:
    """Let a device not belong to it any more."""
    device = devices.get(database(), request.form.get("device", ""), now=current.now()).device
    gone = device_groups.remove(database(), group_id, [device.id], now=current.now(), actor=current.actor())
    if gone:
        words = _("%(name)s is out of the group.", name=device.name)
        notices.done(words, url_for("fleet_groups.add", group_id=group_id), {"devices": device.uuid})
    return redirect(url_for("fleet_groups.detail", group_id=group_id), 303)


@blueprint.post("/fleet/groups/<int:group_id>/delete")
def delete(group_id: int) -> AnyResponse:
    gone = device_groups.delete(database(), group_id, now=current.now(), actor=current.actor())
    flash(_("The group %(name)s is deleted. Its devices stay.", name=gone.name), "success")
    return redirect(url_for("fleet_groups.index"), 303)


def _page(view: GroupView, form: MembersForm) -> str:
    found = device_lists.list_page(
        database(), DeviceFilter(group=view.group.name), now=current.now(), limit=MEMBER_ROWS
    )
    return render_template(
        "fleet/groups/detail.html",
        view=view,
        form=form,
        members=found.lines,
        uses=device_groups.list_uses(database(), view.group.id),
    )


def _answer(found: list[GroupView]) -> str:
    if not found:
        return _("No group yet.")
    return ngettext("%(count)s group.", "%(count)s groups.", len(found), count=grouped(len(found)))


def _rows() -> list[dict[str, object]]:
    return [
        {
            "id": view.group.id,
            "name": view.group.name,
            "description": view.group.description,
            "devices": view.devices,
            "online": view.online,
            "created_by": view.group.created_by,
            "created_at": local_text(view.group.created_at, current.zone()),
        }
        for view in device_groups.list_all(database(), now=current.now())
    ]
