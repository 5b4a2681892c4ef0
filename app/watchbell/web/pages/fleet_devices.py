"""Devices: their list with its twins, one device's page, making and changing one, its key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError
from watchbell.services import agents, device_history, device_lists, devices
from watchbell.web import (
    bulk_devices,
    bulk_forms,
    current,
    device_editing,
    device_list,
    device_page,
    list_look,
    notices,
    presenters_fleet_devices,
    query,
    twins,
)
from watchbell.web.checks import with_filters
from watchbell.web.db import database
from watchbell.web.forms.device_form import DeviceForm
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _
from watchbell.web.list_look import Look
from watchbell.web.proving import proves

blueprint = Blueprint("fleet_devices", __name__)


@blueprint.get("/fleet/devices")
def index() -> AnyResponse | str:
    first = list_look.first_view("fleet_devices", "fleet_devices.index")
    if first is not None:
        return first
    asked = device_list.from_page(request.args, _look())
    if request.args.get("remember"):
        return list_look.chosen(device_list.SHAPE, "fleet_devices.index", asked.address(cols=None, length=None))
    found = device_list.find(database(), asked)
    if asked.offset and not found.lines:
        last = {**request.args, "page": asked.look.pages(found.filtered)}
        return redirect(f"{url_for('fleet_devices.index')}?{urlencode(last)}", 303)
    return render_template("fleet/devices/index.html", **device_list.context(database(), asked, found))


@blueprint.get("/fleet/devices/data")
def data() -> Response:
    """Answer the table's script in the server-side protocol of DataTables."""
    look = _look()
    draw, asked = device_list.from_table(request.args, look)
    found = device_list.find(database(), asked)
    cells = render_template("fleet/devices/rows.html", lines=found.lines, look=look)
    return jsonify(draw=draw, recordsTotal=found.total, recordsFiltered=found.filtered, data=json.loads(cells))


@blueprint.get("/fleet/devices.json")
def index_json() -> Response:
    zone = current.zone()
    return twins.json_response(presenters_fleet_devices.device_json(line, zone) for line in _twin_lines())


@blueprint.get("/fleet/devices.csv")
def index_csv() -> Response:
    zone = current.zone()
    rows = (presenters_fleet_devices.device_csv(line, zone) for line in _twin_lines())
    return twins.csv_response("devices", presenters_fleet_devices.CSV_COLUMNS, rows)


@blueprint.post("/fleet/devices/bulk")
def bulk() -> AnyResponse | str:
    return bulk_devices.answer()


@blueprint.post("/fleet/devices/export")
def export() -> AnyResponse:
    """Lead to the twin with the devices that were ticked."""
    return bulk_forms.export("fleet_devices.index_csv")


@blueprint.get("/fleet/devices/new")
def new() -> str:
    return device_editing.page(DeviceForm())


@blueprint.post("/fleet/devices/new")
def create() -> str | tuple[str, int]:
    """Make a device and show its key, in the answer itself: it stands nowhere from where it could be shown again."""
    form = DeviceForm()
    if not proves(form):
        return device_editing.page(form), 422
    try:
        line, secret = device_editing.create(form)
    except InputError as error:
        form.show(error)
        return device_editing.page(form), 422
    return device_editing.key_page(line, secret)


@blueprint.get("/fleet/devices/<uuid>")
def detail(uuid: str) -> str:
    return device_page.page(uuid)


@blueprint.get("/fleet/devices/<uuid>/jobs.json")
def jobs_json(uuid: str) -> Response:
    zone = current.zone()
    rows = device_history.walk(database(), uuid, states=device_page.states_of(request.args))
    return twins.json_response(presenters_fleet_devices.job_json(job, zone) for job in rows)


@blueprint.get("/fleet/devices/<uuid>/jobs.csv")
def jobs_csv(uuid: str) -> Response:
    zone = current.zone()
    rows = device_history.walk(database(), uuid, states=device_page.states_of(request.args))
    jobs = (presenters_fleet_devices.job_json(job, zone) for job in rows)
    return twins.csv_response("device-jobs", presenters_fleet_devices.JOB_COLUMNS, jobs)


