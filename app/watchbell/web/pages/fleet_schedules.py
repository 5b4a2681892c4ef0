"""Recurring orders to devices: their list, making and changing them, and what each has led to."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError
from watchbell.services import fleet_schedules, fleet_views, job_library
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.fleet_views import WantedOrders
from watchbell.web import carried_page, current, fleet_order_page, fleet_schedule_page, notices, twins
from watchbell.web.db import database
from watchbell.web.forms.fleet_schedule_form import FleetScheduleForm, shown_data
from watchbell.web.i18n import _

blueprint = Blueprint("fleet_schedules", __name__)

_HISTORY = 20


@blueprint.get("/fleet/schedules")
def index() -> str:
    asked = fleet_schedule_page.read(request.args)
    every = fleet_schedules.list_all(database())
    return render_template(
        "fleet/schedules/index.html",
        asked=asked,
        schedules=[fleet_schedule_page.view(one) for one in fleet_schedule_page.matching(every, asked)],
        answer=fleet_schedule_page.answer(every),
    )


@blueprint.get("/fleet/schedules.json")
def index_json() -> Response:
    return twins.json_response(fleet_schedule_page.twin_rows(request.args))


@blueprint.get("/fleet/schedules.csv")
def index_csv() -> Response:
    rows = fleet_schedule_page.twin_rows(request.args)
    return twins.csv_response("fleet-schedules", fleet_schedule_page.CSV_COLUMNS, rows)


@blueprint.get("/fleet/schedules/new")
def new() -> str:
    """Show the form of a new schedule, of a template that a link may name."""
    given = {"template": request.args["template"]} if "template" in request.args else {}
    return _form(FleetScheduleForm(data=given), None)


@blueprint.post("/fleet/schedules/new")
def create() -> AnyResponse | tuple[str, int]:
    form = FleetScheduleForm()
    try:
        made = fleet_schedules.create(
            database(), form.fields(), now=current.now(), zone=current.config().zone, actor=current.actor()
        )
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, None), 422
    if made.is_carried:
        flash(_("Each device carries %(name)s from its next contact on.", name=made.name), "success")
    else:
        flash(_("%(name)s is given to devices from now on whenever it is due.", name=made.name), "success")
    return redirect(url_for("fleet_schedules.detail", schedule_id=made.schedule_id), 303)


@blueprint.post("/fleet/schedules/preview")
def preview() -> str:
    """Return what is wrong with what is typed, or what it would lead to, for the form's script."""
    form = FleetScheduleForm()
    found, problems = fleet_schedule_page.try_out(form)
    return render_template("fleet/schedules/preview.html", tried=found, problems=problems)


@blueprint.get("/fleet/schedules/<schedule_id>")
def detail(schedule_id: str) -> str:
    found = fleet_schedules.get(database(), schedule_id)
    return render_template(
        "fleet/schedules/detail.html",
        carried=carried_page.view(found),
        schedule=fleet_schedule_page.view(found),
        document=fleet_order_page.as_text(found.document),
        page=fleet_views.list_orders(database(), WantedOrders(schedule_id=found.id), limit=_HISTORY),
    )


@blueprint.get("/fleet/schedules/<schedule_id>/devices.json")
def devices_json(schedule_id: str) -> Response:
    fleet_schedules.get(database(), schedule_id)
    return twins.json_response(carried_page.device_rows(schedule_id))


@blueprint.get("/fleet/schedules/<schedule_id>/devices.csv")
def devices_csv(schedule_id: str) -> Response:
    number = fleet_schedules.get(database(), schedule_id).id
    rows = carried_page.device_rows(schedule_id)
    return twins.csv_response(f"fleet-schedule-{number}-devices", carried_page.DEVICE_COLUMNS, rows)


@blueprint.get("/fleet/schedules/<schedule_id>/moments.json")
def moments_json(schedule_id: str) -> Response:
    fleet_schedules.get(database(), schedule_id)
    return twins.json_response(carried_page.moment_rows(schedule_id))


@blueprint.get("/fleet/schedules/<schedule_id>/moments.csv")
def moments_csv(schedule_id: str) -> Response:
    number = fleet_schedules.get(database(), schedule_id).id
    rows = carried_page.moment_rows(schedule_id)
    return twins.csv_response(f"fleet-schedule-{number}-moments", carried_page.MOMENT_COLUMNS, rows)


@blueprint.get("/fleet/schedules/<schedule_id>/edit")
def edit(schedule_id: str) -> str:
    found = fleet_schedules.get(database(), schedule_id)
    return _form(FleetScheduleForm(data=shown_data(found)), found)


@blueprint.post("/fleet/schedules/<schedule_id>/edit")
def update(schedule_id: str) -> AnyResponse | tuple[str, int]:
    found, form = fleet_schedules.get(database(), schedule_id), FleetScheduleForm()
    try:
        changes = fleet_schedule_page.changes(found, form.fields())
        if changes:
            fleet_schedules.update(database(), schedule_id, changes, now=current.now(), actor=current.actor())
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, found), 422
    flash(_("The schedule is saved.") if changes else _("Nothing was changed."), "success" if changes else "info")
    return redirect(url_for("fleet_schedules.detail", schedule_id=schedule_id), 303)


@blueprint.post("/fleet/schedules/<schedule_id>/pause")
def pause(schedule_id: str) -> AnyResponse:
    made = _set_active(schedule_id, False)
    said = _("%(name)s rests until somebody resumes it.", name=made.name)
    notices.done(said, url_for("fleet_schedules.resume", schedule_id=schedule_id))
    return redirect(url_for("fleet_schedules.index"), 303)


@blueprint.post("/fleet/schedules/<schedule_id>/resume")
def resume(schedule_id: str) -> AnyResponse:
    made = _set_active(schedule_id, True)
    flash(_("%(name)s goes on; what was due meanwhile is not made up for.", name=made.name), "success")
    return redirect(url_for("fleet_schedules.index"), 303)


@blueprint.post("/fleet/schedules/<schedule_id>/delete")
def delete(schedule_id: str) -> AnyResponse:
    name = fleet_schedules.get(database(), schedule_id).name
    fleet_schedules.delete(database(), schedule_id, now=current.now(), actor=current.actor())
    flash(_("The schedule %(name)s is deleted. The executions that it has led to stay.", name=name), "success")
    return redirect(url_for("fleet_schedules.index"), 303)


def _set_active(schedule_id: str, is_active: bool) -> FleetSchedule:
    return fleet_schedules.set_active(database(), schedule_id, is_active, now=current.now(), actor=current.actor())


def _form(form: FleetScheduleForm, schedule: FleetSchedule | None) -> str:
    form.offer(job_library.list_templates(database()), schedule)
    return render_template("fleet/schedules/form.html", form=form, schedule=schedule)