@blueprint.get("/fleet/devices/<uuid>/edit")
def edit(uuid: str) -> str:
    line = device_lists.line_of(database(), uuid, now=current.now())
    form = DeviceForm()
    form.fill(line)
    return device_editing.page(form, line)


@blueprint.post("/fleet/devices/<uuid>/edit")
def update(uuid: str) -> AnyResponse | tuple[str, int]:
    line = device_lists.line_of(database(), uuid, now=current.now())
    form = DeviceForm()
    try:
        saved = device_editing.update(form, line)
    except InputError as error:
        form.show(error)
        return device_editing.page(form, line), 422
    flash(_("%(name)s is saved.", name=saved.device.name), "success")
    return redirect(url_for("fleet_devices.detail", uuid=saved.device.uuid), 303)


@blueprint.post("/fleet/devices/<uuid>/activate")
def activate(uuid: str) -> AnyResponse:
    view = devices.set_active(database(), uuid, True, now=current.now(), actor=current.actor())
    words = _("%(name)s is active: it may ask for jobs.", name=view.device.name)
    notices.done(words, url_for("fleet_devices.deactivate", uuid=view.device.uuid), _from())
    return _back(view.device.uuid)


@blueprint.post("/fleet/devices/<uuid>/settle")
def settle(uuid: str) -> AnyResponse:
    agents.settle(database(), uuid, now=current.now(), actor=current.actor())
    flash(_("The next agent that asks is taken to be that of this device."), "success")
    return _back(uuid)


@blueprint.post("/fleet/devices/<uuid>/deactivate")
def deactivate(uuid: str) -> AnyResponse:
    view = devices.set_active(database(), uuid, False, now=current.now(), actor=current.actor())
    words = _("%(name)s is not active any more: it may ask for nothing, and no order means it.", name=view.device.name)
    notices.done(words, url_for("fleet_devices.activate", uuid=view.device.uuid), _from())
    return _back(view.device.uuid)


@blueprint.post("/fleet/devices/<uuid>/delete")
def delete(uuid: str) -> AnyResponse:
    view = devices.get(database(), uuid, now=current.now())
    devices.delete(database(), uuid, now=current.now(), actor=current.actor())
    flash(_("%(name)s is deleted with its key and its jobs.", name=view.device.name), "success")
    return redirect(url_for("fleet_enrolment.index" if _stood_at() == "join" else "fleet_devices.index"), 303)


@blueprint.post("/fleet/devices/<uuid>/key")
def rotate_key(uuid: str) -> str | tuple[str, int]:
    """Give a device another key and show it, in the answer itself, once it is proven who asks."""
    line = device_lists.line_of(database(), uuid, now=current.now())
    form = ProofForm()
    if not proves(form):
        return device_editing.rotate_page(form, line), 422
    secret = devices.rotate_key(database(), uuid, now=current.now(), actor=current.actor())
    return device_editing.key_page(line, secret)


@blueprint.post("/fleet/devices/<uuid>/key/revoke")
def revoke_key(uuid: str) -> AnyResponse:
    view = devices.get(database(), uuid, now=current.now())
    devices.revoke_key(database(), uuid, now=current.now(), actor=current.actor())
    flash(_("%(name)s has no key any more: it is refused until it gets another one.", name=view.device.name), "success")
    return redirect(url_for("fleet_devices.detail", uuid=view.device.uuid), 303)


def _look() -> Look:
    return list_look.read(device_list.SHAPE, request.args, request.cookies)


def _twin_lines() -> Iterator[device_lists.DeviceLine]:
    asked = device_list.from_page(request.args, _look())
    return device_list.walk(database(), asked, bulk_forms.ids_of(request.args))


def _stood_at() -> str:
    """Return where the button stood: in the list, at those that wait to be let in, or at the device itself."""
    return query.word(request.form, "back", ("", "list", "join"), "")


def _from() -> dict[str, str]:
    """Return the field that leads back to where the button stood."""
    return {"back": _stood_at()} if _stood_at() else {}


def _back(uuid: str) -> AnyResponse:
    """Return to where the button stood."""
    if _stood_at() == "list":
        return redirect(with_filters(url_for("fleet_devices.index")), 303)
    if _stood_at() == "join":
        return redirect(url_for("fleet_enrolment.index"), 303)
    return redirect(url_for("fleet_devices.detail", uuid=uuid), 303)
